"""What no client sends, sent to every route of every dialect: refused in the dialect's own shape, never a 5xx.

Made from the tables of routes, in one process, so that no route and no dialect is left out.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.dialect_descriptions import ARGUMENTS, PARAMETER, SHAPES, error_shape, named
from inside import Answer, Inside
from stepwell.app import build_app, dialects
from stepwell.core.clock import system_clock
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web import oauth, operations
from stepwell.web.counters import Counters
from stepwell.web.routing import Dialect, Route
from stepwell.web.work import Work

pytestmark = pytest.mark.slow  # tens of thousands of requests: `make test` asks them, `make test-fast` does not

ALL = [
    *dialects(),
    oauth.dialect(required=False, key=ServerKey(new_key())),
    operations.dialect(counters=Counters(), gauges=dict),
]
ROUTES = [(dialect.name, route) for dialect in ALL for route in dialect.routes]
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OURS = ("native", "operations")
NESTED = 100_000
HEADERS = {
    "content-type": "application/json",
    "ai-resource-group": "w",
    "x-stepwell-workspace": "w",
    "x-run-id": "1",
    "x-project-name": "p",
}
TRICKS = (
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2F",
    "%5C..%5C",
    "%00",
    "a%00b",
    "%0d%0aset-cookie:%20a=b",
    "%25",
    "%252e%252e",
    "%ff",
    "%c0%ae%c0%ae",
    "%ed%a0%80",
    "%",
    "%zz",
    "%20",
    "%E2%80%AE",
    "x" * 5_000,
    "9" * 30,
    "-1",
    "NaN",
    "'%20OR%201=1%20--",
)
BODIES = {
    "nothing": b"",
    "open brackets": b"[" * NESTED,
    "nested lists": b"[" * NESTED + b"]" * NESTED,
    "nested objects": b'{"a":' * NESTED + b"1" + b"}" * NESTED,
    "nested within a field": b'{"name":' + b"[" * NESTED + b"]" * NESTED + b"}",
    "null": b"null",
    "a number": b"1e999",
    "a text": b'"text"',
    "a list": b"[]",
    "no text": b"\xff\xfe{}",
    "half a surrogate pair": b'{"name":"\\ud800"}',
    "a NUL": b'{"name":"\\u0000"}',
    "half": b'{"name"',
    "two": b"{}{}",
    "a field twice": b'{"name":"a","name":"b"}',
    "packed": gzip.compress(b"[" * NESTED),
}
WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    -(2**70),
    0.5,
    float("nan"),
    "",
    " ",
    "\0",
    "\ud800",
    "x" * 70_000,
    "1e400",
    [],
    [None],
    [[1]],
    {},
    {"": None},
)
SAME_AGAIN = ("/ajax-api/", "/api/20260430/")  # the same endpoints under another prefix
TYPES = ("text/plain", "", "*/*", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b; \xff=")


def shown(value: object) -> str | None:
    return f"{value.verb} {value.path}" if isinstance(value, Route) else None


def by_route(chosen: Callable[[Route], bool]) -> pytest.MarkDecorator:
    found = [(name, route) for name, route in ROUTES if chosen(route)]
    return pytest.mark.parametrize(("dialect", "route"), found, ids=shown)


def takes_body(route: Route) -> bool:
    return route.verb in ("POST", "PUT", "PATCH")


SHAPED = [
    (name, route)
    for name, route in ROUTES
    if takes_body(route) and not route.path.startswith(SAME_AGAIN) and named(SHAPES.get(name, {}), route)
]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    place: Path = tmp_path_factory.mktemp("bad") / "data"
    store, work = open_store(place, clock=system_clock), Work()
    inside = Inside(build_app(Settings(data_dir=place), store, work=work, key=ServerKey(new_key())))
    try:
        answer = inside.ask("POST", "/api/v1/runs", headers=HEADERS, body=b'{"id":"1"}')
        assert answer.status == 201, answer.body
        yield inside
    finally:
        inside.close()
        work.close()
        store.close()


def filled(route: Route) -> str:
    return PARAMETER.sub(lambda match: _given(match[1]), route.path)


def _given(name: str) -> str:
    return "w" if name in ("project_id", "workspace", "platform") else "1"


def refused(dialect: str, path: str, answer: Answer) -> None:
    """In the dialect's shape, with a message for people and an id for the log."""
    assert 400 <= answer.status < 500, (answer.status, answer.body[:500])
    assert answer.headers["content-type"] == "application/json"
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-request-id"]
    told = answer.json
    if dialect in OURS:
        assert told.get("error", {}).keys() >= {"code", "message", "request_id"}
    elif dialect == "oauth":
        assert told.keys() == {"error", "error_description"}
    else:
        shape = error_shape(dialect, path)
        fields = {field.encode_name for field in msgspec.structs.fields(shape)}
        extra = {"message", "success"} if dialect == "pluto" and "error" in fields else set()
        assert told.keys() <= fields | extra
        msgspec.json.decode(answer.body, type=shape)
    assert "Traceback" not in answer.body.decode()


def harmless(dialect: str, path: str, answer: Answer) -> None:
    """Done or refused."""
    if answer.status >= 400:
        refused(dialect, path, answer)


@by_route(lambda _: True)
def test_a_wrong_verb(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    for verb in VERBS:
        answer = inside.ask(verb, path, headers=HEADERS)
        if answer.status != 405:
            continue
        refused(dialect, path, answer)
        assert route.verb in answer.headers["allow"].split(", ")
        assert verb not in answer.headers["allow"].split(", ")
    assert inside.ask("TRACE", path, headers=HEADERS).status == 405


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.name)
def test_an_unknown_path(inside: Inside, dialect: Dialect):
    for prefix in dialect.prefixes:
        for rest in ("/nowhere/at/all", "/%2e%2e/x", "/nowhere%2Fat%2Fall"):
            path = prefix.rstrip("/") + rest
            if any(_fits(other.path, path) for _, other in ROUTES):
                continue
            answer = inside.ask("GET", path, headers=HEADERS)
            assert answer.status in (400, 404), (path, answer.body)
            refused(dialect.name, path, answer)


def _fits(pattern: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{\w+:path\}", ".+", pattern)), path) is not None


@by_route(lambda route: "{" in route.path)
def test_percent_encoding_tricks_in_a_path(inside: Inside, dialect: str, route: Route):
    for tricked, trick in product(PARAMETER.findall(route.path), TRICKS):
        given = {name: trick if name == tricked else _given(name) for name in PARAMETER.findall(route.path)}
        path = PARAMETER.sub(lambda match, given=given: given[match[1]], route.path)  # type: ignore[misc]
        answer = inside.ask(route.verb, path, headers=HEADERS, body=b"{}" if takes_body(route) else b"")
        harmless(dialect, path, answer)
        assert b"root:" not in answer.body


@by_route(lambda route: route.verb in ("GET", "DELETE"))
def test_percent_encoding_tricks_in_arguments(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    for name in arguments(dialect, route):
        for trick in TRICKS:
            harmless(dialect, path, inside.ask(route.verb, f"{path}?{name}={trick}", headers=HEADERS))


def arguments(dialect: str, route: Route) -> set[str]:
    """The names of a route's arguments."""
    found = {"run_id", "runId", "path", "cursor"}
    shape = named(SHAPES.get(dialect, {}), route)
    if shape is not None:
        found |= {field.encode_name for field in msgspec.structs.fields(SHAPES[dialect][shape])}
    tables = ARGUMENTS.get(dialect, {})
    more = named({key: 1 for key in tables if key}, route)
    for place in {**tables.get("", {}), **tables.get(more or "", {})}:
        found.add(place.partition(" ")[2])
    return found


@by_route(takes_body)
def test_bodies_that_are_no_message(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    for name, body in BODIES.items():
        packed = {"content-encoding": "gzip"} if name == "packed" else {}
        answer = inside.ask(route.verb, path, headers=HEADERS | packed, body=body)
        harmless(dialect, path, answer)


@pytest.mark.parametrize(("dialect", "route"), SHAPED, ids=shown)
def test_every_field_with_what_it_cannot_hold(inside: Inside, dialect: str, route: Route):
    """Alone wrong in a message that is good as far as its types say."""
    kind = SHAPES[dialect][named(SHAPES[dialect], route) or ""]
    good = {field.encode_name: sample(field.type) for field in msgspec.structs.fields(kind) if field.required}
    path = filled(route)
    bodies = [{key: value for key, value in good.items() if key != name} for name in good]
    bodies += [good | {name: value} for name in kind.__struct_encode_fields__ for value in WRONG]
    for body in bodies:
        harmless(dialect, path, inside.ask(route.verb, path, headers=HEADERS, body=json.dumps(body).encode()))


def sample(kind: Any) -> Any:
    """Something of this type; of several the first."""
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.UnionType(types=types):
            return _sample(types[0])
        case found:
            return _sample(found)


def _sample(found: msgspec.inspect.Type) -> Any:
    match found:
        case msgspec.inspect.StructType(cls=cls):
            return {each.encode_name: sample(each.type) for each in msgspec.structs.fields(cls) if each.required}
        case msgspec.inspect.ListType(item_type=item):
            return [_sample(item)]
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.DictType():
            return {}
        case msgspec.inspect.NoneType():
            return None
    return "1"


@by_route(takes_body)
def test_wrong_content_types(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    for kind in TYPES:
        answer = inside.ask(route.verb, path, headers=HEADERS | {"content-type": kind}, body=b'{"no": "message"}')
        harmless(dialect, path, answer)


@by_route(takes_body)
def test_wrong_encodings(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    whole = gzip.compress(b'{"a": 1}' * 1000)
    wrong = [("gzip", b"no gzip"), ("gzip", whole[:-9]), ("gzip", whole + b"x"), ("br", b"x"), ("gzip, br", b"x")]
    for encoding, body in wrong:
        answer = inside.ask(route.verb, path, headers=HEADERS | {"content-encoding": encoding}, body=body)
        harmless(dialect, path, answer)


@by_route(lambda _: True)
def test_queries_that_are_no_text(inside: Inside, dialect: str, route: Route):
    path = filled(route)
    body = b"{}" if takes_body(route) else b""
    for query in ("%ff=1", "a=%ff", "a=%ed%a0%80", "&".join("a=1" for _ in range(10_001)), "a=%00", "=&&=", "[]=1"):
        answer = inside.ask(route.verb, f"{path}?{query}", headers=HEADERS, body=body)
        harmless(dialect, path, answer)


def test_the_shapes_can_be_wrong():
    def answer(body: Any, status: int = 400) -> Answer:
        headers = {"content-type": "application/json", "x-request-id": "1"}
        return Answer(status=status, headers=headers, body=json.dumps(body).encode())

    good: dict[str, Any] = {
        "sap": {"error": {"code": "1", "message": "m", "requestId": "1", "target": "/", "details": []}},
        "modelarts": {"error_code": "1", "error_msg": "m"},
        "mlflow": {"error_code": "1", "message": "m"},
        "oracle": {"code": "1", "message": "m"},
        "native": {"error": {"code": "1", "message": "m", "request_id": "1"}},
    }
    for mine in good:
        for theirs, body in good.items():
            if mine == theirs:
                refused(mine, "/", answer(body))
            else:
                with pytest.raises((AssertionError, msgspec.ValidationError)):
                    refused(mine, "/", answer(body))
    with pytest.raises(AssertionError):
        refused("sap", "/", answer(good["sap"], 500))


def test_no_dialect_is_left_out():
    """SAP's ids stand in arguments, never in a path."""
    every = {"native", "mlflow", "oracle", "sap", "modelarts", "pluto"}
    assert {name for name, route in ROUTES if takes_body(route)} >= every
    assert {name for name, route in ROUTES if "{" in route.path} >= every - {"sap"}
    assert {name for name, _ in SHAPED} == every - {"native"}, "ours is asked from its own document"
    (sap,) = {route.path for name, route in ROUTES if name == "sap" and route.path.startswith("/v2")}
    assert "executionIds" in arguments("sap", Route("GET", sap, operations._health))

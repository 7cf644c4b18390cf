"""The way of a request: routes, errors, request ids, counters, streams."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any

import pytest

from stepwell.core.access import Role
from stepwell.core.errors import (
    AlreadyExists,
    BadFilter,
    Busy,
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    NotFound,
    StepwellError,
    StorageFailed,
    StorageFull,
    TooLarge,
    Unauthenticated,
)
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response, stream_response
from stepwell.web.routing import Route
from unit.web.asking import Asking


async def tell(call: Call) -> Response:
    return json_response(
        {
            "params": dict(call.params),
            "workspace": call.workspace,
            "query": list(call.query),
            "role": call.principal.role.word,
            "dialect": call.dialect,
            "request_id": call.request_id,
        }
    )


def raising(error: Exception) -> Asking:
    async def endpoint(_call: Call) -> Response:
        raise error

    return Asking([Route("GET", "/t/fail", endpoint)])


def test_an_endpoint_sees_params_query_workspace_and_principal():
    asking = Asking([Route("GET", "/t/{a}/x/{b:path}", tell)])
    answer = asking.ask("GET", "/t/one%2Ftwo/x/three/four?q=1&q=%C3%A4+b&empty=", headers={"x-workspace": "w"})
    assert answer.status == 200
    assert answer.json == {
        "params": {"a": "one/two", "b": "three/four"},
        "workspace": "w",
        "query": [["q", "1"], ["q", "ä b"], ["empty", ""]],
        "role": "admin",
        "dialect": "tested",
        "request_id": answer.headers["x-request-id"],
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("bad", field="step"), 400),
        (TooLarge("much", field="x", limit=5), 400),
        (BadFilter("where", position=3), 400),
        (NotFound(), 404),
        (AlreadyExists(), 409),
        (Conflict(), 409),
        (Unauthenticated(), 401),
        (Forbidden(), 403),
        (Busy(), 503),
        (StorageFailed(), 503),
        (StorageFull(), 507),
        (Corrupt(), 500),
    ],
)
def test_each_error_has_its_status(error: StepwellError, status: int):
    answer = raising(error).ask("GET", "/t/fail")
    assert answer.status == status
    assert answer.error["code"] == error.code
    assert answer.error["message"] == error.message
    assert answer.error.get("field") == error.field
    assert answer.error.get("limit") == error.limit


def test_unavailable_says_when_to_try_again_and_unauthenticated_how():
    assert raising(Busy(retry_after=7)).ask("GET", "/t/fail").headers["retry-after"] == "7"
    assert raising(Unauthenticated()).ask("GET", "/t/fail").headers["www-authenticate"].startswith("Basic")


def test_an_unexpected_error_is_logged_and_shows_only_the_request_id(caplog: pytest.LogCaptureFixture):
    answer = raising(RuntimeError("secret detail")).ask("GET", "/t/fail", headers={"x-request-id": "mine-1"})
    assert answer.status == 500
    assert answer.error["code"] == "internal"
    assert "mine-1" in answer.error["message"]
    assert b"secret" not in answer.body
    record = next(one for one in caplog.records if one.exc_info)
    assert record.__dict__["request_id"] == "mine-1"


@pytest.mark.parametrize("path", ["/t/none", "/t/", "/nowhere", "/t/fail/", "//t/fail", "/t//fail"])
def test_an_unknown_path_is_404_in_json(path: str):
    answer = raising(Invalid()).ask("GET", path)
    assert answer.status == 404
    assert answer.error["code"] == "unknown_path"


def test_a_wrong_verb_is_405_and_names_the_right_ones():
    asking = Asking([Route("GET", "/t/x", tell), Route("DELETE", "/t/x", tell), Route("POST", "/t/y/{a}", tell)])
    answer = asking.ask("PUT", "/t/x")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    answer = asking.ask("GET", "/t/y/1")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.error["code"] == "wrong_verb"


@pytest.mark.parametrize("path", ["/t/%ff/x/y", "/t/%C3/x/y"])
def test_a_path_that_is_not_utf8_is_400(path: str):
    answer = Asking([Route("GET", "/t/{a}/x/{b}", tell)]).ask("GET", path)
    assert (answer.status, answer.error["code"]) == (400, "malformed_path")


@pytest.mark.parametrize("query", ["a=%ff", "a=\xe9"])
def test_a_query_that_is_not_utf8_is_400(query: str):
    answer = Asking([Route("GET", "/t/x", tell)]).ask("GET", f"/t/x?{query}")
    assert (answer.status, answer.error["code"]) == (400, "malformed_query")


def test_head_is_answered_by_get():
    assert Asking([Route("GET", "/t/x", tell)]).ask("HEAD", "/t/x").status == 200


@pytest.mark.parametrize("given", ["", "with space", "x" * 65, 'a"b', "é"])
def test_a_request_id_that_is_not_sane_is_replaced(given: str):
    answer = Asking([Route("GET", "/t/x", tell)]).ask("GET", "/t/x", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] not in ("", given)


def test_request_ids_differ():
    asking = Asking([Route("GET", "/t/x", tell)])
    assert len({asking.ask("GET", "/t/x").headers["x-request-id"] for _ in range(5)}) == 5


@pytest.mark.parametrize("name", ["host", "authorization", "content-length", "origin", "content-encoding"])
def test_headers_that_decide_must_not_repeat(name: str):
    asking = Asking([Route("GET", "/t/x", tell)])
    answer = asking.ask("GET", "/t/x", headers=[("host", "localhost"), (name, "0"), (name, "0")])
    assert (answer.status, answer.error["code"]) == (400, "repeated_header")


def test_other_headers_may_repeat():
    asking = Asking([Route("GET", "/t/x", tell)])
    assert asking.ask("GET", "/t/x", headers=[("accept", "a"), ("accept", "b")]).status == 200


def test_requests_are_counted_by_dialect_and_outcome():
    asking = raising(NotFound())
    asking.ask("GET", "/t/fail")
    asking.ask("GET", "/t/fail")
    asking.ask("GET", "/healthz")
    assert asking.counters.requests == {("tested", 404): 2, ("operations", 200): 1}


def test_a_good_answer_is_logged_at_debug_and_an_error_at_info(caplog: pytest.LogCaptureFixture):
    asking = Asking([Route("GET", "/t/x", tell)])
    with caplog.at_level(logging.INFO, "stepwell.web"):
        asking.ask("GET", "/t/x")
        assert not caplog.records
        asking.ask("GET", "/t/y")
    assert [record.getMessage() for record in caplog.records] == ["GET /t/y 404"]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "stepwell.web"):
        asking.ask("GET", "/t/x")
    assert caplog.records[-1].__dict__["status"] == 200


def test_a_slow_answer_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "stepwell.web"):
        Asking([Route("GET", "/t/x", tell)], slow=-1.0).ask("GET", "/t/x")
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "GET /t/x 200")


def streaming(chunks: Any, closed: list[str]) -> Asking:
    def made() -> Iterator[bytes]:
        try:
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            closed.append("closed")

    async def endpoint(call: Call) -> Response:
        return stream_response(call, made, content_type="text/plain", headers=(("x-more", "1"),))

    return Asking([Route("GET", "/t/s", endpoint)])


def test_a_stream_arrives_whole_and_is_closed():
    closed: list[str] = []
    answer = streaming([b"a", b"b", b"c"], closed).ask("GET", "/t/s")
    assert (answer.body, answer.complete, closed) == (b"abc", True, ["closed"])
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-more"] == "1"
    assert "content-length" not in answer.headers


def test_an_empty_stream_is_an_empty_answer():
    answer = streaming([], []).ask("GET", "/t/s")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)


def test_an_error_before_the_first_chunk_is_answered():
    closed: list[str] = []
    answer = streaming([NotFound("gone")], closed).ask("GET", "/t/s")
    assert (answer.status, answer.error["message"], closed) == (404, "gone", ["closed"])


def test_an_error_later_breaks_the_answer_off(caplog: pytest.LogCaptureFixture):
    closed: list[str] = []
    answer = streaming([b"a", Corrupt("flipped")], closed).ask("GET", "/t/s")
    assert (answer.status, answer.body, answer.complete, closed) == (200, b"a", False, ["closed"])
    assert "answer broken off" in caplog.text


def test_a_stream_ends_when_the_client_is_gone():
    seen: list[int] = []

    def made() -> Iterator[bytes]:
        for number in range(10_000):
            seen.append(number)
            yield b"x"

    async def endpoint(call: Call) -> Response:
        return stream_response(call, made)

    answer = Asking([Route("GET", "/t/s", endpoint)]).ask("GET", "/t/s", broken=True)
    assert not answer.complete
    assert len(seen) < 10_000


def test_a_stream_of_head_is_not_made_beyond_its_first_chunk():
    closed: list[str] = []
    answer = streaming([b"a", RuntimeError("never asked for")], closed).ask("HEAD", "/t/s")
    assert (answer.status, answer.complete, closed) == (200, True, ["closed"])


def test_an_asynchronous_stream_is_sent():
    async def numbers() -> AsyncIterator[bytes]:
        for number in range(3):
            yield str(number).encode()

    async def endpoint(_call: Call) -> Response:
        return Response(200, numbers(), "text/plain")

    assert Asking([Route("GET", "/t/s", endpoint)]).ask("GET", "/t/s").body == b"012"


def test_durable_gives_the_result_or_the_error_of_another_thread():
    def later(future: Future[int], error: Exception | None) -> None:
        future.set_exception(error) if error else future.set_result(5)

    async def endpoint(call: Call) -> Response:
        futures: list[Future[int]] = [Future() for _ in range(20)]
        threads = [Thread(target=later, args=(future, None)) for future in futures]
        for thread in threads:
            thread.start()
        values = [await call.durable(future) for future in futures]
        failing: Future[int] = Future()
        Thread(target=later, args=(failing, StorageFull())).start()
        try:
            await call.durable(failing)
        except StorageFull:
            values.append(507)
        return json_response(values)

    assert Asking([Route("GET", "/t/d", endpoint)]).ask("GET", "/t/d").json == [5] * 20 + [507]


def test_a_full_pool_is_busy():
    async def endpoint(call: Call) -> Response:
        return json_response(await call.run(int))

    asking = Asking([Route("GET", "/t/r", endpoint)])
    assert asking.ask("GET", "/t/r").json == 0
    assert asking.work.readers.unfinished == 0
    asking.work.readers.unfinished = 4
    assert asking.ask("GET", "/t/r").status == 503


def test_a_role_below_the_route_is_forbidden():
    asking = Asking([Route("GET", "/t/x", tell, Role.ADMIN)])
    assert asking.ask("GET", "/t/x").json["role"] == "admin"


def test_nan_becomes_null_in_json():
    body = json_response({"a": float("nan"), "b": 1.5}).body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"a": None, "b": 1.5}

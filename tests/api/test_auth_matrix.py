"""Every route with every kind of caller, made from the tables of routes. In one process: there are thousands."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from inside import Inside
from signing import PrivateKey, shared
from stepwell.app import build_app, dialects
from stepwell.core.access import Role
from stepwell.core.clock import system_clock
from stepwell.services import credentials, tokens
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web import oauth, operations
from stepwell.web.auth import PUBLIC_PATHS
from stepwell.web.counters import Counters
from stepwell.web.routing import Route
from stepwell.web.work import Work

OURS = [operations.dialect(counters=Counters(), gauges=dict), oauth.dialect(required=True, key=ServerKey(new_key()))]
ROUTES: list[tuple[str, Route]] = [
    (dialect.name, route) for dialect in [*dialects(), *OURS] for route in dialect.routes
]
LOCKED = [(name, route) for name, route in ROUTES if not route.public]
BODY = b"{}"
MINE, THEIRS = "mine", "theirs"

# Method, target, body -> the headers that a caller adds.
Caller: TypeAlias = Callable[[str, str, bytes], Mapping[str, str]]


@dataclass(frozen=True)
class Naming:
    """How a request of a dialect names its workspace: headers, or parameters of the path."""

    headers: tuple[str, ...] = ()
    params: tuple[str, ...] = ()


# A dialect whose requests name none goes into the credential's own workspace.
NAMING: Mapping[str, Naming] = {
    "native": Naming(headers=("X-Stepwell-Workspace",)),
    "mlflow": Naming(headers=("X-MLFLOW-WORKSPACE",)),
    "sap": Naming(headers=("AI-Resource-Group",)),
    "modelarts": Naming(params=("project_id",)),
    "oracle": Naming(params=("workspace", "platform")),
    "pluto": Naming(),
    "operations": Naming(),
    "oauth": Naming(),
}
# Public routes whose URL is itself the proof: who calls does not matter, and without a signed URL nobody gets in.
SIGNED_URLS = {"/storage/{place:path}"}
NAMED = [(name, route) for name, route in LOCKED if NAMING.get(name, Naming()) != Naming()]


def shown(value: object) -> str | None:
    return f"{value.verb} {value.path}" if isinstance(value, Route) else None


def by_route(routes: list[tuple[str, Route]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("dialect", "route"), routes, ids=shown)


@dataclass
class Locked:
    """A server that wants credentials, and callers of every kind by name."""

    inside: Inside
    callers: dict[str, Caller] = field(default_factory=dict)

    def status(self, dialect: str, route: Route, caller: str, *, workspace: str = MINE) -> int:
        naming = NAMING[dialect]
        params = dict.fromkeys(naming.params, workspace)
        target = re.sub(r"\{(\w+)(:path)?\}", lambda match: params.get(match[1], "1"), route.path)
        body = b"" if route.verb == "GET" else BODY
        headers = {"content-type": "application/json", **dict.fromkeys(naming.headers, workspace)}
        headers |= self.callers[caller](route.verb, target, body)
        answer = self.inside.ask(route.verb, target, headers=headers, body=body)
        assert answer.status < 500, answer.body
        return answer.status


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    place: Path = tmp_path_factory.mktemp("matrix") / "data"
    store, work, key, now = open_store(place, clock=system_clock), Work(), ServerKey(new_key()), system_clock()
    private = PrivateKey()

    def made(workspace: str, role: str, at: int = now, **more: str) -> tuple[str, str]:
        credential, secret = credentials.create(store, key, workspace=workspace, role=role, now=at, **more)  # type: ignore[arg-type]
        return credential.id, secret

    def header(name: str, value: str) -> Caller:
        return lambda *_: {name: value}

    def bearer(secret: str) -> Caller:
        return header("authorization", f"Bearer {secret}")

    def basic(id_: str, secret: str) -> Caller:
        return header("authorization", "Basic " + base64.b64encode(f"{id_}:{secret}".encode()).decode())

    def signing(id_: str, secret: str) -> Caller:
        return lambda method, target, body: shared(id_, secret, method, target, body=body, at=system_clock())

    try:
        app = build_app(Settings(data_dir=place, auth="required"), store, work=work, key=key)
        inside = Inside(app)
        roles = {role.word: made(MINE, role.word) for role in Role}
        writer, admin = roles["writer"], roles["admin"]
        revoked = made(MINE, "admin")
        expired = made(MINE, "admin", now - 10**7, lifetime="1s")
        made(MINE, "admin", key_id=private.key_id, public_key=private.pem)
        store.revoke_credential(id=revoked[0], at=now)
        yield Locked(
            inside,
            {
                **{word: bearer(secret) for word, (_, secret) in roles.items()},
                "foreign": bearer(made(THEIRS, "admin")[1]),
                "admin, Basic": basic(*admin),
                "admin, token": bearer(tokens.issue(key, credential_id=admin[0], now=now)),
                "admin, X-Auth-Token": header("x-auth-token", admin[1]),
                "admin, signature": signing(*admin),
                "admin, private key": lambda method, target, body: private.headers(
                    method, target, body=body, at=system_clock()
                ),
                "nobody": lambda *_: {},
                "empty": header("authorization", ""),
                "unknown": bearer("sw_" + "x" * 40),
                "expired": bearer(expired[1]),
                "revoked": bearer(revoked[1]),
                "wrong secret, Basic": basic(admin[0], writer[1]),
                "revoked, Basic": basic(*revoked),
                "revoked, token": bearer(tokens.issue(key, credential_id=revoked[0], now=now)),
                "expired token": bearer(tokens.issue(key, credential_id=admin[0], now=now - 10**12)),
                "foreign token": bearer(tokens.issue(ServerKey(new_key()), credential_id=admin[0], now=now)),
                "token of nobody": bearer(tokens.issue(key, credential_id=tokens.NOBODY, now=now)),
                "unknown, X-Auth-Token": header("x-auth-token", "sw_" + "x" * 40),
                "wrong secret, signature": signing(admin[0], writer[1]),
                "unknown, signature": signing("cr_unknown", admin[1]),
                "expired, signature": signing(*expired),
                "revoked, signature": signing(*revoked),
                "wrong private key": lambda method, target, body: PRIVATE.headers(
                    method, target, body=body, at=system_clock()
                ),
            },
        )
        inside.close()
    finally:
        work.close()
        store.close()


PRIVATE = PrivateKey()  # of somebody who knows the key id of another
REFUSED = (
    "nobody",
    "empty",
    "unknown",
    "expired",
    "revoked",
    "wrong secret, Basic",
    "revoked, Basic",
    "revoked, token",
    "expired token",
    "foreign token",
    "token of nobody",
    "unknown, X-Auth-Token",
    "wrong secret, signature",
    "unknown, signature",
    "expired, signature",
    "revoked, signature",
    "wrong private key",
)
ADMINS = ("admin, Basic", "admin, token", "admin, X-Auth-Token", "admin, signature", "admin, private key")


def test_no_dialect_is_missing():
    assert len(ROUTES) > 50
    assert {name for name, _ in ROUTES} - NAMING.keys() == set(), "say in NAMING how its requests name a workspace"


def test_the_public_routes_are_those_of_the_list():
    assert {route.path for _, route in ROUTES if route.public} == PUBLIC_PATHS


def test_every_caller_is_asked_about(locked: Locked):
    assert locked.callers.keys() == {*REFUSED, *ADMINS, *(role.word for role in Role), "foreign"}


@by_route([(name, route) for name, route in ROUTES if route.public and route.path not in SIGNED_URLS])
def test_a_public_route_lets_everybody_in(locked: Locked, dialect: str, route: Route):
    got = {caller: locked.status(dialect, route, caller) for caller in locked.callers}
    assert not {401, 403} & set(got.values()), got


@by_route([(name, route) for name, route in ROUTES if route.path in SIGNED_URLS])
def test_a_url_that_is_not_signed_lets_nobody_in(locked: Locked, dialect: str, route: Route):
    assert route.public
    assert {locked.status(dialect, route, caller) for caller in locked.callers} == {403}


@by_route(LOCKED)
def test_a_route_refuses_whoever_proves_nothing(locked: Locked, dialect: str, route: Route):
    got = {caller: locked.status(dialect, route, caller) for caller in REFUSED}
    assert set(got.values()) == {401}, got


@by_route(LOCKED)
def test_a_route_lets_in_whom_it_says(locked: Locked, dialect: str, route: Route):
    got = {role: locked.status(dialect, route, role.word) for role in Role}
    assert {role for role, status in got.items() if status == 403} == {role for role in Role if role < route.role}, got
    assert 401 not in got.values()


@by_route(LOCKED)
def test_a_route_takes_every_way_to_prove_who_calls(locked: Locked, dialect: str, route: Route):
    got = {caller: locked.status(dialect, route, caller) for caller in ADMINS}
    assert not {401, 403} & set(got.values()), got


@by_route(NAMED)
def test_no_route_lets_into_another_workspace(locked: Locked, dialect: str, route: Route):
    assert locked.status(dialect, route, "foreign") == 403
    assert locked.status(dialect, route, "admin", workspace=THEIRS) == 403
    assert locked.status(dialect, route, "foreign", workspace=THEIRS) not in (401, 403)


def test_writing_needs_more_than_reading():
    """A POST that only asks may be a reader's; whatever puts, patches or deletes may not."""
    changing = [route for _, route in ROUTES if route.verb in ("PUT", "PATCH", "DELETE") and not route.public]
    assert changing
    assert [route.path for route in changing if route.role < Role.WRITER] == []

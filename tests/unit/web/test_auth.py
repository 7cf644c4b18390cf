"""Who is let in: credentials, roles, workspaces; and with auth off, from where."""

from __future__ import annotations

import base64

import pytest

from stepwell.core.access import Role
from stepwell.services import credentials
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Answer, Asking


async def who(call: Call) -> Response:
    return json_response({"id": call.principal.credential_id, "role": call.principal.role.word, "in": call.workspace})


ROUTES = [
    Route("GET", "/t/read", who),
    Route("POST", "/t/write", who, Role.WRITER),
    Route("POST", "/t/admin", who, Role.ADMIN),
    Route("GET", "/version", who, public=True),
]


def basic(id_: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id_}:{secret}".encode()).decode()


def locked(*, workspace: str = "*", role: str = "admin", lifetime: str | None = None) -> tuple[Asking, str, str]:
    asking = Asking(ROUTES, required=True, prefixes=("/t/", "/version"))
    store = asking.store
    credential, secret = credentials.create(
        store,  # type: ignore[arg-type]
        asking.key,
        workspace=workspace,
        role=role,
        lifetime=lifetime,
        now=asking.now,
    )
    return asking, credential.id, secret


def read(asking: Asking, authorization: str, **headers: str) -> Answer:
    return asking.ask("GET", "/t/read", headers={"authorization": authorization, **headers})


# Credentials


def test_bearer_and_basic_name_the_same_principal():
    asking, id_, secret = locked(workspace="w", role="writer")
    expected = {"id": id_, "role": "writer", "in": "w"}
    assert read(asking, f"Bearer {secret}").json == expected
    assert read(asking, f"bearer  {secret}").json == expected
    assert read(asking, basic(id_, secret)).json == expected


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer ",
        "Bearer sw_wrong",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        basic("cr_unknown", "x"),
        "Digest abc",
        "sw_wrong",
    ],
)
def test_anything_else_is_401(authorization: str):
    asking, _, _ = locked()
    answer = read(asking, authorization)
    assert (answer.status, answer.error["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_without_a_credential_it_is_401_and_says_how():
    asking, _, _ = locked()
    answer = asking.ask("GET", "/t/read")
    assert answer.status == 401
    assert "Bearer" in answer.error["message"]


def test_a_secret_of_another_credential_is_401():
    asking, id_, _ = locked()
    _, other = credentials.create(asking.store, asking.key, workspace="w", role="reader", now=0)  # type: ignore[arg-type]
    assert read(asking, basic(id_, other)).status == 401


def test_a_revoked_credential_is_refused_within_a_second():
    asking, id_, secret = locked()
    assert read(asking, f"Bearer {secret}").status == 200
    asking.store.revoke_credential(id=id_, at=asking.now)
    asking.monotonic += 0.99
    assert read(asking, f"Bearer {secret}").status == 401


def test_an_expired_credential_is_refused():
    asking, _, secret = locked(lifetime="90d")
    assert read(asking, f"Bearer {secret}").status == 200
    asking.now += 90 * 86_400 * 10**6
    asking.monotonic += 1
    assert read(asking, f"Bearer {secret}").status == 401


def test_a_known_credential_is_not_looked_up_again_at_once():
    asking, _, secret = locked()
    read(asking, f"Bearer {secret}")
    asking.store.kept.clear()
    assert read(asking, f"Bearer {secret}").status == 200


@pytest.mark.parametrize(
    ("role", "statuses"), [("reader", (200, 403, 403)), ("writer", (200, 200, 403)), ("admin", (200, 200, 200))]
)
def test_roles(role: str, statuses: tuple[int, int, int]):
    asking, _, secret = locked(role=role)
    headers = {"authorization": f"Bearer {secret}"}
    asked = [("GET", "/t/read"), ("POST", "/t/write"), ("POST", "/t/admin")]
    assert tuple(asking.ask(verb, path, headers=headers).status for verb, path in asked) == statuses


def test_another_workspace_is_forbidden_and_a_star_spans_all():
    asking, _, secret = locked(workspace="mine")
    assert read(asking, f"Bearer {secret}").json["in"] == "mine"
    answer = read(asking, f"Bearer {secret}", **{"x-workspace": "theirs"})
    assert (answer.status, answer.error["field"]) == (403, "workspace")
    asking, _, secret = locked(workspace="*")
    assert read(asking, f"Bearer {secret}").json["in"] == "default"
    assert read(asking, f"Bearer {secret}", **{"x-workspace": "theirs"}).json["in"] == "theirs"


def test_public_routes_need_nothing_and_see_nobody():
    asking, _, _ = locked()
    assert asking.ask("GET", "/version").json == {"id": "", "role": "reader", "in": ""}
    assert asking.ask("GET", "/healthz").status == 200
    assert asking.ask("GET", "/metrics").status == 401


def test_a_route_that_claims_to_be_public_must_be_on_the_list():
    with pytest.raises(ValueError, match="list of public paths"):
        Asking([Route("GET", "/t/open", who, public=True)])


def test_a_foreign_page_cannot_use_a_basic_credential_of_the_browser():
    asking, id_, secret = locked()
    foreign = {"host": "stepwell.example", "origin": "https://evil.example"}
    answer = read(asking, basic(id_, secret), **foreign)
    assert (answer.status, answer.error["code"]) == (403, "foreign_origin")
    assert read(asking, f"Bearer {secret}", **foreign).status == 200
    own = {"host": "stepwell.example:8585", "origin": "http://Stepwell.example:8585"}
    assert read(asking, basic(id_, secret), **own).status == 200


# Auth off


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:8585",
        "127.9.9.9",
        "[::1]:8585",
        "[::1]",
        "stepwell.example",
        "stepwell.example:80",
    ],
)
def test_local_hosts_are_served(host: str):
    assert Asking(ROUTES, prefixes=("/t/", "/version")).ask("GET", "/t/read", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8585",
        "10.0.0.1",
        "[::2]",
        "127.0.0.1@evil.example",
        "localhost:8585:1",
        "localhost:",
        "",
        "local host",
        "0.0.0.0",
        "-",
    ],
)
@pytest.mark.parametrize("path", ["/t/read", "/version", "/healthz", "/t/unknown"])
def test_foreign_hosts_are_403_on_every_route(host: str, path: str):
    answer = Asking(ROUTES, prefixes=("/t/", "/version")).ask("GET", path, headers={"host": host})
    assert (answer.status, answer.error["code"]) == (403, "foreign_host")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8585", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:3000", 200),
        ("null", 403),
        ("http://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("localhost", 403),
        ("file://localhost", 403),
        ("http://localhost/path", 403),
        ("http://user@localhost", 403),
        ("", 403),
    ],
)
def test_foreign_origins_are_403(origin: str, status: int):
    asking = Asking(ROUTES, prefixes=("/t/", "/version"))
    for _ in range(2):  # the second time from what is remembered
        assert asking.ask("GET", "/t/read", headers={"origin": origin}).status == status


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic !!!", "Nonsense"])
def test_credentials_are_ignored(authorization: str):
    answer = read(Asking(ROUTES, prefixes=("/t/", "/version")), authorization)
    assert answer.json == {"id": "", "role": "admin", "in": "default"}

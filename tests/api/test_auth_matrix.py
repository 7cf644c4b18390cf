"""Every route with every kind of caller, made from the tables of routes."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving import Server, binary
from stepwell.app import dialects
from stepwell.core.access import Role
from stepwell.web import operations
from stepwell.web.counters import Counters
from stepwell.web.routing import Route

WORKSPACE_HEADERS = {"native": "X-Stepwell-Workspace", "mlflow": "X-MLFLOW-WORKSPACE"}
ROUTES: list[tuple[str, Route]] = [
    (dialect.name, route)
    for dialect in [*dialects(), operations.dialect(counters=Counters(), gauges=dict)]
    for route in dialect.routes
]


def named(value: object) -> str | None:
    return f"{value.verb} {value.path}" if isinstance(value, Route) else None


@dataclass(frozen=True)
class Locked:
    """A server that wants credentials, and credentials of every kind: name -> Authorization."""

    client: httpx.Client
    callers: dict[str, str]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    place: Path = tmp_path_factory.mktemp("matrix") / "data"

    def credential(*argv: str) -> dict[str, str]:
        command = [str(binary()), "credential", *argv, "--data-dir", str(place)]
        made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
        return made

    def create(workspace: str, role: str, *more: str) -> dict[str, str]:
        return credential("create", "--workspace", workspace, "--role", role, *more)

    callers = {"nobody": "", "unknown": "Bearer sw_" + "x" * 40}
    with Server(place, args=["--auth", "required"]) as server:
        for role in ("reader", "writer", "admin"):
            callers[role] = "Bearer " + create("mine", role)["secret"]
        callers["expired"] = "Bearer " + create("mine", "admin", "--expires", "1s")["secret"]
        revoked = create("mine", "admin")
        callers["revoked"] = "Bearer " + revoked["secret"]
        credential("revoke", revoked["id"])
        time.sleep(1.1)  # the life of the one that expires
        with httpx.Client(base_url=server.url, timeout=60) as client:
            yield Locked(client, callers)


def status(locked: Locked, route: Route, caller: str, **headers: str) -> int:
    path = re.sub(r"\{[^}]*\}", "1", route.path)
    if locked.callers[caller]:
        headers["Authorization"] = locked.callers[caller]
    body = None if route.verb == "GET" else b"{}"
    answer = locked.client.request(
        route.verb, path, content=body, headers={"Content-Type": "application/json", **headers}
    )
    assert answer.status_code < 500, answer.text
    return answer.status_code


def test_the_tables_are_not_empty():
    assert len(ROUTES) > 50


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=named)
def test_a_route_lets_in_whom_it_says(locked: Locked, dialect: str, route: Route):
    got = {caller: status(locked, route, caller) for caller in locked.callers}
    if route.public:
        assert not {401, 403} & set(got.values()), got
        return
    for caller in ("nobody", "unknown", "expired", "revoked"):
        assert got[caller] == 401, (caller, got)
    for role in Role:
        if role < route.role:
            assert got[role.word] == 403, got
        else:
            assert got[role.word] not in (401, 403), got


@pytest.mark.parametrize(
    ("dialect", "route"),
    [(dialect, route) for dialect, route in ROUTES if dialect in WORKSPACE_HEADERS and not route.public],
    ids=named,
)
def test_no_route_lets_into_another_workspace(locked: Locked, dialect: str, route: Route):
    assert status(locked, route, "admin", **{WORKSPACE_HEADERS[dialect]: "theirs"}) == 403
    assert status(locked, route, "admin", **{WORKSPACE_HEADERS[dialect]: "mine"}) not in (401, 403)


def test_writing_needs_more_than_reading():
    """A POST that only asks may be a reader's; whatever puts, patches or deletes may not."""
    changing = [route for _, route in ROUTES if route.verb in ("PUT", "PATCH", "DELETE")]
    assert changing
    assert [route.path for route in changing if route.role < Role.WRITER] == []

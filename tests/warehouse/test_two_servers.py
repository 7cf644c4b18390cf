"""Two servers of one warehouse: what one has acknowledged, the other knows (docs/explanation/consistency.md)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Server

NATIVE = "/api/v1"
WITHIN = 1.0  # seconds: what a server may remember of credentials and aliases
LOSS = {"metric": "loss", "steps": [0, 1, 2], "values": [3.0, 2.0, 1.0], "times_us": [10, 20, 30]}


@pytest.fixture
def clients(pair: tuple[Server, Server]) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """One for each server."""
    with ExitStack() as opened:
        one, two = (opened.enter_context(httpx.Client(base_url=server.url, timeout=120)) for server in pair)
        yield one, two


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def both_ways(clients: tuple[httpx.Client, httpx.Client]) -> list[tuple[httpx.Client, httpx.Client]]:
    return [clients, clients[::-1]]


def test_whatever_one_writes_the_other_reads_at_once(clients: tuple[httpx.Client, httpx.Client]) -> None:
    for number in range(10):
        for name, (here, there) in zip(("to", "fro"), both_ways(clients), strict=True):
            run = f"run-{name}-{number}"
            good(here.post(f"{NATIVE}/runs", json={"id": run, "params": {"lr": "0.1"}}))
            assert good(there.get(f"{NATIVE}/runs/{run}"))["params"] == {"lr": "0.1"}
            good(here.post(f"{NATIVE}/runs/{run}/points", json={"series": [LOSS]}))
            found = good(there.get(f"{NATIVE}/runs/{run}/points", params={"metric": "loss"}))
            assert (found["steps"], found["values"]) == ([0, 1, 2], [3.0, 2.0, 1.0])
            more = {**LOSS, "steps": [3, 1], "values": [0.5, 9.0], "times_us": [40, 20]}
            good(there.post(f"{NATIVE}/runs/{run}/points", json={"series": [more]}))  # goes on where the other was
            found = good(here.get(f"{NATIVE}/runs/{run}/points", params={"metric": "loss"}))
            assert (found["steps"], found["values"]) == ([0, 1, 1, 2, 3], [3.0, 2.0, 9.0, 1.0, 0.5])
            asked = {"filter": "max(metrics.loss) > 8", "experiment_ids": [0]}
            assert run in good(there.post(f"{NATIVE}/runs/search", json=asked))["runs"]["id"]
            good(there.delete(f"{NATIVE}/runs/{run}", params={"purge": "true"}))
            assert here.get(f"{NATIVE}/runs/{run}").status_code == 404


def test_a_retry_through_the_other_server_stores_nothing_twice(clients: tuple[httpx.Client, httpx.Client]) -> None:
    here, there = clients
    good(here.post(f"{NATIVE}/runs", json={"id": "r"}))
    for client in (here, there, here, there):
        good(client.post(f"{NATIVE}/runs/r/points", json={"series": [LOSS]}))
    for client in clients:
        assert good(client.get(f"{NATIVE}/runs/r/points", params={"metric": "loss"}))["steps"] == [0, 1, 2]


def test_a_page_follows_a_run_through_whichever_server(clients: tuple[httpx.Client, httpx.Client]) -> None:
    """The cursor of live updates, taken from one server, goes on at the other, and misses and repeats nothing."""
    good(clients[0].post(f"{NATIVE}/runs", json={"id": "r"}))
    since, seen = None, []
    for number in range(12):
        writer, reader = both_ways(clients)[number % 2]
        late = {**LOSS, "steps": [100 - number], "values": [float(number)], "times_us": [number]}
        good(writer.post(f"{NATIVE}/runs/r/points", json={"series": [late]}))
        asked = {"run_id": "r", "metric": "loss", **({"since": since} if since else {})}
        (found,) = good(reader.post(f"{NATIVE}/deltas", json={"series": [asked]}))["series"]
        since = found["since"]
        seen += found["points"]["values"]
        assert seen == [float(each) for each in range(number + 1)]


def test_files_of_one_are_read_from_the_other(clients: tuple[httpx.Client, httpx.Client]) -> None:
    for number, (here, there) in enumerate(both_ways(clients)):
        run = f"r{number}"
        good(here.post(f"{NATIVE}/runs", json={"id": run}))
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model/weights.bin"
        for content in (bytes(range(256)) * 2_000, b"replaced"):
            good(here.put(path, content=content))
            assert there.get(path).content == content


def test_a_name_is_given_once_however_many_ask(clients: tuple[httpx.Client, httpx.Client]) -> None:
    path = f"{NATIVE}/experiments"
    with ThreadPoolExecutor(8) as pool:
        for number in range(5):
            asked = [pool.submit(client.post, path, json={"name": f"e{number}"}) for client in clients * 4]
            statuses = sorted(each.result().status_code for each in asked)
            assert (statuses[0] // 100, statuses[1:]) == (2, [409] * 7)
    for client in clients:
        names = good(client.get(path))["experiments"]["name"]
        assert sorted(names) == ["Default", *(f"e{number}" for number in range(5))]


# --- what a server remembers ------------------------------------------------------------------------------------------


@pytest.fixture
def locked(store: str, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that want credentials."""
    flags = ("--auth", "required")
    one, two = (Server(tmp_path / name, store=store, args=flags) for name in ("one", "two"))
    with one, two:
        yield one, two


def told(server: Server, *argv: str) -> dict[str, Any]:
    """What a command prints, which works on the warehouse itself."""
    command = [str(server.program), *argv, *server.place]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused_within(seconds: float, url: str, headers: Mapping[str, str]) -> bool:
    """Whether the last answer that let somebody in had begun within some seconds from now."""
    begun, last = time.monotonic(), 0.0
    while True:
        asked = time.monotonic()
        answer = httpx.get(url, headers=headers, timeout=60)
        if answer.status_code == 401:
            return last <= seconds
        assert answer.status_code == 200, answer.text
        last = asked - begun


def test_a_credential_holds_at_every_server_and_its_end_too(locked: tuple[Server, Server]) -> None:
    made = told(locked[0], "credential", "create", "--workspace", "*", "--role", "admin")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    for server in locked:
        assert httpx.get(f"{server.url}{NATIVE}/experiments", headers=headers, timeout=60).status_code == 200
    grant = {"grant_type": "client_credentials"}
    issued = good(httpx.post(f"{locked[0].url}/oauth/token", data=grant, auth=(made["id"], made["secret"]), timeout=60))
    token = {"Authorization": f"Bearer {issued['access_token']}"}  # signed with a key that both have
    assert httpx.get(f"{locked[1].url}{NATIVE}/experiments", headers=token, timeout=60).status_code == 200
    told(locked[0], "credential", "revoke", made["id"])
    for server in locked:
        for shown in (headers, token):
            assert refused_within(WITHIN, f"{server.url}{NATIVE}/experiments", shown)


def test_an_alias_holds_at_every_server_within_its_time(pair: tuple[Server, Server]) -> None:
    one, two = pair
    for server in pair:  # both have looked before
        httpx.get(f"{server.url}/v2/lm/metrics", headers={"AI-Resource-Group": "g"}, timeout=60)
    team = {"X-Stepwell-Workspace": "team"}
    good(httpx.post(f"{one.url}{NATIVE}/runs", json={"id": "run-r"}, headers=team, timeout=60))
    metric = {"name": "loss", "value": 0.5, "timestamp": "2026-01-01T00:00:00Z", "step": 1}
    told(one, "workspace", "alias", "sap", "g", "team")
    time.sleep(WITHIN)
    body = {"executionId": "run-r", "metrics": [metric]}
    for server in (two, one):
        written = httpx.patch(f"{server.url}/v2/lm/metrics", json=body, headers={"AI-Resource-Group": "g"}, timeout=60)
        assert written.is_success, written.text
    found = httpx.get(
        f"{one.url}{NATIVE}/runs/run-r/points",
        params={"metric": "loss"},
        headers={"X-Stepwell-Workspace": "team"},
        timeout=60,
    )
    assert good(found)["values"] == [0.5, 0.5]


# --- starting ---------------------------------------------------------------------------------------------------------


def test_no_passwords_are_shown_or_logged(store: str, tmp_path: Path) -> None:
    hidden = store.replace("postgres%40", "postgres:hidden%40").replace("postgres@", "postgres:hidden@")
    assert "hidden" in hidden
    with Server(tmp_path / "one", store=hidden, args=["--log-level", "debug"]) as server:
        assert httpx.get(f"{server.url}{NATIVE}/experiments", timeout=60).status_code == 200
    assert "hidden" not in server.log()
    assert "Store: warehouse (clickhouse 127.0.0.1:" in server.log()
    wrong = subprocess.run(
        [str(server.program), "restore", "somewhere", "--store", hidden], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, "hidden" in wrong.stdout + wrong.stderr) == (2, False)

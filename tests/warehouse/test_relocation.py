"""`stepwell migrate-store`: everything of a directory is in the warehouse afterwards, whatever came between."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from serving import READY_WITHIN, Server, binary
from stepwell.storage.warehouse import Address
from warehouse.making import make
from warehouse.trainers import Trainer, assert_whole

NATIVE = "/api/v1"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
MANY = 40_000  # points of the long run
BEGUN = "SELECT to_regclass('filling') IS NOT NULL"  # a move into this warehouse, and not at its end
pytestmark = pytest.mark.slow


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def move(source: Path, store: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary()), "migrate-store", "--from", str(source), "--to", store],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * READY_WITHIN,
    )


def fill(url: str, secret: str) -> None:
    """Something of everything, with gaps in its numbers."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=120) as api:
        number = good(api.post(f"{NATIVE}/experiments", json={"name": "ä\0b"[:1] + " experiment", "tags": {"k": "v"}}))[
            "id"
        ]
        for run in ("gone", "short", "long", "empty"):
            new = {"id": run, "experiment_id": number, "params": {"lr": "0.1"}, "tags": {"t": "\u0001\u0002x"}}
            good(api.post(f"{NATIVE}/runs", json={**new, "note": f"of {run}"}))
        good(api.post(f"{NATIVE}/runs/gone/points", json={"series": [series(0, 10)]}))
        good(api.delete(f"{NATIVE}/runs/gone", params={"purge": "true"}))
        odd = {"metric": "odd", "steps": [3, 1, 1], "values": ["NaN", "-Infinity", -0.0], "times_us": [5, 5, 5]}
        labelled = {**series(0, 3), "labels": {"worker": "1"}}
        good(api.post(f"{NATIVE}/runs/short/points", json={"series": [odd, labelled, series(5, 3)]}))
        for begin in range(0, MANY, 10_000):
            good(api.post(f"{NATIVE}/runs/long/points", json={"series": [series(begin, 10_000)]}))
        good(api.post(f"{NATIVE}/runs/short/points", json={"series": [series(0, 5)]}))  # late ones
        good(api.put(f"{FILES}/{number}/short/artifacts/model/a.bin", content=bytes(range(256)) * 5_000))
        good(api.put(f"{FILES}/{number}/short/artifacts/b.txt", content=b"text"))


def series(begin: int, count: int) -> dict[str, Any]:
    steps = list(range(begin, begin + count))
    return {"metric": "loss", "steps": steps, "values": [step / 7 for step in steps], "times_us": steps}


QUESTIONS: tuple[tuple[str, str, Any], ...] = (
    ("GET", f"{NATIVE}/experiments", None),
    ("GET", f"{NATIVE}/runs/short", None),
    ("GET", f"{NATIVE}/runs/long", None),
    ("GET", f"{NATIVE}/runs/short/series", None),
    ("GET", f"{NATIVE}/runs/short/points?metric=loss&since=", None),
    ("GET", f"{NATIVE}/runs/short/points?metric=odd", None),
    ("GET", f"{NATIVE}/runs/long/points?metric=loss&limit=10000", None),
    ("GET", f"{NATIVE}/audit?limit=100", None),
    (
        "POST",
        f"{NATIVE}/runs/search",
        {"filter": "min(metrics.loss) = 0", "columns": {"metrics": ["loss"], "params": "*"}},
    ),
    ("POST", f"{NATIVE}/summaries", {"run_ids": ["short", "long"]}),
    ("GET", f"{FILES}?path=1/short/artifacts", None),
    ("GET", f"{FILES}/1/short/artifacts/model/a.bin", None),
    ("GET", "/api/2.0/mlflow/runs/get?run_id=long", None),
)


def answers(url: str, secret: str) -> list[tuple[int, bytes]]:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=120) as api:
        found = [api.request(verb, path, json=body) for verb, path, body in QUESTIONS]
    assert [each.status_code for each in found] == [200] * len(QUESTIONS), [each.text[:200] for each in found]
    return [(each.status_code, each.content) for each in found]


def credential(server: Server) -> dict[str, str]:
    command = [str(server.program), "credential", "create", "--workspace", "*", "--role", "admin", *server.place]
    made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return made


def test_a_directory_is_moved_while_it_is_served(store: str, tmp_path: Path) -> None:
    locked = ("--auth", "required")
    with Server(tmp_path / "data", args=locked) as old:
        made = credential(old)
        fill(old.url, made["secret"])
        grant = {"grant_type": "client_credentials"}
        issued = httpx.post(f"{old.url}/oauth/token", data=grant, auth=(made["id"], made["secret"]), timeout=60)
        moved = move(tmp_path / "data", store)
        assert (moved.returncode, moved.stdout.startswith("everything is in the warehouse")) == (0, True), moved.stderr
        assert "points to bring and compare" in moved.stderr
        before = answers(old.url, made["secret"])
    with Server(tmp_path / "new", store=store, args=locked) as new:
        assert answers(new.url, made["secret"]) == before
        token = {"Authorization": f"Bearer {good(issued)['access_token']}"}  # the key came along
        assert httpx.get(f"{new.url}{NATIVE}/experiments", headers=token, timeout=60).status_code == 200
        with httpx.Client(base_url=new.url, headers=token, timeout=60) as api:
            good(api.post(f"{NATIVE}/runs", json={"id": "later"}))  # numbers go on
            for run in ("later", "long", "gone"):
                if run == "gone":
                    good(api.post(f"{NATIVE}/runs", json={"id": run}))
                good(api.post(f"{NATIVE}/runs/{run}/points", json={"series": [series(MANY - 5, 10)]}))
            found = good(api.get(f"{NATIVE}/runs/long/points", params={"metric": "loss", "min_step": MANY - 2}))
            assert found["steps"] == list(range(MANY - 2, MANY + 5))
            assert len(good(api.get(f"{NATIVE}/runs/gone/points", params={"metric": "loss"}))["steps"]) == 10
    again = move(tmp_path / "data", store)
    assert (again.returncode, "holds data already" in again.stderr) == (1, True), again.stderr


def test_a_move_that_is_killed_goes_on(clickhouse_server: str, postgres_server: str, tmp_path: Path) -> None:
    store = make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path / "files").url
    with Server(tmp_path / "data") as old:
        fill(old.url, "any")
        before = answers(old.url, "any")
    with psycopg.connect(Address.of(store).catalog, autocommit=True) as connection:

        def holds(told: str) -> bool:
            found = connection.execute(told.encode()).fetchone()
            return found is not None and bool(found[0])

        for stage in (BEGUN, "SELECT count(*) > 0 FROM run", "SELECT max(next_arrival) > 0 FROM run"):
            command = [str(binary()), "migrate-store", "--from", str(tmp_path / "data"), "--to", store]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not holds(stage):
                time.sleep(0.002)
            process.kill()
            process.wait()
            if not holds(BEGUN):  # we were held up until the move was at its end
                break
        goes_on = holds(BEGUN)
    moved = move(tmp_path / "data", store)
    assert moved.returncode == (0 if goes_on else 1), moved.stderr
    with Server(tmp_path / "new", store=store) as new:
        assert answers(new.url, "any") == before


def test_a_warehouse_that_is_being_filled_is_not_served(store: str, tmp_path: Path) -> None:
    with psycopg.connect(Address.of(store).catalog, autocommit=True) as connection:
        connection.execute('CREATE TABLE filling (source text COLLATE "C" NOT NULL)')
        connection.execute("INSERT INTO filling VALUES ('/elsewhere')")
    refused = Server(tmp_path / "early", store=store).start(wait=False)
    assert refused.wait() == 2
    assert "let `stepwell migrate-store` end first" in refused.log()
    with Server(tmp_path / "data"):
        pass
    other = move(tmp_path / "data", store)
    assert (other.returncode, "is being filled from '/elsewhere'" in other.stderr) == (1, True), other.stderr


@pytest.mark.long
def test_what_is_written_meanwhile_is_noticed_and_comes_with_the_next_move(store: str, tmp_path: Path) -> None:
    with Server(tmp_path / "data") as old:
        trainer = Trainer([old.port], 0)
        trainer.start()
        try:
            meanwhile = move(tmp_path / "data", store)
        finally:
            trainer.end.set()
            trainer.join(READY_WITHIN)
        assert (meanwhile.returncode, "run the same command again" in meanwhile.stderr) == (1, True), meanwhile.stderr
        last = move(tmp_path / "data", store)
        assert last.returncode == 0, last.stderr
    with Server(tmp_path / "new", store=store) as new:
        assert_whole([new.port], [trainer])

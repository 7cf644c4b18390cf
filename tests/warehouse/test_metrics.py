"""What Prometheus hears of a server of a warehouse, also while one of its databases is away."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Server, binary
from warehouse.test_server_faults import Databases, databases, until  # noqa: F401  the fixture

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
OF_POSTGRESQL = {"stepwell_head_points", "stepwell_journal_rows", "stepwell_database_bytes"}
OF_DATABASES = {"stepwell_postgresql_up", "stepwell_clickhouse_up"}
SCRAPE_SECONDS = 10.0  # for which Prometheus waits


def told(server: Server, secret: str = "") -> dict[str, float]:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    answer = httpx.get(f"{server.url}/metrics", headers=headers, timeout=SCRAPE_SECONDS)
    assert answer.status_code == 200, answer.text
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", answer.text, re.MULTILINE)}


def up(server: Server, secret: str = "") -> tuple[float, float]:
    found = told(server, secret)
    return found["stepwell_postgresql_up"], found["stepwell_clickhouse_up"]


def test_the_reference_has_what_a_warehouse_tells(pair: tuple[Server, Server], tmp_path: Path) -> None:
    text = PAGE.read_text().partition("\n## Warehouse\n")[2].partition("\n## ")[0]
    with Server(tmp_path / "alone") as alone:
        own = set(told(pair[0])) - set(told(alone))
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(own)


def test_it_is_told_while_a_database_is_away(databases: Databases, tmp_path: Path) -> None:  # noqa: F811
    with Server(tmp_path / "one", store=databases.store) as server:
        before = told(server)
        assert before.keys() >= OF_POSTGRESQL | OF_DATABASES
        assert up(server) == (1, 1)
        databases.clickhouse.kill()
        until(lambda: up(server) == (1, 0), "ClickHouse is told as away")
        databases.postgres.kill()
        until(lambda: up(server) == (0, 0), "PostgreSQL is told as away")
        found = told(server)
        assert before.keys() - found.keys() == OF_POSTGRESQL
        assert found["stepwell_read_only"] == 1
        assert httpx.post(f"{server.url}/api/v1/runs", json={"id": "r"}, timeout=60).status_code == 503
        databases.postgres.start()
        until(lambda: up(server) == (1, 0), "PostgreSQL is told as back")
        databases.clickhouse.start()
        until(lambda: up(server) == (1, 1), "ClickHouse is told as back")
        until(lambda: told(server).keys() == before.keys(), "all is told")
        assert "Traceback" not in server.log()


def test_who_was_let_in_before_is_told_while_nobody_can_be_looked_up(
    databases: Databases,  # noqa: F811
    tmp_path: Path,
) -> None:
    with Server(tmp_path / "one", args=("--auth", "required"), store=databases.store) as server:
        reader = ("credential", "create", "--workspace", "*", "--role", "reader")
        known, other, revoked = (beside(server, *reader) for _ in range(3))
        for each in (known, revoked):
            assert up(server, each["secret"]) == (1, 1)
        beside(server, "credential", "revoke", revoked["id"])
        time.sleep(1.0)
        assert status(server, revoked["secret"]) == 401
        databases.postgres.kill()
        until(lambda: status(server, known["secret"]) == 200 and up(server, known["secret"]) == (0, 1), "told as away")
        for each in (other, revoked):
            assert status(server, each["secret"]) == 503
        runs = httpx.get(
            f"{server.url}/api/v1/runs/r", headers={"authorization": f"Bearer {known['secret']}"}, timeout=60
        )
        assert runs.status_code == 503


def beside(server: Server, *words: str) -> Any:
    """What a command tells beside a server."""
    command = [str(binary()), *words, *server.place]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def status(server: Server, secret: str) -> int:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.get(f"{server.url}/metrics", headers=headers, timeout=60).status_code


def test_many_who_ask_do_not_wait_one_after_the_other(databases: Databases, tmp_path: Path) -> None:  # noqa: F811
    """All are looked up by one thread: it waits for a database that is away once, and not for each of them."""
    with Server(tmp_path / "one", args=("--auth", "required"), store=databases.store) as server:
        databases.postgres.kill()
        begin = time.monotonic()
        with httpx.Client(base_url=server.url, timeout=120) as client:
            for number in range(8):
                answer = client.get("/api/v1/runs/r", headers={"authorization": f"Bearer {number}"})
                assert answer.status_code == 503
        assert time.monotonic() - begin < 25  # 5 for each would be 40

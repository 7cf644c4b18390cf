"""What an answer costs: the rows that it takes from the store, counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from inside import Inside
from stepwell.app import build_app
from stepwell.core.page import Page
from stepwell.core.store import Store
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web.work import Work

PROJECT = "p"
COUNTED = ("read_lines", "read_numbered_lines", "search_runs", "get_runs")


class Counting:
    """A store that counts the lines and runs that are read from it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return self._counted(method) if name in COUNTED else method

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def read(**given: Any) -> Any:
            found = method(**given)
            self.rows += len(found.items if isinstance(found, Page) else found)
            return found

        return read


class Asking:
    """A server without sockets, and what its answers cost."""

    def __init__(self, inside: Inside, counting: Counting) -> None:
        self._inside = inside
        self._counting = counting

    def post(self, path: str, body: bytes, **headers: str) -> Any:
        answer = self._inside.ask("POST", path, body=body, headers=headers)
        assert answer.status == 200, answer.body
        return answer

    def create(self, name: str = "a run", **more: Any) -> int:
        body = json.dumps({"runName": name, "projectName": PROJECT, **more}).encode()
        return int(self.post("/api/runs/create", body, **{"content-type": "application/json"}).json["runId"])

    def get(self, path: str, **query: Any) -> tuple[Any, int]:
        """The answer, and how many rows were read for it."""
        before = self._counting.rows
        answer = self._inside.ask("GET", f"{path}?{urlencode({'projectName': PROJECT, **query})}")
        assert answer.status == 200, answer.body
        return answer.json, self._counting.rows - before


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    store, work = open_store(tmp_path / "data", clock=lambda: 1_700_000_000_000_000), Work()
    counting = Counting(store)
    inside = Inside(build_app(Settings(data_dir=tmp_path / "data"), cast("Store", counting), work=work))
    yield Asking(inside, counting)
    inside.close()
    work.close()
    store.close()


def test_a_page_of_lines_reads_its_lines(asking: Asking) -> None:
    run = asking.create()
    kinds = ("INFO", "ERROR")
    lines = [
        {"time": 1000 - number, "message": f"{kind} {number}", "lineNumber": number, "logType": kind}
        for number in range(300)
        for kind in kinds
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    asking.post("/ingest/logs", body, **{"x-run-id": str(run), "x-project-name": PROJECT})
    for query, expected in (({}, lines), *(({"logType": kind}, lines[kinds.index(kind) :: 2]) for kind in kinds)):
        seen: list[Any] = []
        for offset in range(0, len(expected) + 50, 50):
            found, cost = asking.get("/api/runs/logs", runId=run, limit=50, offset=offset, **query)
            assert found["total"] == len(expected)
            assert cost <= len(found["logs"]) + 1  # and the run
            seen += found["logs"]
        assert [line["lineNumber"] for line in seen] == [line["lineNumber"] for line in expected]
        assert {line["message"] for line in seen} == {line["message"] for line in expected}
        assert len(seen) == len(expected)

"""What an answer costs: the rows that it takes from the store, counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
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

pytestmark = pytest.mark.slow  # long histories

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

    def send(self, path: str, **fields: Any) -> Any:
        return self.post(path, json.dumps(fields).encode(), **{"content-type": "application/json"}).json

    def create(self, name: str = "a run", **more: Any) -> int:
        return int(self.send("/api/runs/create", runName=name, projectName=PROJECT, **more)["runId"])

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


# --- console lines ----------------------------------------------------------------------------------------------------


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


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def names(asking: Asking) -> list[str]:
    """Sixty runs, the oldest first. Of three each one has failed and one was cancelled; every fifth has two tags."""
    made = [f"Run {number:02}%" for number in range(60)]
    for number, name in enumerate(made):
        tags = ["fifth", "group:x"] if number % 5 == 0 else [f"tag {number}"]
        run = asking.create(name, createdAt=1_600_000_000_000 + number, tags=tags)
        if status := ("FAILED", "CANCELLED", "")[number % 3]:
            asking.send("/api/runs/status/update", runId=run, status=status)
    return made


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, range(59, -1, -1)),
        ({"sort": "-createdAt"}, range(59, -1, -1)),
        ({"sort": "created_at"}, range(60)),
        ({"sort": "name"}, range(60)),
        ({"search": "rUN 0", "sort": "name"}, range(10)),
        ({"search": "none"}, ()),
        ({"search": "\0"}, ()),
        ({"status": "FAILED", "sort": "-name"}, range(57, -1, -3)),
        ({"status": "RUNNING", "sort": "createdAt", "search": "run"}, range(2, 60, 3)),
        ({"status": "CANCELLED,TERMINATED", "sort": "createdAt"}, range(1, 60, 3)),
        ({"status": " , "}, ()),
        ({"tags": "fifth", "sort": "createdAt"}, range(0, 60, 5)),
        ({"tags": "mlflow.note.content"}, ()),
    ],
)
def test_a_page_of_runs_reads_its_runs(
    asking: Asking, names: list[str], query: dict[str, str], wanted: Sequence[int]
) -> None:
    seen: list[str] = []
    for offset in range(0, 70, 10):
        answer, cost = asking.get("/api/runs/list", limit=10, offset=offset, **query)
        assert answer["total"] == len(wanted)
        assert cost <= 2 * len(answer["runs"]) + 1  # found, then read; and the last one, which may lack a start
        seen += [run["name"] for run in answer["runs"]]
    assert seen == [names[number] for number in wanted]


@pytest.mark.parametrize(
    ("query", "wanted", "looked_at"),
    [
        ({"tags": "fifth, group:x"}, range(0, 60, 5), 24),
        ({"tags": "tag 1,tag 2"}, (1, 2), 2),
        ({"tags": ",".join(f"tag {number}" for number in range(30))}, [n for n in range(30) if n % 5], 60),
        ({"status": "CANCELLED"}, range(1, 60, 3), 20),
        ({"search": "1%"}, range(1, 60, 10), 15),
        ({"status": "FAILED", "filter": '{"name": {"$regex": " 0"}}'}, range(0, 10, 3), 20),
        ({"tags": "fifth", "sort": "updatedAt"}, range(0, 60, 5), 12),
    ],
)
def test_a_list_that_has_to_look_at_runs_looks_at_few(
    asking: Asking, names: list[str], query: dict[str, str], wanted: Sequence[int], looked_at: int
) -> None:
    answer, cost = asking.get("/api/runs/list", **{"limit": 200, "sort": "createdAt", **query})
    assert {run["name"] for run in answer["runs"]} == {names[number] for number in wanted}
    assert answer["total"] == len(answer["runs"]) == len(wanted)
    assert cost <= looked_at + len(wanted) + 1


def test_runs_whose_start_is_not_known_stand_by_their_making(asking: Asking) -> None:
    """Other interfaces make such runs; the store sorts them behind all others."""
    asking.create("old", createdAt=1)
    asking.create("future", createdAt=1_800_000_000_000)
    (project,) = asking.get("/api/runs/projects")[0]["projects"]
    asking.send("/api/2.0/mlflow/runs/create", experiment_id=str(project["id"]), run_name="now")
    for sort, order in (("-createdAt", ["future", "now", "old"]), ("createdAt", ["old", "now", "future"])):
        answer, _ = asking.get("/api/runs/list", sort=sort)
        assert [run["name"] for run in answer["runs"]] == order
        assert asking.get("/api/runs/list", sort=sort, limit=1, offset=1)[0]["runs"][0]["name"] == "now"


def test_projects_are_counted_by_the_store(asking: Asking, names: list[str]) -> None:
    answer, cost = asking.get("/api/runs/projects")
    assert [(each["name"], each["runCount"]) for each in answer["projects"]] == [(PROJECT, len(names))]
    assert cost == 0

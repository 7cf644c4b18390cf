"""What requests cost, told by counts: statements, commits, blocks opened. None grows with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from stepwell import app
from stepwell.core.buckets import Buckets
from stepwell.core.model import Columns, RunRow
from stepwell.core.series import I64, Points
from stepwell.core.store import Store
from stepwell.storage import open_store
from stepwell.storage.catalog import run_rows, searching
from stepwell.storage.catalog.live import Live, LiveValues
from stepwell.storage.catalog.sql import Connection
from stepwell.storage.embedded import blocks, flushing, nodes, reading, tiles
from stepwell.web.within import Within

MLFLOW = "/api/2.0/mlflow"
# What is looked up again after some seconds, whatever is asked, and the frame of a snapshot.
BESIDE = ("FROM workspace_alias", "FROM bound", "BEGIN", "ROLLBACK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one request: the statements that were run, one by one."""

    statements: list[str]
    commits: int
    opened: int

    def __len__(self) -> int:
        return len(self.statements)

    @property
    def kinds(self) -> set[str]:
        """Each statement once, however often it was run."""
        return set(self.statements)


class Server:
    """A server in this process that moves nothing by itself."""

    def __init__(self, within: Within, store: Store, statements: list[str]) -> None:
        self._within = within
        self._statements = statements
        self.store = store

    def ask(self, verb: str, path: str, body: object = None, **headers: str) -> Any:
        """The answer as JSON."""
        return json.loads(self._asked(verb, path, body, headers) or b"null")

    def cost(self, verb: str, path: str, body: object = None, **headers: str) -> Cost:
        """Of the request, when it is asked for the first time."""
        before = self.store.stats().counters
        self._statements.clear()
        self._asked(verb, path, body, headers)
        told = [text for text in self._statements if not text.startswith(BESIDE) and not any(x in text for x in BESIDE)]
        after = self.store.stats().counters
        return Cost(
            statements=told,
            commits=int(after["commits"] - before["commits"]),
            opened=int(after["blocks_read"] - before["blocks_read"]),
        )

    def _asked(self, verb: str, path: str, body: object, headers: dict[str, str]) -> bytes:
        content = [] if body is None else [json.dumps(body).encode()]
        given = {"Content-Type": "application/json", "Content-Length": str(len(content[0]))} if content else {}
        answer: list[bytes] = []
        status, _ = self._within.ask(verb, path, {**given, **headers}, content, lambda _, piece: answer.append(piece))
        assert status < 300, b"".join(answer)
        return b"".join(answer)

    def run(self, name: str, **fields: object) -> str:
        """The id of a new run."""
        return str(self.ask("POST", "/api/v1/runs", {"id": name, "experiment_id": 0, **fields})["run"]["id"])

    def add(self, run: str, metric: str, steps: range) -> None:
        """Points of one series."""
        series = [{"metric": metric, "steps": list(steps), "values": [step * 7919 % 1009 / 8 for step in steps]}]
        self.ask("POST", f"/api/v1/runs/{run}/points", {"series": series})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Some thousand points of a series are a forest of blocks, as millions are elsewhere."""
    for module in (blocks, flushing):
        monkeypatch.setattr(module, "POINTS", 32)
    monkeypatch.setattr(blocks, "NODES_FROM", 8)
    monkeypatch.setattr(nodes, "WIDTH", 4)
    monkeypatch.setattr(tiles, "FIRST", 4)
    monkeypatch.setattr(tiles, "NODES", 8)
    monkeypatch.setattr(reading, "EXACT_BELOW", 16)
    monkeypatch.setattr(reading, "WIDTH", 4)
    statements: list[str] = []
    stores: list[Store] = []

    def told(_cursor: object, text: str, _bindings: object) -> bool:
        statements.append(text)
        return True

    def traced(connection: apsw.Connection) -> None:
        connection.exec_trace = told

    def opened(directory: Path, **named: Any) -> Store:
        stores.append(open_store(directory, **named, background=False))
        return stores[0]

    monkeypatch.setattr(app, "open_store", opened)
    hooks = apsw.connection_hooks
    hooks.append(traced)
    try:
        with app.opened(tmp_path / "data", make=True) as within:
            yield Server(within, stores[0], statements)
    finally:
        hooks.remove(traced)


def long_series(server: Server, name: str, points: int) -> str:
    run = server.run(name)
    for at in range(0, points, 500):
        server.add(run, "loss", range(at, at + 500))
        server.store.flush()
    return run


def chart(run: str, low: int, high: int) -> dict[str, Any]:
    return {
        "series": [{"run_id": run, "metric": "loss"}],
        "budget": 20,
        "window": {"min_step": low, "max_step": high},
    }


def test_a_chart_costs_the_same_of_a_long_series(server: Server) -> None:
    costs = {}
    for points in (2_000, 8_000):
        run = long_series(server, f"r{points}", points)
        whole = server.cost("POST", "/api/v1/buckets", chart(run, 0, points))
        zoomed = server.cost("POST", "/api/v1/buckets", chart(run, points // 3, points // 2))
        moved = server.cost("POST", "/api/v1/buckets", chart(run, points // 3 + 40, points // 2 + 40))
        again = server.cost("POST", "/api/v1/buckets", chart(run, points // 3, points // 2))
        costs[points] = (whole, zoomed, moved, again)
        assert again.opened == 0
        assert max(len(whole), len(zoomed)) <= len(again) + 12
        assert whole.opened <= 10
        assert zoomed.opened <= 10
        assert moved.opened <= 4, "what both windows hold is there already"
    short, long = costs[2_000], costs[8_000]
    assert len(short[-1]) == len(long[-1]) == 8
    assert sum(cost.opened for cost in long) <= sum(cost.opened for cost in short) + 4


def test_a_page_of_charts_is_one_read(server: Server) -> None:
    runs = [server.run(f"r{number}") for number in range(60)]
    for run in runs:
        server.add(run, "loss", range(40))
    server.store.flush()
    costs = [
        server.cost("POST", "/api/v1/buckets", {"series": [{"run_id": run, "metric": "loss"} for run in some]})
        for some in (runs[:10], runs)
    ]
    few, many = costs
    assert few.kinds <= many.kinds
    extra = [text for text in many.kinds if "block_" not in text.lower()]
    assert len(extra) <= 8
    of_series = (len(many) - many.opened) - (len(few) - few.opened)
    assert of_series <= 3 * 50, "of each series no more than its run, twice, and its key"


def test_short_series_of_a_chart_are_made_together(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [server.run(f"r{number}") for number in range(40)]
    for number, run in enumerate(runs):
        server.add(run, "loss", range(number, 10 + number))
    runs.insert(7, long_series(server, "long", 1_000))
    monkeypatch.setattr(reading, "EXACT_BELOW", 250)
    lengths: list[int] = []
    made = Buckets.of.__func__  # type: ignore[attr-defined]

    def of(cls: type[Buckets], points: Points, edges: I64) -> Buckets:
        lengths.append(len(points))
        return cast("Buckets", made(cls, points, edges))

    monkeypatch.setattr(Buckets, "of", classmethod(of))

    def chart_of(some: list[str]) -> list[Any]:
        asked = {"series": [{"run_id": run, "metric": "loss"} for run in some], "budget": 4}
        return list(server.ask("POST", "/api/v1/buckets", asked)["series"])

    together = chart_of(runs)
    assert lengths == [250, 150], "as many passes as points need, not one for each run"
    assert together == [chart_of([run])[0] for run in runs]


def test_a_write_is_one_statement_and_one_commit(server: Server) -> None:
    run = server.run("r")
    at = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1}
    server.ask("POST", f"{MLFLOW}/runs/log-metric", {**at, "step": 0})
    one = server.cost("POST", f"{MLFLOW}/runs/log-metric", {**at, "step": 1})
    keys = [f"m{number}" for number in range(10)]

    def batch(first: int) -> dict[str, object]:
        return {
            "run_id": run,
            "metrics": [
                {"key": key, "value": 0.5, "timestamp": 1, "step": step}
                for step in range(first, first + 100)
                for key in keys
            ],
        }

    server.ask("POST", f"{MLFLOW}/runs/log-batch", batch(0))
    thousand = server.cost("POST", f"{MLFLOW}/runs/log-batch", batch(100))
    for cost in (one, thousand):
        assert [text.split()[:3] for text in cost.statements] == [["INSERT", "INTO", "journal"], ["COMMIT"]]
        assert (cost.commits, cost.opened) == (1, 0)


def test_a_page_of_history_costs_what_it_shows(server: Server) -> None:
    costs = []
    for points in (1_000, 4_000):
        run = long_series(server, f"r{points}", points)
        path = f"{MLFLOW}/metrics/get-history?run_id={run}&metric_key=loss&max_results=20"
        costs.append(server.cost("GET", path))
    for cost in costs:
        assert cost.opened <= 2
        assert len(cost) <= 13
    assert len(costs[1]) <= len(costs[0]) + 2, "a level of tiles more"


def test_summaries_are_as_many_statements_for_many_metrics(server: Server) -> None:
    costs = []
    for number in (10, 300):
        run = server.run(f"r{number}")
        metrics = [{"metric": f"m{n}", "steps": [1], "values": [n / 3]} for n in range(number)]
        server.ask("POST", f"/api/v1/runs/{run}/points", {"series": metrics})
        server.store.flush()
        costs.append(server.cost("POST", "/api/v1/summaries", {"run_ids": [run]}))
    assert costs[0].statements == costs[1].statements
    assert len(costs[0]) == 3
    assert costs[1].opened == 0


def test_label_sets_are_as_many_statements_for_many_metrics(server: Server) -> None:
    costs = []
    for number in (10, 300):
        run = server.run(f"r{number}")
        metrics = [{"metric": f"m{n}", "steps": [1], "values": [1.0], "labels": {"fold": "1"}} for n in range(number)]
        server.ask("POST", f"/api/v1/runs/{run}/points", {"series": metrics})
        server.store.flush()
        costs.append(server.cost("POST", "/api/v1/label-sets", {"run_ids": [run]}))
    assert costs[0].statements == costs[1].statements
    assert costs[1].opened == 0


def test_a_new_run_is_one_commit(server: Server) -> None:
    params = {f"p{number}": str(number) for number in range(25)}
    server.run("first")
    whole = server.cost("POST", "/api/v1/runs", {"id": "r", "experiment_id": 0, "params": params})
    assert whole.commits == 1
    assert len(whole) == 6 + len(params)
    first, made = (server.cost("POST", f"{MLFLOW}/runs/create", {"experiment_id": "0", "start_time": 1}) for _ in "ab")
    assert made.commits == 1
    assert (len(first), len(made)) == (10, 7), "of its experiment no more than the number of the run, once it was seen"
    pairs = [{"key": key, "value": value} for key, value in params.items()]
    run = server.run("other")
    filled = server.cost("POST", f"{MLFLOW}/runs/log-batch", {"run_id": run, "params": pairs})
    assert filled.commits == 1
    assert len(filled) == 5 + len(params), "each is written without a look whether it is there"


def test_deleting_a_run_costs_the_same_however_long_it_is(server: Server) -> None:
    costs = []
    for points in (500, 3_000):
        run = long_series(server, f"r{points}", points)
        costs.append(server.cost("DELETE", f"/api/v1/runs/{run}"))
    assert costs[0].statements == costs[1].statements
    assert len(costs[0]) <= 12
    assert [(cost.commits, cost.opened) for cost in costs] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("order", [[], ["metrics.loss DESC"]])
def test_a_search_is_as_many_statements_for_many_runs(server: Server, order: list[str]) -> None:
    costs = []
    for runs in (range(20), range(20, 60)):
        for number in runs:
            server.run(f"r{number}", params={"lr": "0.1"}, tags={"team": "a"})
            server.add(f"r{number}", "loss", range(2))
        server.store.flush()
        body = {"filter": "metrics.loss > -1", "order_by": order, "limit": 50}
        costs.append(server.cost("POST", "/api/v1/runs/search", body))
    assert len(costs[0]) == len(costs[1]) == 5


def test_a_search_of_few_runs_takes_the_live_values_of_these_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(conn: Connection, live: Sequence[Live]) -> LiveValues:
        taken.append(len(live))
        return LiveValues(conn, live)

    monkeypatch.setattr(searching, "LiveValues", counted)
    for number in range(40):
        server.run(f"r{number}", params={"lr": str(number % 8)})
        server.add(f"r{number}", "loss", range(2))
    body = {"experiment_ids": ["0"], "filter": "metrics.loss > -1 and params.lr = '3'"}
    cost = server.cost("POST", f"{MLFLOW}/runs/search", body)
    assert taken == [5]
    assert len(cost) == 11
    assert len(server.ask("POST", f"{MLFLOW}/runs/search", body)["runs"]) == 5


def test_a_search_reads_no_row_again_that_has_not_changed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    rows_of = run_rows.read

    def counted(conn: Connection, workspace: str, keys: Sequence[int], columns: Columns) -> list[RunRow]:
        read.append(len(keys))
        return rows_of(conn, workspace, keys, columns)

    monkeypatch.setattr(run_rows, "read", counted)
    for number in range(20):
        server.run(f"r{number}", params={"lr": "1"})
        server.add(f"r{number}", "loss", range(2))
    body = {"experiment_ids": ["0"], "filter": "metrics.loss > -1"}
    first = server.cost("POST", f"{MLFLOW}/runs/search", body)
    again = server.cost("POST", f"{MLFLOW}/runs/search", {**body, "order_by": ["metrics.loss"]})
    assert len(again) == len(first) - 4, "no runs, params, tags or summaries"
    server.add("r3", "loss", range(2, 4))
    server.store.flush()
    server.ask("POST", f"{MLFLOW}/runs/search", body)
    server.run("new")
    server.ask("POST", f"{MLFLOW}/runs/search", body)
    assert read == [20, 0, 1, 0]

"""How much a search looks at to find a page of the best runs by a metric: as much as it shows, not as there is."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

from catalogs import database
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filters import RUNS
from stepwell.core.model import Lifecycle, NewRun, RunQuery, RunWrite
from stepwell.core.series import value_of
from stepwell.core.summary import Summary
from stepwell.storage.catalog import runs, searching, series, summaries, walking
from stepwell.storage.catalog.live import Live

LIMIT = 20


def filled(count: int) -> tuple[apsw.Connection, list[int]]:
    conn = database()
    new = [
        NewRun(id=f"r{n}", name=f"r{n}", origin="test", at=n, tags={"team": f"t{n % 9}"}, params={"seed": f"{n}"})
        for n in range(count)
    ]
    keys = [made.key for made in runs.create(conn, "w", new)]
    values = np.random.default_rng(1).permutation(count)
    for metric, numbers in (("loss", values), ("accuracy", values[::-1])):
        named = [series.ensure(conn, key, [(metric, ())])[0] for key in keys]
        summaries.store(
            conn, [(key, Summary.of_one(1, 1, float(value))) for key, value in zip(named, numbers, strict=True)]
        )
    return conn, keys


def steps(conn: apsw.Connection, text: str, order: list[str], live: list[Live]) -> tuple[int, list[int]]:
    """How much work SQLite's machine does for two pages, and the runs of the second."""
    query = RunQuery(filter=parse_filter(text, schema=RUNS), order=parse_order(order, schema=RUNS), limit=LIMIT)
    done = 0

    def told(event: dict[str, dict[str, int]]) -> None:
        nonlocal done
        done += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    conn.trace_v2(apsw.SQLITE_TRACE_PROFILE, told)
    found = searching.find_runs(conn, searching.plan_search(conn, "w", query), live)
    after = RunQuery(filter=query.filter, order=query.order, limit=LIMIT, after=found.after)
    again = searching.find_runs(conn, searching.plan_search(conn, "w", after), live)
    conn.trace_v2(0, None)
    return done, again.keys


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", ["metrics.loss ASC"]),
        ("", ["metrics.loss DESC"]),
        ("metrics.accuracy >= 0", ["metrics.loss ASC"]),
        ("metrics.loss > 30", ["metrics.loss ASC"]),
        ("metrics.loss < 60 and metrics.accuracy >= 0", ["metrics.accuracy DESC"]),
        ("metrics.loss < 60", []),
    ],
)
def test_a_page_takes_as_much_work_of_many_runs_as_of_few(
    text: str, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "FEW", 100)
    monkeypatch.setattr(walking, "FEWER", 100)
    work = []
    for count in (400, 1_600):
        conn, keys = filled(count)
        live = [Live(key, "loss", (), Summary.of_one(2, 2, value_of(n))) for n, key in enumerate(keys[:10])]
        monkeypatch.setattr(walking, "MANY", count + 1)
        expected = steps(conn, text, order, live)
        monkeypatch.setattr(walking, "MANY", 200)
        taken = steps(conn, text, order, live)
        assert taken[1] == expected[1]
        assert len(taken[1]) == LIMIT
        work.append(taken[0])
    assert work[1] < 1.3 * work[0]


def test_few_runs_are_all_looked_at() -> None:
    conn, _ = filled(50)
    query = RunQuery(filter=(), order=parse_order(["metrics.loss"], schema=RUNS), limit=LIMIT)
    assert walking.choose(conn, *searching._asked(conn, 1, query)) is None


def test_runs_of_other_tags_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nine met runs eight are left at their tag: the tables of runs and of other conditions are not touched."""
    conn, _ = filled(1_000)
    monkeypatch.setattr(walking, "MANY", 200)
    monkeypatch.setattr(searching, "FEW", 0)  # from a tag's value to the runs is another way
    every, _ = steps(conn, "metrics.loss < 600", [], [])
    some, found = steps(conn, "tags.team = 't3' and metrics.loss < 600", [], [])
    few, same = steps(conn, "tags.team = 't3' and params.seed ILIKE '%' and metrics.loss < 600", [], [])
    assert found
    assert same == found
    assert some < 0.7 * every
    assert few < 1.2 * some


def test_a_run_is_found_by_its_tag_of_now() -> None:
    """The plan that named the few runs may be older than the snapshot in which they are looked at."""
    conn, keys = filled(30)
    query = RunQuery(filter=parse_filter("tags.team = 't3' and metrics.loss >= 0", schema=RUNS), limit=LIMIT)
    plan = searching.plan_search(conn, "w", query)
    assert plan is not None
    assert plan.among == frozenset({keys[3], keys[12], keys[21]})
    runs.apply(conn, "w", RunWrite(run_id="r12", set_tags={"team": "t4"}, at=99))
    runs.apply(conn, "w", RunWrite(run_id="r21", lifecycle=Lifecycle.DELETED, at=99))
    assert searching.find_runs(conn, plan, ()).keys == [keys[3]]
    assert searching.count_runs(conn, plan, ()) == 1


@pytest.mark.parametrize(("text", "order"), [("", ["metrics.loss ASC"]), ("metrics.loss < 60", [])])
def test_a_walk_looks_no_row_up_behind_its_index(text: str, order: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MANY", 200)
    conn, _ = filled(400)
    query = RunQuery(filter=parse_filter(text, schema=RUNS), order=parse_order(order, schema=RUNS), limit=LIMIT)
    asked: list[tuple[str, apsw.Bindings | None]] = []

    def executed(cursor: apsw.Cursor, sql: str, bindings: apsw.Bindings | None) -> bool:
        asked.append((sql, bindings))
        return True

    conn.exec_trace = executed
    searching.find_runs(conn, searching.plan_search(conn, "w", query), [])
    conn.exec_trace = None
    ((table,),) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'run_metric'")
    walks = [(sql, bindings) for sql, bindings in asked if "walked" in sql]
    assert len(walks) == (2 if text else 1)
    for sql, bindings in walks:
        steps = conn.execute(f"EXPLAIN {sql}", bindings).fetchall()
        assert table not in [page for _, code, _, page, *_ in steps if code == "OpenRead"]


def test_live_runs_beyond_the_bounds_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MANY", 200)
    work = []
    for count in (100, 300):
        conn, keys = filled(400)
        live = [Live(key, "loss", (), Summary.of_one(2, 2, 60.0)) for key in keys[:count]]
        work.append(steps(conn, "metrics.loss < 60", [], live)[0])
    assert work[1] - work[0] < 200 * 10, "they are listed, and that is all"

"""Runs of the embedded catalog: made, changed, read, purged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalogs import Bench, database, new_run, summary_of
from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filters import RUNS
from stepwell.core.model import (
    ALL_COLUMNS,
    NO_COLUMNS,
    Columns,
    Event,
    Lifecycle,
    LogLine,
    Record,
    RunQuery,
    RunWrite,
    Status,
)
from stepwell.storage.catalog import runs, series, summaries
from stepwell.storage.catalog.live import Live
from stepwell.storage.catalog.sql import Statements


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def apply(bench: Bench, run_id: str, **changes: Any) -> runs.RunState:
    with bench.conn:
        state = runs.apply(bench.conn, "w", RunWrite(run_id=run_id, at=50, **changes))
    return state  # noqa: RET504 - outside the block: the type checker thinks that it may swallow an error


def row(bench: Bench, run_id: str, columns: Columns = ALL_COLUMNS) -> Any:
    return bench.catalog.get_runs(workspace="w", run_ids=[run_id], columns=columns)[0]


def test_a_run_is_read_as_it_was_made(bench: Bench):
    new = new_run(
        "r",
        name="swift",
        user="ann",
        status=Status.SCHEDULED,
        artifact_uri="x:/y",
        start_time=-3,
        params={"b": "2", "a": ""},
        tags={"t": "ü"},
    )
    (made,) = bench.catalog.create_runs(workspace="w", new=[new])
    assert (made.workspace, made.id, made.experiment_id, made.project_number) == ("w", "r", 0, 1)
    assert (made.name, made.user, made.status, made.status_reason) == ("swift", "ann", Status.SCHEDULED, "")
    assert (made.artifact_uri, made.origin, made.start_time, made.end_time) == ("x:/y", "test", -3, None)
    assert (made.created_at, made.updated_at, made.lifecycle) == (5, 5, Lifecycle.ACTIVE)
    found = row(bench, "r")
    assert found.run == made
    assert list(found.params.items()) == [("a", ""), ("b", "2")]
    assert dict(found.tags) == {"t": "ü"}
    assert found.metrics == {}


def test_runs_are_numbered_in_their_experiment_and_found_in_their_workspace_alone(bench: Bench):
    catalog = bench.catalog
    made = catalog.create_runs(workspace="w", new=[new_run("a"), new_run("b")])
    assert [run.project_number for run in made] == [1, 2]
    (other,) = catalog.create_runs(workspace="v", new=[new_run("a")])
    assert other.project_number == 1
    assert len({run.key for run in [*made, other]}) == 3
    assert catalog.get_runs(workspace="v", run_ids=["b", "a", "a"], columns=NO_COLUMNS)[0] is None
    assert catalog.get_runs(workspace="none", run_ids=["b"], columns=NO_COLUMNS) == [None]
    assert runs.find(bench.conn, "v", "b") is None
    assert catalog.search_runs(workspace="none", query=RunQuery(limit=5)).items == []


def test_one_bad_run_refuses_all(bench: Bench):
    catalog = bench.catalog
    with pytest.raises(NotFound, match="experiment 4"):
        catalog.create_runs(workspace="w", new=[new_run("a"), new_run("b", experiment_id=4)])
    with pytest.raises(AlreadyExists, match="'a'"):
        catalog.create_runs(workspace="w", new=[new_run("a"), new_run("a")])
    assert bench.count("run") == bench.count("workspace") == 0


def test_a_write_changes_what_it_names(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r", start_time=1, tags={"a": "1", "b": "2"})])
    apply(bench, "r", name="new", status=Status.FAILED, status_reason="oom", set_tags={"a": "9"}, remove_tags=("b",))
    found = row(bench, "r")
    assert (found.run.name, found.run.status, found.run.status_reason) == ("new", Status.FAILED, "oom")
    assert (found.run.start_time, found.run.updated_at, dict(found.tags)) == (1, 50, {"a": "9"})
    apply(bench, "r", start_time=7, end_time=8, status=Status.FINISHED, status_reason="")
    found = row(bench, "r")
    assert (found.run.start_time, found.run.end_time, found.run.status_reason, found.run.name) == (7, 8, "", "new")
    with pytest.raises(NotFound, match="no tag 'b'"):
        apply(bench, "r", remove_tags=("b",), name="again")
    assert row(bench, "r").run.name == "new"
    with pytest.raises(NotFound, match="no run 'x'"):
        apply(bench, "x", name="new")


def test_a_write_of_points_alone_does_not_touch_the_row(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r")])
    apply(bench, "r")
    assert row(bench, "r").run.updated_at == 5


def test_a_param_keeps_its_value(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r", params={"lr": "0.1"})])
    apply(bench, "r", params={"lr": "0.1", "depth": "3"})
    with pytest.raises(Conflict, match=r"param 'lr' of run 'r' is '0\.1'; it cannot become '0\.2'"):
        apply(bench, "r", params={"more": "1", "lr": "0.2"})
    with pytest.raises(Conflict) as long:
        apply(bench, "r", params={"lr": "9" * 60_000})
    assert len(long.value.message) < 300
    assert dict(row(bench, "r").params) == {"depth": "3", "lr": "0.1"}


def test_a_deleted_run_is_read_and_restored_but_not_written(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r")])
    assert apply(bench, "r", lifecycle=Lifecycle.DELETED).lifecycle is Lifecycle.DELETED
    apply(bench, "r", lifecycle=Lifecycle.DELETED)
    assert row(bench, "r").run.lifecycle is Lifecycle.DELETED
    for refused in ({"name": "x"}, {"set_tags": {"a": "1"}}, {}, {"lifecycle": Lifecycle.DELETED, "name": "x"}):
        with pytest.raises(Conflict, match="restore it"):
            apply(bench, "r", **refused)
    with pytest.raises(Conflict, match="restore it"):
        bench.catalog.append_lines(workspace="w", run_id="r", lines=[LogLine(stream="out", line=1, time=1, text="")])
    assert apply(bench, "r", lifecycle=Lifecycle.ACTIVE, name="back").lifecycle is Lifecycle.ACTIVE
    assert row(bench, "r").run.name == "back"


def test_events_are_read_by_time_then_arrival(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r")])
    apply(bench, "r", events=(Event(time=2, kind="b", text="second"), Event(time=1, kind="a", text="first")))
    apply(bench, "r", events=(Event(time=2, kind="c", text="third", detail='{"a": 1}'),))
    found = bench.catalog.read_events(workspace="w", run_id="r")
    assert [event.text for event in found] == ["first", "second", "third"]
    assert found[2] == Event(time=2, kind="c", text="third", detail='{"a": 1}')
    assert bench.catalog.read_events(workspace="v", run_id="r") == []


def test_a_purge_takes_everything_and_frees_the_id(bench: Bench, tmp_path: Path):
    catalog = bench.catalog
    fresh = {table: bench.count(table) for table in TABLES}
    old, kept = catalog.create_runs(
        workspace="w", new=[new_run(i, params={"p": "1"}, tags={"t": "1"}) for i in ("r", "kept")]
    )
    for run in (old, kept):
        apply(bench, run.id, events=(Event(time=1, kind="k", text=""),))
        catalog.append_lines(workspace="w", run_id=run.id, lines=[LogLine(stream="out", line=1, time=1, text="x")])
        catalog.put_records(workspace="w", records=[record(f"of {run.id}", parent=run.id)])
        writer = catalog.open_blob(workspace="w", owner=run.id, path="a/b", at=1)
        writer.write(b"x")
        writer.commit()
        keys = series.ensure(bench.conn, run.key, [("loss", ()), ("loss", (("w", "0"),))])
        summaries.store(bench.conn, [(key, summary_of((1, 1, 1.0))) for key in keys])
    before = {table: bench.count(table) for table in TABLES}
    assert all(before[table] == fresh[table] + 2 * TABLES[table] for table in TABLES)

    assert bench.purge("v", ["r"]).run_keys == ()
    gone = bench.purge("w", ["r", "none", "r"])
    assert {table: bench.count(table) for table in TABLES} == {t: before[t] - TABLES[t] for t in TABLES}
    assert gone.run_keys == (old.key,)
    assert len(gone.series_keys) == 2
    assert len(bench.contents()) == 1
    assert runs.is_purged(bench.conn, old.key)
    assert not runs.is_purged(bench.conn, kept.key)
    assert row(bench, "r") is None

    (new,) = catalog.create_runs(workspace="w", new=[new_run("r")])
    assert new.key > kept.key
    assert new.project_number == 3
    assert (row(bench, "r").params, catalog.list_blobs(workspace="w", owner="r", folder="")) == ({}, [])


TABLES = {
    "run": 1,
    "param": 1,
    "tag": 1,
    "event": 1,
    "log_line": 1,
    "record": 1,
    "record_value": 2,
    "blob": 1,
    "series": 2,
    "summary": 2,
    "run_metric": 1,
}


def record(number: str, **given: Any) -> Record:
    fixed = {"kind": "k", "id": number, "body": "{}", "created_at": 1, "updated_at": 1}
    return Record(**{**fixed, "unique": {"name": number}, "indexed": {"stage": "x"}, **given})


def test_the_key_of_the_last_run_is_not_given_again(bench: Bench):
    catalog = bench.catalog
    (old,) = catalog.create_runs(workspace="w", new=[new_run("r")])
    bench.purge("w", ["r"])
    (new,) = catalog.create_runs(workspace="w", new=[new_run("r")])
    assert new.key > old.key


def test_a_row_brings_the_columns_asked_for(bench: Bench):
    catalog = bench.catalog
    (run,) = catalog.create_runs(
        workspace="w", new=[new_run("r", params={"a": "1", "b": "2"}, tags={"a": "3", "b": "4"})]
    )
    keys = series.ensure(bench.conn, run.key, [("m", ()), ("l", ()), ("z", ())])
    summaries.store(bench.conn, [(key, summary_of((1, 1, 1.0))) for key in keys])
    found = row(bench, "r", Columns(metrics=("l", "none"), params=("b",), tags=()))
    assert (dict(found.params), dict(found.tags), list(found.metrics)) == ({"b": "2"}, {}, ["l"])
    assert list(row(bench, "r").metrics) == ["l", "m", "z"]
    assert row(bench, "r", NO_COLUMNS) == type(found)(run=run)


def test_live_summaries_win_and_label_sets_are_united(bench: Bench):
    catalog = bench.catalog
    run, other = catalog.create_runs(workspace="w", new=[new_run("r"), new_run("other")])
    one, two = series.ensure(bench.conn, run.key, [("m", (("w", "0"),)), ("m", (("w", "1"),))])
    (plain,) = series.ensure(bench.conn, other.key, [("m", ())])
    summaries.store(
        bench.conn, [(one, summary_of((1, 1, 5.0))), (two, summary_of((1, 1, 1.0))), (plain, summary_of((1, 1, 3.0)))]
    )
    assert row(bench, "r").metrics["m"].count == 2
    assert found_by(bench, "metrics.m = 5", "metrics.m") == ["r"]
    bench.live = [Live(run.key, "m", (("w", "1"),), summary_of((1, 1, 1.0), (2, 2, 2.0)))]
    found = row(bench, "r").metrics["m"]
    assert (found.count, found.last.value, found.min.value, found.max.value) == (3, 2.0, 1.0, 5.0)
    assert found_by(bench, "metrics.m = 2", "metrics.m") == ["r"]
    assert found_by(bench, "metrics.m = 5", "metrics.m") == []
    assert found_by(bench, "", "metrics.m DESC") == ["other", "r"]
    bench.live = [Live(run.key, "fresh", (), summary_of((1, 1, 9.0)))]
    assert found_by(bench, "metrics.fresh > 8", "") == ["r"]


def found_by(bench: Bench, text: str, order: str) -> list[str]:
    query = RunQuery(
        filter=parse_filter(text, schema=RUNS), order=parse_order([order] if order else [], schema=RUNS), limit=9
    )
    page = bench.catalog.search_runs(workspace="w", query=query)
    assert page.after is None
    return [found.run.id for found in page.items]


@pytest.mark.parametrize(("many", "rare"), [(2_500, 1), (2_500, 2_500), (100, 2)])
def test_a_value_is_found_among_runs_however_rare_it_is(bench: Bench, many: int, rare: int):
    new = [new_run(f"r{n:04}", params={"p": "x" * 64 + str(n % rare == 0)}, start_time=n) for n in range(many)]
    bench.catalog.create_runs(workspace="w", new=new)
    value = "x" * 64 + "True"
    query = RunQuery(filter=parse_filter(f"params.p = '{value}'", schema=RUNS), limit=1_000, columns=NO_COLUMNS)
    found: list[str] = []
    page = bench.catalog.search_runs(workspace="w", query=query)
    found += [item.run.id for item in page.items]
    while page.after is not None:
        page = bench.catalog.search_runs(workspace="w", query=replace(query, after=page.after))
        found += [item.run.id for item in page.items]
    assert found == sorted((run.id for run in new if run.params["p"] == value), reverse=True)


def test_a_usual_change_of_a_run_writes_no_index():
    """Each index that is written is one more page of the log for each commit."""
    conn = database()
    statements = Statements.load("queries.sql")
    names = {"name", "status", "status_reason", "start_time", "end_time", "deleted", "at", "key"}
    for name, writes in (("change_run", 0), ("move_run", 2)):
        steps = conn.execute("EXPLAIN " + statements[name], dict.fromkeys(names)).fetchall()
        assert [step[1] for step in steps].count("IdxInsert") == writes


def test_some_params_that_are_there_and_some_that_are_not(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r", params={"a": "1", "b": "2"})])
    apply(bench, "r", params={"a": "1", "c": "3"})
    apply(bench, "r", params={"c": "3"})
    with pytest.raises(Conflict, match="param 'b' of run 'r' is '2'; it cannot become '3'"):
        apply(bench, "r", params={"d": "4", "b": "3"})
    assert dict(row(bench, "r").params) == {"a": "1", "b": "2", "c": "3"}

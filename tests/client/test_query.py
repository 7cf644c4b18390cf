"""Reading back through stepwell.query, into plain columns. Frames of pandas and polars: tests/contract/python."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

import stepwell
from serving import Server
from stepwell.client import query as query_module
from stepwell.client.columns import PAGE


@pytest.fixture(scope="module")
def experiment(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three runs: of 0, 10 and 20 points."""
    name = f"o'query {uuid4().hex}"
    spool = tmp_path_factory.mktemp("spool")
    for number in range(3):
        with stepwell.init(
            experiment=name, name=f"run{number}", params={"n": number}, url=shared_server.url, spool=spool
        ) as run:
            for step in range(number * 10):
                run.log({"loss": number + step / 8, "odd": math.nan if step % 2 else math.inf}, step=step)
    return name


def test_runs_come_with_what_is_asked_for(shared_server: Server, experiment: str) -> None:
    chosen = stepwell.query(experiment=experiment, order_by=["run_name"], url=shared_server.url, frames="columns")
    found = chosen.runs(metrics="loss", tags=["none"])
    assert found["name"] == ["run0", "run1", "run2"]
    assert found["params.n"] == ["0", "1", "2"]
    assert found["metrics.loss"] == [None, 1 + 9 / 8, 2 + 19 / 8]
    assert found["metrics.loss.min"] == [None, 1.0, 2.0]
    assert found["metrics.loss.count"] == [None, 10, 20]
    assert found["tags.none"] == [None] * 3
    assert found["status"] == ["FINISHED"] * 3


def test_columns_that_only_later_pages_have_are_filled_up(
    shared_server: Server, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_module, "_RUNS", 1)
    chosen = stepwell.query(experiment=experiment, order_by=["run_name"], url=shared_server.url, frames="columns")
    found = chosen.runs(metrics="*")
    assert found["metrics.loss.count"] == [None, 10, 20]
    assert {len(column) for column in found.values()} == {3}
    limited = stepwell.query(experiment=experiment, limit=2, url=shared_server.url, frames="columns")
    assert len(limited.runs()["id"]) == 2


@pytest.mark.parametrize("form", [PAGE, ""], ids=["raw", "an older server's"])
def test_whole_histories_come_page_by_page(
    shared_server: Server, experiment: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(query_module, "PAGE", form)
    monkeypatch.setattr(query_module, "_POINTS", 7)
    chosen = stepwell.query("params.n = '2'", experiment=experiment, url=shared_server.url, frames="columns")
    found = chosen.points("loss")
    assert found["step"] == list(range(20))
    assert found["value"] == [2 + step / 8 for step in range(20)]
    assert found["time_us"] == sorted(found["time_us"])
    assert set(found["metric"]) == {"loss"}
    part = chosen.points("loss", steps=(3, 5))
    assert part["step"] == [3, 4, 5]


@pytest.mark.parametrize("form", [PAGE, ""], ids=["raw", "an older server's"])
def test_what_json_cannot_say_is_put_back(
    shared_server: Server, experiment: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(query_module, "PAGE", form)
    chosen = stepwell.query("params.n = '1'", experiment=experiment, url=shared_server.url, frames="columns")
    values = chosen.points("odd")["value"]
    assert values[::2] == [math.inf] * 5
    assert all(math.isnan(value) for value in values[1::2])
    assert math.isnan(chosen.runs(metrics="odd")["metrics.odd"][0])


def test_all_metrics_are_read_where_none_is_named(shared_server: Server, experiment: str) -> None:
    chosen = stepwell.query(experiment=experiment, url=shared_server.url, frames="columns")
    found = chosen.points()
    assert len(found["value"]) == 60
    assert set(found["metric"]) == {"loss", "odd"}


def test_buckets_keep_the_extremes(shared_server: Server, experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_module, "_SERIES", 2)
    chosen = stepwell.query(experiment=experiment, url=shared_server.url, frames="columns")
    found = chosen.buckets("loss", budget=4)
    assert max(found["max_value"]) == 2 + 19 / 8
    assert sum(found["count"]) == 30
    assert len(set(found["run_id"])) == 2
    assert all(found["run_id"].count(run_id) <= 4 for run_id in set(found["run_id"]))


def test_runs_are_named_by_their_ids(shared_server: Server, experiment: str) -> None:
    ids = stepwell.query(experiment=experiment, url=shared_server.url, frames="columns").runs()["id"]
    chosen = stepwell.query(runs=ids[:2], url=shared_server.url, frames="columns")
    assert sorted(chosen.runs()["id"]) == sorted(ids[:2])
    assert set(chosen.points()["run_id"]) <= set(ids[:2])


def test_a_name_alone_is_a_list_of_one(shared_server: Server, experiment: str) -> None:
    ask = partial(stepwell.query, url=shared_server.url, frames="columns")
    found = ask(experiment=experiment, order_by="run_name DESC").runs()
    assert found["name"] == ["run2", "run1", "run0"]
    assert ask(runs=found["id"][1]).points("loss")["step"] == list(range(10))


def test_a_metric_named_as_the_summary_of_another_keeps_its_column(
    shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid4().hex
    for number, values in enumerate(({"a": 1.0}, {"a": 2.0, "a.min": 7.0}, {"a.min": 8.0})):
        with stepwell.init(experiment=name, name=f"{number}", url=shared_server.url, spool=tmp_path) as run:
            run.log(values)
    monkeypatch.setattr(query_module, "_RUNS", 1)
    found = stepwell.query(experiment=name, order_by="run_name", url=shared_server.url, frames="columns").runs(
        metrics="*"
    )
    assert found["metrics.a"] == [1.0, 2.0, None]
    assert found["metrics.a.max"] == [1.0, 2.0, None]
    assert found["metrics.a.min"] == [None, 7.0, 8.0]
    assert found["metrics.a.min.min"] == [None, 7.0, 8.0]
    assert {len(column) for column in found.values()} == {3}


def test_what_cannot_be_is_said(shared_server: Server, experiment: str) -> None:
    with pytest.raises(ValueError, match="frames is 'excel'"):
        stepwell.query(frames="excel")
    with pytest.raises(ValueError, match="one or the other"):
        stepwell.query("params.n = '1'", runs=["a"])
    with pytest.raises(LookupError, match="no experiment 'none of this name'"):
        stepwell.query(experiment="none of this name", url=shared_server.url).runs()
    with pytest.raises(stepwell.Refused, match="filter"):
        stepwell.query("loss <", url=shared_server.url).runs()


def test_without_a_frame_library_there_are_columns(tmp_path: Path) -> None:
    from stepwell.client.frames import chosen

    assert chosen(None) in ("pandas", "polars", "columns")

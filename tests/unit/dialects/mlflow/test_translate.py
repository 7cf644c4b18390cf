"""Requests to core's values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import Experiment, Lifecycle, Status, Visibility
from stepwell.dialects.mlflow import rules, translate, wire

AT = 1_700_000_000_000_000


def batch(*metrics: wire.MetricIn, **more: list[wire.Pair]) -> wire.LogBatch:
    return wire.LogBatch(run_id="r", metrics=list(metrics), **more)


def experiment(location: str = "") -> Experiment:
    return Experiment(
        workspace="w",
        id=3,
        name="e",
        artifact_location=location,
        lifecycle=Lifecycle.ACTIVE,
        created_at=1000,
        updated_at=2000,
    )


def test_a_metric_becomes_a_point_in_microseconds() -> None:
    message = wire.LogMetric(run_uuid="r", key="loss", value=-0.0, timestamp=1234, step=-5)
    write = translate.log_metric(message, at=AT)
    assert write.only_points
    assert write.points is not None
    assert (write.run_id, write.points.series) == ("r", (("loss", ()),))
    assert (write.points.step.tolist(), write.points.time.tolist()) == ([-5], [1_234_000])
    assert math.copysign(1, write.points.value[0]) == -1


def test_a_batch_becomes_columns_in_its_order() -> None:
    found = translate.points(
        [
            wire.MetricIn("b", 1.0, 10, 1),
            wire.MetricIn("a", math.nan, 20, 2),
            wire.MetricIn("b", -math.inf, 30, 2**63 - 1),
        ]
    )
    assert found.series == (("b", ()), ("a", ()))
    assert found.which.tolist() == [0, 1, 0]
    assert found.step.tolist() == [1, 2, 2**63 - 1]
    assert found.time.tolist() == [10_000, 20_000, 30_000]
    np.testing.assert_array_equal(found.value, [1.0, math.nan, -math.inf])
    assert all(column.dtype == kind for column, kind in [(found.which, np.int64), (found.value, np.float64)])


def test_names_that_come_again_in_the_same_order_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(rules, "check_key", lambda key, field: seen.append(key))
    batches = [
        translate.points(
            [wire.MetricIn(f"again/{step % 3}", float(step), step, step) for step in range(first, first + 9)]
        )
        for first in (0, 9)
    ]
    assert seen == ["again/0", "again/1", "again/2"]
    assert batches[0].series == batches[1].series
    assert batches[1].which.tolist() == [0, 1, 2] * 3
    assert batches[1].step.tolist() == list(range(9, 18))
    with pytest.raises(ValueError, match="read-only"):
        batches[1].which[0] = 1


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        (wire.MetricIn("a@b", 1.0, 1), "metrics[1].key"),
        (wire.MetricIn("", 1.0, 1), "metrics[1].key"),
        (wire.MetricIn("k", 1.0, -1), "metrics[1].timestamp"),
        (wire.MetricIn("k", 1.0, 9_223_372_036_854_776), "metrics[1].timestamp"),
        (wire.MetricIn("k", 1.0, 2**63 - 1), "metrics[1].timestamp"),
    ],
)
def test_a_bad_metric_is_named_with_its_place(metric: wire.MetricIn, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        translate.log_batch(batch(wire.MetricIn("k", 1.0, 1), metric), at=AT)
    assert caught.value.field == field


def test_an_empty_batch_writes_nothing() -> None:
    write = translate.log_batch(batch(), at=AT)
    assert write.only_points
    assert write.points is None


def test_a_param_comes_once_and_the_last_tag_counts() -> None:
    pairs = [wire.Pair("p", "1"), wire.Pair("p", "1")]
    with pytest.raises(Invalid, match="Duplicate parameter keys"):
        translate.log_batch(batch(params=pairs), at=AT)
    assert translate.log_batch(batch(tags=[wire.Pair("t", "1"), wire.Pair("t", "2")]), at=AT).set_tags == {"t": "2"}


def test_long_values_are_cut_and_told() -> None:
    write = translate.log_batch(batch(params=[wire.Pair("p", "x" * 6001)], tags=[wire.Pair("t", "y" * 8001)]), at=AT)
    assert write.params == {"p": "x" * 6000}
    assert write.set_tags == {"t": "y" * 8000}
    assert [event.text for event in write.events] == [
        "the value of tag 't' had 8001 characters; the first 8000 were kept",
        "the value of param 'p' had 6001 characters; the first 6000 were kept",
    ]


def test_the_name_and_its_tag_stay_in_step() -> None:
    named = wire.Pair("mlflow.runName", "n")
    assert translate.log_batch(batch(tags=[named]), at=AT).name == "n"
    assert translate.set_tag(wire.SetPair(run_id="r", key="mlflow.runName", value="n"), at=AT).name == "n"
    assert translate.set_tag(wire.SetPair(run_id="r", key="other", value="n"), at=AT).name is None
    write = translate.update_run(wire.UpdateRun(run_id="r", run_name="n"), at=AT)
    assert (write.name, write.set_tags) == ("n", {"mlflow.runName": "n"})
    assert translate.update_run(wire.UpdateRun(run_id="r"), at=AT).only_points


def test_a_new_run_gets_its_name_from_the_field_the_tag_or_chance() -> None:
    def made(**fields: object) -> str:
        message = wire.CreateRun(**fields)  # type: ignore[arg-type]
        new, events = translate.new_run(message, run_id="r", experiment=experiment(), at=AT)
        assert events == ()
        assert new.tags["mlflow.runName"] == new.name
        return new.name

    tag = [wire.Pair("mlflow.runName", "b")]
    assert made(run_name="a") == "a"
    assert made(tags=tag) == "b"
    assert made(run_name="b", tags=tag) == "b"
    assert made() != ""
    with pytest.raises(Invalid, match="runName"):
        made(run_name="a", tags=tag)


def test_a_new_run_lies_in_its_experiments_folder() -> None:
    message = wire.CreateRun(start_time=7, user_id="bob")
    new, _ = translate.new_run(message, run_id="r", experiment=experiment(), at=AT)
    assert new.artifact_uri == "mlflow-artifacts:/3/r/artifacts"
    assert (new.experiment_id, new.start_time, new.user, new.status) == (3, 7000, "bob", Status.RUNNING)
    elsewhere, _ = translate.new_run(message, run_id="r", experiment=experiment("s3://bucket/x/"), at=AT)
    assert elsewhere.artifact_uri == "s3://bucket/x/r/artifacts"


@pytest.mark.parametrize(
    ("location", "under"),
    [
        ("mlflow-artifacts:/3", "mlflow-artifacts:/3/r"),
        ("mlflow-artifacts:/a?b=c", "mlflow-artifacts:/a/r?b=c"),
        ("mlflow-artifacts://host:8/a", "mlflow-artifacts://host:8/a/r"),
        ("s3://bucket", "s3://bucket/r"),
        ("s3://bucket/a#f", "s3://bucket/a/r#f"),
        ("file:///tmp/x", "file:///tmp/x/r"),
        ("/tmp/x", "/tmp/x/r"),
        ("dbfs:/x", "dbfs:/x/r"),
    ],
)
def test_paths_go_between_a_location_and_its_query(location: str, under: str) -> None:
    assert translate.under(location, "r") == under


@pytest.mark.parametrize(
    ("word", "status"), [("KILLED", Status.KILLED), (3, Status.FINISHED), ("FINISHED", Status.FINISHED)]
)
def test_a_status_is_a_word_or_a_number(word: str | int, status: Status) -> None:
    write = translate.update_run(wire.UpdateRun(run_id="r", status=word, end_time=99), at=AT)
    assert (write.status, write.end_time, write.events) == (status, 99_000, ())


@pytest.mark.parametrize("word", ["NOPE", "running", "", 0, 6, -1])
def test_an_unknown_status_is_ignored_and_told(word: str | int) -> None:
    write = translate.update_run(wire.UpdateRun(run_id="r", status=word, end_time=99), at=AT)
    assert (write.status, write.end_time) == (None, 99_000)
    assert "not known" in write.events[0].text


def test_views() -> None:
    assert translate.visibility("ALL", "view_type") is Visibility.ALL
    assert translate.visibility(2, "view_type") is Visibility.DELETED
    with pytest.raises(Invalid, match="run_view_type"):
        translate.visibility("SOME", "run_view_type")


@pytest.mark.parametrize("text", ["abc", "-1", "1.0", " 1", "१", "9223372036854775808", "9" * 30])
def test_an_experiment_id_is_a_number(text: str) -> None:
    with pytest.raises(Invalid, match="experiment ID"):
        translate.experiment_id(text)


@pytest.mark.parametrize(("name", "kind"), [("", Invalid), ("   ", Invalid), ("x" * 501, TooLarge)])
def test_bad_experiment_names(name: str, kind: type[Invalid]) -> None:
    with pytest.raises(kind):
        translate.new_experiment(wire.CreateExperiment(name=name), at=AT)


def test_a_tag_of_an_experiment_is_not_cut() -> None:
    message = wire.SetExperimentTag(experiment_id="3", key="a", value="b" * 20_001)
    with pytest.raises(TooLarge, match="20000"):
        translate.set_experiment_tag(message, at=AT)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "..",
        "a/../b",
        "../../x.txt",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\0b",
        "%2e%2e/x",
        "%252e%252e%252fx",
        "a/%2F",
    ],
)
def test_paths_that_could_leave_are_refused(path: str) -> None:
    with pytest.raises(Invalid, match=r"^Invalid path$"):
        translate.artifact_path(path)


@pytest.mark.parametrize("path", ["a", "a/b.txt", "100%.txt", "a b/ü", "..a/b..", "a%20b"])
def test_plain_paths_are_taken(path: str) -> None:
    assert translate.artifact_path(path) == path


def test_runs_in_proxy_paths() -> None:
    assert translate.run_in_path("3/r/artifacts/a/b.txt") == ("3/r/artifacts", "r", "a/b.txt")
    assert translate.run_in_path("3/r/artifacts") == ("3/r/artifacts", "r", "")
    assert translate.run_in_path("3/r/artifacts/artifacts/x") == ("3/r/artifacts", "r", "artifacts/x")
    assert translate.run_in_path("3/models/m-1/artifacts/x") == ("3/models/m-1/artifacts", "m-1", "x")
    assert translate.run_in_path("artifacts/x") is None
    assert translate.run_in_path("a/b") is None
    assert translate.proxied_root("mlflow-artifacts:/3/r/artifacts") == "3/r/artifacts"
    assert translate.proxied_root("mlflow-artifacts://host/3/r/artifacts") == "3/r/artifacts"
    assert translate.proxied_root("s3://bucket/3/r/artifacts") is None

"""From a metric resource to one change of a run."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import NewRun, PointBatch, Repeats, RunWrite
from stepwell.dialects.sap import rules, translate, wire

NOW = 1_700_000_000_123_456


def metric(name: str = "m", value: float = 0.5, **fields: Any) -> wire.Metric:
    return wire.Metric(name=name, value=value, **fields)


def pair(name: str = "n", value: str = "v") -> wire.Pair:
    return wire.Pair(name=name, value=value)


def patch(**parts: Any) -> RunWrite:
    return translate.patch(wire.MetricResource(executionId="exec", **parts), at=NOW)


def batch(*metrics: wire.Metric) -> PointBatch:
    return translate.points(metrics, at=NOW)


def test_a_patch_is_one_change_that_makes_its_run() -> None:
    write = patch(metrics=[metric()], tags=[pair("t", "1")], customInfo=[pair("c", "2")])
    assert write.make == NewRun(id="exec", name="exec", origin="sap", start_time=NOW, at=NOW)
    assert (write.run_id, write.repeats, write.at) == ("exec", Repeats.APPEND, NOW)
    assert (write.set_tags, write.set_custom_info) == ({"t": "1"}, {"c": "2"})
    assert write.points is not None
    assert len(write.points) == 1


def test_a_patch_without_metrics_has_no_points() -> None:
    assert patch().points is None


def test_metrics_become_columns_in_their_order() -> None:
    labels = [pair("b", "2"), pair("a", "1")]
    found = batch(
        metric("x", 1, step=3, timestamp="1970-01-01T00:00:01Z"),
        metric("y", 2, step=4.0, labels=labels),
        metric("x", 3, labels=list(reversed(labels))),
        metric("y", 4, step=0, labels=[*labels, pair("a", "1")]),
    )
    assert found.series == (("x", ()), ("y", (("a", "1"), ("b", "2"))), ("x", (("a", "1"), ("b", "2"))))
    assert found.which.tolist() == [0, 1, 2, 1]
    assert found.step.tolist() == [3, 4, 0, 0]
    assert found.time.tolist() == [1_000_000, NOW, NOW, NOW]
    assert found.value.tolist() == [1, 2, 3, 4]


def test_the_later_of_two_tags_counts() -> None:
    assert patch(tags=[pair("t", "1"), pair("t", "2")]).set_tags == {"t": "2"}


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"metrics": [metric(), metric("!")]}, "metrics[1].name"),
        ({"metrics": [metric("")]}, "metrics[0].name"),
        ({"metrics": [metric(step=-1)]}, "metrics[0].step"),
        ({"metrics": [metric(step=0.5)]}, "metrics[0].step"),
        ({"metrics": [metric(step=2**63)]}, "metrics[0].step"),
        ({"metrics": [metric(step=1e19)]}, "metrics[0].step"),
        ({"metrics": [metric(timestamp="")]}, "metrics[0].timestamp"),
        ({"metrics": [metric(labels=[pair(), pair("")])]}, "metrics[0].labels[1].name"),
        ({"metrics": [metric(labels=[pair("a", "1"), pair("a", "2")])]}, "metrics[0].labels[1].value"),
        ({"tags": [pair(), pair("n", "")]}, "tags[1].value"),
        ({"customInfo": [pair("n" * 257)]}, "customInfo[0].name"),
    ],
)
def test_what_is_wrong_is_named(parts: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        patch(**parts)
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("field", "many", "limit"),
    [
        ("metrics", lambda count: {"metrics": [metric()] * count}, rules.METRICS),
        ("metrics[0].labels", lambda count: {"metrics": [metric(labels=[pair()] * count)]}, rules.LABELS),
        ("tags", lambda count: {"tags": [pair()] * count}, rules.TAGS),
        ("customInfo", lambda count: {"customInfo": [pair()] * count}, rules.CUSTOM_INFO),
    ],
)
def test_counts(field: str, many: Any, limit: int) -> None:
    patch(**many(limit))
    with pytest.raises(TooLarge) as caught:
        patch(**many(limit + 1))
    assert (caught.value.field, caught.value.limit) == (field, limit)
    assert not isinstance(caught.value, rules.PayloadLimit)


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_bytes_of_custom_info(letter: str) -> None:
    text = letter * ((rules.CUSTOM_INFO_BYTES - 2) // len(letter.encode()))
    patch(customInfo=[pair("ab", text)])
    with pytest.raises(rules.PayloadLimit) as caught:
        patch(customInfo=[pair("abc", text)])
    assert caught.value.limit == rules.CUSTOM_INFO_BYTES


def test_custom_info_that_replaces_itself_counts_as_it_came() -> None:
    half = "x" * (rules.CUSTOM_INFO_BYTES // 2)
    with pytest.raises(rules.PayloadLimit):
        patch(customInfo=[pair("a", half), pair("a", half)])


@pytest.mark.parametrize("text", ["abc", "x" * 65, "a/bc", "äbcd", "abcd\n", ""])
def test_what_is_no_execution_id(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        translate.patch(wire.MetricResource(executionId=text), at=NOW)
    assert caught.value.field == "executionId"

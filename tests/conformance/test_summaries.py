"""Summaries are always those of all points: live, stored, merged over labels, after whatever happened."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from stepwell.core.model import ALL_COLUMNS, Columns
from stepwell.core.series import Labels, Points, value_key
from stepwell.core.store import Store
from stepwell.core.summary import Sample, Summary
from stores import PLACES, RUN, Row, Shelf, W, add, batch_of, change, make_runs, place, read_points, search, selector

VALUES = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -2.5, 1e200)


def some_rows(first: int = 0, count: int = 64) -> list[Row]:
    return [(step, step % 7, VALUES[step * 5 % 8]) for step in range(first, first + count)]


def one(sample: Sample) -> tuple[int, int, int]:
    return sample.step, sample.time, value_key(sample.value)


def assert_sums_up(found: Summary, points: Points) -> None:
    """`found` is the summary of the points, the moments within rounding; repeated_steps is never False wrongly."""
    wanted = Summary.of(points)
    for name in ("first", "last", "min", "max"):
        assert one(getattr(found, name)) == one(getattr(wanted, name)), name
    for name in ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.repeated_steps or not wanted.repeated_steps
    if not wanted.finite_count:
        assert math.isnan(found.mean)
        assert found.m2 == 0.0
        return
    size = max(abs(Fraction(value)) for value in points.value.tolist() if math.isfinite(value))
    assert abs(Fraction(found.mean) - Fraction(wanted.mean)) <= size * Fraction(1, 10**12)
    assert math.isclose(found.m2, wanted.m2, rel_tol=1e-8, abs_tol=float(size * size) * 1e-12 if size < 1e150 else 0.0)


def assert_all_agree(store: Store, run_id: str, metric: str) -> None:
    """A metric's summary is the same by every way to ask for it, and that of its points."""
    points = read_points(store, selector(run_id, metric))
    union = store.summaries(workspace=W, run_ids=[run_id]).by_run()[run_id][metric]
    assert_sums_up(union, points)
    named = store.summaries(workspace=W, run_ids=[run_id], metrics=[metric, "none"]).by_run()[run_id]
    (row,) = store.get_runs(workspace=W, run_ids=[run_id], columns=ALL_COLUMNS)
    assert row is not None
    (chosen,) = store.get_runs(workspace=W, run_ids=[run_id], columns=Columns(metrics=(metric,), params=(), tags=()))
    assert chosen is not None
    (found,) = [row for row in search(store, columns=ALL_COLUMNS) if row.run.id == run_id]
    for other in (named, chosen.metrics):
        assert list(other) == [metric]
    for other in (named, row.metrics, chosen.metrics, found.metrics):
        assert repr(other[metric]) == repr(union)  # by repr, for NaN is not itself
    (latest,) = store.get_runs(workspace=W, run_ids=[run_id], columns=Columns(last=True))
    assert latest is not None
    assert not latest.metrics
    assert list(latest.last.metrics) == list(row.metrics)
    columns = (latest.last.steps, latest.last.times, latest.last.values)
    lasts = [Sample(*point) for point in zip(*columns, strict=True)]
    assert list(map(one, lasts)) == [one(summary.last) for summary in row.metrics.values()]
    for info in store.list_series(workspace=W, run_id=run_id, metric=metric):
        assert_sums_up(info.summary, read_points(store, selector(run_id, metric, info.labels)))


@pytest.mark.parametrize("where", PLACES)
def test_a_summary_is_that_of_the_points(shelf: Shelf, store: Store, where: str):
    place(shelf, where, some_rows())
    assert_all_agree(shelf.store, RUN, "loss")


@pytest.mark.parametrize("where", PLACES)
def test_a_summary_over_labels_is_that_of_all_their_points(shelf: Shelf, store: Store, where: str):
    sets: list[Labels] = [(), (("w", "0"),), (("w", "1"),)]
    for number, labels in enumerate(sets):
        place(shelf, where, some_rows(number * 3, 24 + number), labels=labels)
    assert_all_agree(shelf.store, RUN, "loss")
    # One of them alone has new points in memory.
    add(shelf.store, [(1000, 0, -5.0), (-1000, 0, 5.0)], labels=sets[1])
    assert_all_agree(shelf.store, RUN, "loss")


@pytest.mark.parametrize("where", PLACES)
def test_label_sets_of_runs_are_those_of_metrics_with_labels(shelf: Shelf, store: Store, where: str):
    sets: list[Labels] = [(), (("w", "0"),), (("w", "1"), ("ü", "é"))]
    for labels in sets:
        place(shelf, where, [(1, 1, 1.0)], labels=labels)
    make_runs(shelf.store, "other")
    add(shelf.store, [(1, 1, 1.0)], "other")
    add(shelf.store, [(1, 1, 1.0)], "other", metric="plain")
    found = shelf.store.label_sets(workspace=W, run_ids=[RUN, "other", "nobody"])
    assert {each.metric for each in found} == {"loss"}
    assert [each.labels for each in found if each.run_id == RUN] == sets
    assert [each.labels for each in found if each.run_id == "other"] == [()]
    assert len(found) == len(sets) + 1
    assert shelf.store.label_sets(workspace="elsewhere", run_ids=[RUN]) == []


@pytest.mark.parametrize("rows", [[(1, 1, value)] for value in VALUES] + [[(1, 1, math.nan), (2, 2, math.inf)]])
def test_a_metric_without_a_finite_value_says_so(store: Store, rows: list[Row]):
    add(store, rows)
    assert_all_agree(store, RUN, "loss")
    store.flush()
    assert_all_agree(store, RUN, "loss")
    add(store, [(0, 0, -math.inf)])
    assert_all_agree(store, RUN, "loss")


def repeated(store: Store) -> bool:
    (info,) = store.list_series(workspace=W, run_id=RUN)
    return info.summary.repeated_steps


def test_a_step_that_repeats_is_never_missed(shelf: Shelf, store: Store):
    for step in range(0, 40, 2):
        add(shelf.store, [(step, 0, 0.0)])
        if step % 8 == 0:
            shelf.store.flush()
    assert not repeated(shelf.store), "steps that rise do not repeat"
    add(shelf.store, [(10, 0, 0.0)])
    assert not repeated(shelf.store), "a retry is no point"
    add(shelf.store, [(10, 1, 0.0)])
    assert repeated(shelf.store)
    for again in (shelf.revive, shelf.reopen):
        assert repeated(again())
        add(shelf.store, [(100, 0, 0.0), (101, 0, 0.0)])
        shelf.store.flush()
        assert repeated(shelf.store)


def test_a_repeat_of_a_step_across_a_flush_is_not_missed(store: Store):
    add(store, [(1, 0, 0.0), (2, 0, 0.0)])
    store.flush()
    add(store, [(2, 1, 0.0)])
    assert repeated(store)
    store.flush()
    assert repeated(store)


def test_the_latest_is_the_greatest_step_then_time_then_value(store: Store):
    add(store, [(5, 9, 1.0), (5, 9, 2.0), (5, 8, 3.0), (4, 100, 4.0)])
    store.flush()
    add(store, [(5, 9, 1.5)])
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]["loss"].last == (5, 9, 2.0)
    add(store, [(5, 9, math.nan)])
    assert math.isnan(store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]["loss"].last.value)


def test_series_are_sorted_by_metric_and_labels(store: Store):
    names: list[tuple[str, Labels]] = [("b", (("y", "1"),)), ("a", (("x", "2"),)), ("b", ()), ("B", ()), ("a", ())]
    change(store, points=batch_of({name: [(1, 1, 1.0)] for name in names}))
    for _ in range(2):
        infos = store.list_series(workspace=W, run_id=RUN)
        assert [(info.metric, info.labels) for info in infos] == sorted(names)
        store.flush()
    assert [info.labels for info in store.list_series(workspace=W, run_id=RUN, metric="a")] == [(), (("x", "2"),)]
    assert list(store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]) == ["B", "a", "b"]


@pytest.mark.parametrize(
    ("prefixes", "found"),
    [
        (["a/"], ["a/1", "a/2"]),
        (["a"], ["a", "a/1", "a/2", "ab"]),
        (["ab", "a", "ab"], ["a", "a/1", "a/2", "ab"]),
        (["\ud7ff"], ["\ud7ffx"]),
        (["\U0010ffff"], ["\U0010ffff", "\U0010ffff\U0010ffff"]),
        (["b\U0010ffff"], ["b\U0010ffffc"]),
        (["none", "\U0010ffffx"], []),
        ([], []),
    ],
)
def test_series_are_found_by_the_beginning_of_their_metric(store: Store, prefixes: list[str], found: list[str]):
    metrics = ["a", "a/1", "a/2", "ab", "b", "b\U0010ffffc", "c", "\ud7ffx", "\ue000", "\U0010ffff", "\U0010ffff" * 2]
    change(store, points=batch_of({(metric, ()): [(1, 1, 1.0)] for metric in metrics}))
    make_runs(store, "other")
    change(store, "other", points=batch_of({("a/of-another-run", ()): [(1, 1, 1.0)]}))
    for _ in range(2):
        infos = store.list_series(workspace=W, run_id=RUN, prefixes=prefixes)
        assert [info.metric for info in infos] == found
        assert all(info.summary.count == 1 for info in infos)
        assert len(store.list_series(workspace=W, run_id=RUN, prefixes=[""])) == len(metrics)
        store.flush()


def test_summaries_of_many_runs_and_of_those_that_are_not_there(store: Store):
    ids = [f"many-{n}" for n in range(300)]
    make_runs(store, *ids)
    for number, run_id in enumerate(ids):
        add(store, [(number, 0, float(number))], run_id)
        if number == 150:
            store.flush()
    found = store.summaries(workspace=W, run_ids=[*ids, "none"], metrics=["loss"]).by_run()
    assert {run_id: by_metric["loss"].last.value for run_id, by_metric in found.items()} == {
        run_id: float(number) for number, run_id in enumerate(ids)
    }
    assert store.summaries(workspace="elsewhere", run_ids=ids).by_run() == {}
    assert store.list_series(workspace="elsewhere", run_id=ids[0]) == []

"""The head: what a reader sees of it while it changes."""

import numpy as np
import pytest

from stepwell.core.buckets import Buckets
from stepwell.core.series import Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.embedded import head as head_module
from stepwell.storage.embedded.head import ARRIVAL, BITS, COLUMNS, STEP, Appended, Head, Series, points_of, sum_up


def rows(steps: list[int], first_arrival: int) -> np.ndarray:
    found = np.zeros((COLUMNS, len(steps)), np.int64)
    found[STEP] = steps
    found[BITS] = np.asarray(steps, np.float64).view(np.int64)
    found[ARRIVAL] = np.arange(first_arrival, first_arrival + len(steps))
    return found


def put(head: Head, series: Series, steps: list[int], *, in_order: bool = True) -> None:
    part = rows(steps, head.end)
    greatest = (max(steps), 0, 0, 0)
    head.publish([Appended(series=series, rows=part, in_order=in_order, greatest=greatest)], end=head.end + len(steps))


def series() -> Series:
    return Series(key=1, run_key=1, name=("loss", ()), stored=None)


def test_a_state_stays_as_it_was_taken() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2])
    (_, before), *_ = head.dirty()
    for step in range(3, 50):
        put(head, one, [step])
    assert before.points().step.tolist() == [1, 2]
    assert head.dirty()[0][1].points().step.tolist() == list(range(1, 50))
    assert head.points == 49


def test_late_points_are_read_in_order() -> None:
    head, one = Head(), series()
    put(head, one, [5, 9])
    put(head, one, [1, 7], in_order=False)
    assert head.dirty()[0][1].points().step.tolist() == [1, 5, 7, 9]


def test_the_summary_follows_and_survives_a_flush() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2, 3])
    first = one.summary(one.state)
    assert first is not None
    assert first.count == 3
    put(head, one, [4])
    moved = one.summary(one.state)
    assert moved is not None
    n = one.state.n
    put(head, one, [5])
    head.flushed([(one, n, moved)])
    assert head.points == 1
    total = one.summary(one.state)
    assert total is not None
    assert (total.count, total.first.step, total.last.step) == (5, 1, 5)
    assert moved == Summary.of(points_of(rows([1, 2, 3, 4], 0)).sorted(Order.KEY))


def test_late_points_that_came_during_a_flush_are_read_in_order() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2])
    moved = one.summary(one.state)
    assert moved is not None
    put(head, one, [7, 8], in_order=True)
    put(head, one, [3, 9], in_order=False)
    head.flushed([(one, 2, moved)])
    assert one.state.points().step.tolist() == [3, 7, 8, 9]
    put(head, one, [10])
    assert one.state.points().step.tolist() == [3, 7, 8, 9, 10]


def test_a_clean_series_is_not_dirty_and_still_known() -> None:
    head, one = Head(), series()
    put(head, one, [1])
    summary = one.summary(one.state)
    assert summary is not None
    head.flushed([(one, 1, summary)])
    assert head.dirty() == []
    assert head.points == 0
    assert head.find(1, [("loss", ())]) == [one]
    assert head.flushes == 1


def test_the_series_that_are_clean_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "SERIES_KEPT", 2)
    head = Head()
    many = [Series(key=n, run_key=n // 3, name=(f"m{n}", ()), stored=None) for n in range(9)]

    def flush(chosen: list[Series]) -> None:
        head.flushed([(one, one.state.n, total) for one in chosen if (total := one.summary(one.state))])

    def known() -> list[int]:
        return [n for n, one in enumerate(many) if head.find(one.run_key, [(one.metric, ())]) == [one]]

    for one in many:
        put(head, one, [1])
    flush(many[:4])
    assert known() == [2, 3, 4, 5, 6, 7, 8], "the dirty ones and the two that were cleaned last"
    put(head, many[2], [2])
    flush(many[4:])
    assert known() == [2, 7, 8]
    head.forget_runs([0, 2])
    assert (known(), head.points, head.dirty()) == ([], 0, [])


def test_a_purged_run_leaves_nothing_and_a_late_flush_of_it_does_no_harm() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2])
    summary = one.summary(one.state)
    assert summary is not None
    head.forget_runs([1])
    assert (head.points, head.dirty(), head.find(1, [("loss", ())])) == (0, [], [None])
    head.flushed([(one, 2, summary)])
    assert head.points == 0


def test_capture_takes_what_matches() -> None:
    head = Head()
    plain, labelled = series(), Series(key=2, run_key=1, name=("loss", (("phase", "train"),)), stored=None)
    put(head, plain, [1])
    put(head, labelled, [2])
    assert {s.key for s, _ in head.capture(1, "loss", None)[1]} == {1, 2}
    assert {s.key for s, _ in head.capture(1, "loss", ())[1]} == {1}
    assert head.capture(1, "other", None)[1] == []
    assert head.capture(2, None, None)[1] == []
    assert len(head.capture(1, None, None)[1]) == 2


def test_many_series_are_summed_up_at_once_and_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored summaries, nothing new, one new point, several, late ones; NaN, infinities and both zeros among them."""
    rng = np.random.default_rng(1)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5])
    head = Head()
    every = [Series(key=key, run_key=key, name=("loss", ()), stored=None) for key in range(60)]
    calls = 0

    def of(points: Points, edges: np.ndarray) -> Buckets:
        nonlocal calls
        calls += 1
        return real(points, edges)

    real = Buckets.of
    monkeypatch.setattr(Buckets, "of", of)
    for _ in range(3):
        for one, count in zip(every, rng.integers(0, 5, len(every)).tolist(), strict=True):
            part = np.zeros((COLUMNS, count), np.int64)
            part[STEP] = np.sort(rng.integers(0, 1_000, count))
            part[BITS] = rng.choice(special, count).view(np.int64)
            part[ARRIVAL] = head.end + np.arange(count)
            part = part[:, np.lexsort(points_of(part).sort_columns(Order.KEY)[::-1])]
            if count:
                appended = Appended(series=one, rows=part, in_order=False, greatest=points_of(part).key(-1))
                head.publish([appended], end=head.end + count)
        captured, calls = head.dirty(), 0
        totals = sum_up(captured)
        assert calls == 1
        assert [repr(one.summary(state)) for one, state in captured] == [repr(total) for total in totals]
        assert calls == 1, "what was summed up is remembered"
        for (_, state), total in zip(captured, totals, strict=True):
            assert total is not None
            alone = Summary.of(state.points())
            exact = ("count", "first", "last", "min", "max", "finite_count", "nan_count", "pos_inf_count", "min_time")
            assert [repr(getattr(total, name)) for name in exact] == [repr(getattr(alone, name)) for name in exact]
            assert total.mean == pytest.approx(alone.mean, nan_ok=True)
            assert total.variance == pytest.approx(alone.variance, nan_ok=True)

"""The head: what a reader sees of it while it changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.buckets import Buckets
from stepwell.core.series import Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.embedded import head as head_module
from stepwell.storage.embedded import pieces
from stepwell.storage.embedded.head import Head, Series
from stepwell.storage.embedded.pieces import ARRIVAL, BITS, COLUMNS, STEP, Piece, points_of
from stepwell.storage.embedded.summing import live_of, sum_up


def rows(steps: list[int], first_arrival: int) -> np.ndarray:
    found = np.zeros((COLUMNS, len(steps)), np.int64)
    found[STEP] = steps
    found[BITS] = np.asarray(steps, np.float64).view(np.int64)
    found[ARRIVAL] = np.arange(first_arrival, first_arrival + len(steps))
    return found


def put(head: Head, series: Series, steps: list[int]) -> None:
    put_rows(head, series, rows(steps, head.end))


def put_rows(head: Head, series: Series, part: np.ndarray) -> None:
    if series.slot < 0:
        head.admit(series)
    count = part.shape[1]
    head.publish([Piece(np.array([series.slot]), np.array([0, count]), part)], end=head.end + count)
    head.committed()


def summary(head: Head, series: Series) -> Summary:
    (found,) = sum_up([(series, head.state(series))])
    assert found is not None
    return found


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


def test_what_waits_is_found_by_run_and_by_metric() -> None:
    head = Head()
    names = [
        (1, "loss", ()),
        (1, "acc", ()),
        (1, "acc", (("w", "1"),)),
        (2, "loss", ()),
        (3, "acc", ()),
        (3, "loss", ()),
    ]
    every = [
        Series(key=key, run_key=run, name=(metric, labels), stored=None)
        for key, (run, metric, labels) in enumerate(names, 1)
    ]
    for one in every:
        put(head, one, [1])
    ((moved, state),) = head.dirty([3], ["acc"])
    head.flushed([(moved, state.n, Summary.of(state.points()))])
    for runs in (None, [], [1], [3, 4], [2, 1], [1, 2, 3]):
        for metrics in (None, [], ["acc"], ["loss", "none"], ["loss", "acc"]):
            wanted = [one for one in every if one is not moved and (runs is None or one.run_key in runs)]
            expected = {one.key for one in wanted if metrics is None or one.metric in metrics}
            assert {one.key for one, _ in head.dirty(runs, metrics)} == expected
    head.forget_runs([1, 2, 3])
    assert head.dirty([1, 2, 3]) == head.dirty(None, ["acc", "loss"]) == []


def test_late_points_are_read_in_order() -> None:
    head, one = Head(), series()
    put(head, one, [5, 9])
    put(head, one, [1, 7])
    assert head.dirty()[0][1].points().step.tolist() == [1, 5, 7, 9]


def test_the_summary_follows_and_survives_a_flush() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2, 3])
    assert summary(head, one).count == 3
    put(head, one, [4])
    moved = summary(head, one)
    n = head.state(one).n
    put(head, one, [5])
    head.flushed([(one, n, moved)])
    assert head.points == 1
    total = summary(head, one)
    assert (total.count, total.first.step, total.last.step) == (5, 1, 5)
    assert moved == Summary.of(points_of(rows([1, 2, 3, 4], 0)).sorted(Order.KEY))


def test_late_points_that_came_during_a_flush_are_read_in_order() -> None:
    head, one = Head(), series()
    put(head, one, [1, 2])
    moved = summary(head, one)
    put(head, one, [7, 8])
    put(head, one, [3, 9])
    head.flushed([(one, 2, moved)])
    assert head.state(one).points().step.tolist() == [3, 7, 8, 9]
    put(head, one, [10])
    assert head.state(one).points().step.tolist() == [3, 7, 8, 9, 10]


def test_a_clean_series_is_not_dirty_and_still_known() -> None:
    head, one = Head(), series()
    put(head, one, [1])
    head.flushed([(one, 1, summary(head, one))])
    assert head.dirty() == []
    assert head.points == 0
    assert head.find(1, [("loss", ())]) == [one]
    assert head.flushes == 1


def test_the_series_that_are_clean_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "SERIES_KEPT", 2)
    head = Head()
    many = [Series(key=n, run_key=n // 3, name=(f"m{n}", ()), stored=None) for n in range(9)]

    def flush(chosen: list[Series]) -> None:
        head.flushed([(one, head.state(one).n, summary(head, one)) for one in chosen])

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
    total = summary(head, one)
    head.forget_runs([1])
    assert (head.points, head.dirty(), head.find(1, [("loss", ())])) == (0, [], [None])
    head.flushed([(one, 2, total)])
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
                put_rows(head, one, part)
        captured, calls = head.dirty(), 0
        totals = sum_up(captured)
        assert calls == 1
        assert [repr(sum_up([each])[0]) for each in captured] == [repr(total) for total in totals]
        assert calls == 1, "what was summed up is remembered"
        for (_, state), total in zip(captured, totals, strict=True):
            assert total is not None
            alone = Summary.of(state.points())
            exact = ("count", "first", "last", "min", "max", "finite_count", "nan_count", "pos_inf_count", "min_time")
            assert [repr(getattr(total, name)) for name in exact] == [repr(getattr(alone, name)) for name in exact]
            assert total.mean == pytest.approx(alone.mean, nan_ok=True)
            assert total.variance == pytest.approx(alone.variance, nan_ok=True)


def test_what_did_not_change_is_told_without_an_object() -> None:
    head, one, other = Head(), series(), Series(key=2, run_key=1, name=("accuracy", (("w", "1"),)), stored=None)
    put(head, one, [1, 2])
    put(head, other, [5])
    first = live_of(head.dirty())
    put(head, other, [6])
    second = live_of(head.dirty())
    assert first[0] is second[0]
    assert [live and (live.run_key, live.metric, live.labels, live.summary.count) for live in second] == [
        (1, "loss", (), 2),
        (1, "accuracy", (("w", "1"),), 2),
    ]


def test_a_commit_costs_no_series_anything_until_some_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    head, appended = Head(), 0
    every = [Series(key=key, run_key=key % 7, name=(f"m{key}", ()), stored=None) for key in range(100)]
    for one in every:
        head.admit(one)
    slots, edges = np.array([one.slot for one in every]), np.arange(101)
    real = Series.append

    def append(series: Series, rows: np.ndarray, *, in_order: bool) -> None:
        nonlocal appended
        appended += 1
        real(series, rows, in_order=in_order)

    monkeypatch.setattr(Series, "append", append)
    monkeypatch.setattr(head_module, "UNSETTLED", 30)
    for step in range(29):
        head.publish([Piece(slots, edges, rows([step] * 100, head.end))], end=head.end + 100)
    assert (appended, head.points) == (0, 2_900)
    head.publish([Piece(slots, edges, rows([29] * 100, head.end))], end=head.end + 100)
    assert appended == 100, "those of thirty commits at once"
    head.publish([Piece(slots, edges, rows([30] * 100, head.end))], end=head.end + 100)
    found = head.dirty()
    assert appended == 200, "and those that somebody reads"
    assert [state.points().step.tolist() for _, state in found] == [list(range(31))] * 100
    assert {state.in_order for _, state in found} == {True}


@pytest.mark.parametrize("part", [0, 10**6])  # each part copied alone, or all gathered row by row
@given(commits=st.lists(st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 9), min_size=1), min_size=1)))
def test_each_series_gets_its_rows_as_they_came(part: int, commits: list[dict[int, list[int]]]) -> None:
    """Also late ones, and whether there are any."""
    head = Head()
    every = [Series(key=key, run_key=1, name=(f"m{key}", ()), stored=None) for key in range(6)]
    for one in every:
        head.admit(one)
    came: dict[int, list[int]] = {key: [] for key in range(6)}
    late: set[int] = set()
    for commit in commits:
        slots = sorted((every[key].slot, key) for key in commit)
        for _, key in slots:
            commit[key].sort()
            if came[key] and max(came[key]) >= commit[key][0]:
                late.add(key)
            came[key] += commit[key]
        edges = np.append(0, np.cumsum([len(commit[key]) for _, key in slots]))
        steps = [step for _, key in slots for step in commit[key]]
        piece = Piece(np.array([slot for slot, _ in slots]), edges, rows(steps, head.end))
        head.publish([piece], end=head.end + len(steps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PART", part)
        states = [head.state(one) for one in every]
    assert [state.rows[STEP, : state.n].tolist() for state in states] == [came[key] for key in range(6)]
    assert all((np.diff(state.rows[ARRIVAL, : state.n]) > 0).all() for state in states)
    assert all(not state.in_order for state, key in zip(states, range(6), strict=True) if key in late and state.n)


def test_what_was_admitted_and_not_committed_is_forgotten() -> None:
    head = Head()
    kept, undone = (Series(key=key, run_key=key, name=("loss", ()), stored=None) for key in (1, 2))
    put(head, kept, [1])
    head.admit(undone)
    slots = head.remember(2, [undone])
    assert head.listed(2, (("loss", ()),)) is slots
    head.begin()
    assert (head.find(1, [("loss", ())]), head.find(2, [("loss", ())])) == ([kept], [None])
    assert head.listed(2, (("loss", ()),)) is None
    another = Series(key=3, run_key=2, name=("loss", ()), stored=None)
    put(head, another, [4])
    assert another.slot == undone.slot, "it is given again"
    assert head.state(another).points().step.tolist() == [4]


def test_lists_of_names_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "NAMES_KEPT", 10)
    head = Head()
    for run in range(9):
        many = [Series(key=4 * run + n, run_key=run, name=(f"m{n}", ()), stored=None) for n in range(4)]
        for one in many:
            head.admit(one)
        head.remember(run, many)
        assert head.listed(run, tuple((f"m{n}", ()) for n in range(4))) is not None
    assert len(head._lists) <= 2

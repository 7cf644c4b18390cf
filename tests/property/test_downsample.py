"""Buckets, summaries, spreads and samples against slow and exact accounts of the same points."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from point_strategies import assert_says, bucket_rows, edges_of, exact, identities, points_of, rows_of, series, told
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import last_per_step, rank_edges, sample, sample_ranks, snapped_edges, spread
from stepwell.core.series import Order, Points, value_key
from stepwell.core.summary import Sample, Summary, repeated_steps

SOME = series(min_size=1)


@given(st.data(), SOME)
def test_buckets_say_what_their_points_are(data: st.DataObject, points: Points) -> None:
    edges = data.draw(edges_of(len(points)))
    rows = rows_of(points)
    found = bucket_rows(Buckets.of(points, edges))
    assert len(found) == len(edges) - 1
    for bucket, start, end in zip(found, edges[:-1], edges[1:], strict=True):
        assert_says(bucket, exact(rows[start:end]), rows[start:end])


@given(st.data(), SOME)
def test_merging_buckets_is_as_good_as_bucketing_the_points(data: st.DataObject, points: Points) -> None:
    fine = Buckets.of(points, data.draw(edges_of(len(points))))
    coarse = data.draw(edges_of(len(fine)))
    rows = rows_of(points)
    upto = np.append(0, np.cumsum(fine.count))
    for bucket, start, end in zip(bucket_rows(fine.merge(coarse)), upto[coarse[:-1]], upto[coarse[1:]], strict=True):
        assert_says(bucket, exact(rows[start:end]), rows[start:end])


def of_summary(summary: Summary) -> dict[str, Any]:
    row = {name: value for name, value in asdict(summary).items() if name != "repeated_steps"}
    return row | {
        name: (point.step, point.time, value_key(point.value))
        for name in ("first", "last", "min", "max")
        for point in [getattr(summary, name)]
    }


@given(st.data(), series(min_size=2))
def test_summaries_merge_in_any_order_and_interleaved(data: st.DataObject, points: Points) -> None:
    parts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(points), max_size=len(points))))
    order = data.draw(st.permutations(sorted(set(parts.tolist()))))
    whole = Summary.of(points.take(parts == order[0]))
    for part in order[1:]:
        whole = whole.merge(Summary.of(points.take(parts == part)))
    assert_says(of_summary(whole), exact(rows_of(points)), rows_of(points))
    assert whole.repeated_steps or len(set(points.step.tolist())) == len(points)
    assert all(isinstance(end, Sample) for end in (whole.first, whole.last, whole.min, whole.max))


@given(st.lists(SOME, min_size=1, max_size=5))
def test_one_pass_summarises_many_series(many: list[Points]) -> None:
    edges = np.append(0, np.cumsum([len(points) for points in many]))
    joined = Points.concat(many)
    summaries = Summary.rows(Buckets.of(joined, edges), repeated_steps(joined, edges))
    for summary, points in zip(summaries, many, strict=True):
        assert_says(of_summary(summary), exact(rows_of(points)), rows_of(points))
        assert summary.repeated_steps == (len(set(points.step.tolist())) < len(points))


@given(st.integers(0, 10**12), st.integers(1, 3000))
def test_rank_edges_are_even(n: int, budget: int) -> None:
    edges = rank_edges(n, budget)
    widths = np.diff(edges)
    assert (edges[0], edges[-1], len(edges)) == (0, n, min(n, budget) + 1)
    assert not len(widths) or widths.max() - widths.min() <= 1


@given(st.lists(st.integers(1, 300), max_size=50), st.integers(1, 60))
def test_snapped_edges_rise_over_all_rows_and_keep_the_budget(counts: list[int], budget: int) -> None:
    edges = snapped_edges(np.array(counts, np.int64), budget)
    assert (edges[0], edges[-1]) == (0, len(counts))
    assert (np.diff(edges) > 0).all()
    assert len(edges) - 1 <= budget


@given(st.data(), SOME, st.integers(1, 40))
def test_a_spread_keeps_its_budget_its_ends_and_the_extremes(data: st.DataObject, points: Points, budget: int) -> None:
    buckets = Buckets.of(points, data.draw(edges_of(len(points))))
    found = told(spread([buckets], budget)[0])
    all_points = told(Buckets.of(points, np.arange(len(points) + 1)).first)
    assert 1 <= len(found) <= budget
    assert found == sorted(found)
    assert set(found) <= set(all_points)
    assert found[-1] == all_points[-1]
    if budget > 1:
        assert found[0] == all_points[0]
    if budget > 3:
        finite = [point for point in all_points if math.isfinite(points.value[all_points.index(point)])]
        assert {min((p[2] for p in finite), default=None), max((p[2] for p in finite), default=None)} - {None} <= {
            p[2] for p in found
        }


@given(st.data(), st.lists(series(), max_size=5), st.integers(1, 12))
def test_series_are_spread_together_as_each_alone(data: st.DataObject, several: list[Points], budget: int) -> None:
    buckets = [Buckets.of(points, data.draw(edges_of(len(points)))) for points in several]
    alone = [told(*spread([each], budget)) for each in buckets]
    assert list(map(told, spread(buckets, budget))) == alone


@given(series())
def test_everything_is_shown_when_it_fits(points: Points) -> None:
    single = Buckets.of(points, np.arange(len(points) + 1))
    assert told(spread([single], max(len(points), 1))[0]) == told(single.first)
    assert identities(sample(points.take(last_per_step(points)), max(len(points), 1)).points) == identities(
        points.take(last_per_step(points))
    )


@given(SOME)
def test_the_last_point_of_a_step_has_the_greatest_time_and_arrival(points: Points) -> None:
    wanted: dict[int, tuple[int, int]] = {}
    for step, time, arrival in zip(points.step.tolist(), points.time.tolist(), points.arrival.tolist(), strict=True):
        wanted[step] = max(wanted.get(step, (time, arrival)), (time, arrival))
    found = points.take(last_per_step(points))
    assert (
        dict(zip(found.step.tolist(), zip(found.time.tolist(), found.arrival.tolist(), strict=True), strict=True))
        == wanted
    )
    assert found.step.tolist() == sorted(wanted)


@given(st.integers(0, 10**9), st.integers(1, 400))
def test_a_sample_keeps_its_limit_and_its_ends(rows: int, limit: int) -> None:
    ranks, width = sample_ranks(rows, limit)
    assert len(ranks) <= limit
    assert (np.diff(ranks) > 0).all()
    assert width >= 1
    if rows:
        assert ranks[-1] == rows - 1
        assert limit == 1 or ranks[0] == 0
    if rows > limit > 2:
        strata = (ranks[1:-1] - 1) // width
        assert (np.diff(strata) == 1).all()  # one of each stratum, but for the last ones that are not full
        assert len(strata) >= (rows - 2) // width
        assert width == 1 or -(-(rows - 2) // (width // 2)) > limit - 2  # no narrower width would do
        assert width & (width - 1) == 0


@given(st.integers(3, 5000), st.integers(1, 3000), st.integers(3, 80))
def test_a_growing_series_keeps_its_sample_until_the_width_doubles(rows: int, more: int, limit: int) -> None:
    before, width = sample_ranks(rows, limit)
    after, wider = sample_ranks(rows + more, limit)
    kept = set(before[:-1].tolist()) <= set(after.tolist())
    assert kept or wider > width
    old_ranks = set(after[after < rows - 1].tolist())
    assert old_ranks <= set(before.tolist()) or width == wider  # a wider stratum keeps a choice of its halves
    assert old_ranks <= set(before.tolist())


@given(series(min_size=1), st.integers(1, 30), st.randoms(use_true_random=False))
def test_series_with_equal_steps_show_equal_steps(points: Points, limit: int, random: Any) -> None:
    steps = sorted(set(points.step.tolist()))
    one = points_of([(step, random.randrange(9), random.random()) for step in steps])
    other = points_of([(step, random.randrange(9), random.random()) for step in steps])
    assert sample(one, limit).points.step.tolist() == sample(other, limit).points.step.tolist()


@given(SOME, st.integers(1, 30))
def test_a_sample_is_part_of_the_series(points: Points, limit: int) -> None:
    found = sample(points, limit)
    assert set(identities(found.points)) <= set(identities(points))
    assert found.rows == len(set(points.step.tolist()))
    assert found.points.step.tolist() == sorted(set(found.points.step.tolist()))
    assert identities(found.points) == identities(found.points.sorted(Order.KEY))

import math

import numpy as np
import pytest

from point_strategies import bucket_rows, points_of, told
from stepwell.core.buckets import PIECE, Buckets, Samples
from stepwell.core.downsample import rank_edges, sample, sample_ranks, snapped_edges, spread
from stepwell.core.series import Points
from stepwell.core.summary import Sample, Summary, repeated_steps

NAN, INF = math.nan, math.inf
MILLION = 1_000_000


def line(values, *, step=None, time=None):
    n = len(values)
    return Points(
        step=np.arange(n) if step is None else np.asarray(step, np.int64),
        time=np.arange(n) * 1000 if time is None else np.asarray(time, np.int64),
        value=np.asarray(values, np.float64),
        occurrence=np.zeros(n, np.int64),
        arrival=np.arange(n),
    )


def whole(values):
    return Buckets.of(line(values), np.array([0, len(values)]))


def summary(values, start=0):
    return Summary.of(line(values, step=np.arange(start, start + len(values))))


def noisy(n=MILLION, seed=1):
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("budget", [3, 4, 5, 7, 100, 320, 2500])
@pytest.mark.parametrize("place", [1, 499_999, 777_777, MILLION - 2])
@pytest.mark.parametrize("peak", [1e9, -1e9])
def test_one_spike_in_a_million_is_seen_at_every_zoom(budget, place, peak):
    values = np.zeros(MILLION)
    values[place] = peak
    nodes = Buckets.of(line(values), np.append(np.arange(0, MILLION, 128), MILLION))
    found = spread([nodes], budget)[0]
    assert (place, peak) in zip(found.step.tolist(), found.value.tolist(), strict=True)
    assert len(found) <= budget


@pytest.mark.parametrize("edges", [rank_edges(5 * PIECE, 77), rank_edges(5 * PIECE, 4_000), [0, 5, 5 * PIECE]])
def test_pieces_make_no_difference(edges):
    values = noisy(5 * PIECE)
    values[[3, 40_000, 40_001]] = NAN, INF, -INF
    points, edges = line(values), np.asarray(edges)
    at_once = Buckets._of(points, edges[:-1], edges[1:])
    assert str(bucket_rows(Buckets.of(points, edges))) == str(bucket_rows(at_once))  # as text, NaN equals itself


def test_equal_widths_and_other_widths_find_the_same_extremes():
    points = line(np.round(noisy(1024), 1))  # many ties
    even = Buckets.of(points, np.arange(0, 1025, 128))
    uneven = Buckets.of(points, np.array([0, 1, *range(128, 1025, 128)]))
    assert told(even.min)[1:] == told(uneven.min)[2:]
    assert told(even.max)[1:] == told(uneven.max)[2:]


@pytest.mark.parametrize("edges", [[], [0], [0, 2], [1, 3], [0, 2, 2, 3], [0, 3, 1], [0, 4]])
def test_edges_that_do_not_cover_the_points_are_refused(edges):
    with pytest.raises(ValueError, match="rise strictly from 0 to 3"):
        Buckets.of(line([1, 2, 3]), np.array(edges, np.int64))


def test_no_points_make_no_buckets():
    none = Buckets.of(Points.empty(), np.array([0]))
    assert len(none) == len(none.merge(np.array([0]))) == len(Buckets.concat([])) == len(spread([none], 5)[0]) == 0
    assert len(Buckets.concat([none, whole([1.0])])) == 1
    assert len(sample(Points.empty(), 5).points) == 0
    assert repeated_steps(Points.empty(), np.array([0])).tolist() == []


def test_equal_values_have_themselves_as_mean_and_no_variance():
    for buckets in (whole([0.1] * 1000), Buckets.of(line([0.1] * 1000), rank_edges(1000, 7)).merge(np.array([0, 7]))):
        assert (buckets.mean[0], buckets.m2[0]) == (0.1, 0.0)
    total = summary([0.1] * 3)
    for start in range(3, 30, 3):
        total = total.merge(summary([0.1] * 3, start))
    assert (total.mean, total.m2, total.variance) == (0.1, 0.0, 0.0)


def test_means_of_the_largest_doubles_do_not_overflow():
    top = 1.7976931348623157e308
    assert whole([top] * 500).mean[0] == top
    assert whole([top, -top]).mean[0] == 0.0
    assert Buckets.of(line([top] * 500), rank_edges(500, 9)).merge(np.array([0, 9])).mean[0] == top
    assert summary([top]).merge(summary([top], 1)).mean == top


def test_a_spread_of_values_too_wide_for_a_double_is_infinite_not_wrong():
    wide = [1e308, -1e308, 1e308]
    assert whole(wide).m2[0] == INF
    assert summary(wide[:1]).merge(summary(wide[1:], 1)).variance == INF
    assert math.isclose(whole([1e153, -1e153]).m2[0], 2e306)


def test_variance_keeps_its_digits_far_from_zero():
    offset = 1e9
    buckets = whole(np.array([4.0, 7.0, 13.0, 16.0]) + offset)
    assert (buckets.mean[0], buckets.m2[0]) == (offset + 10.0, 90.0)
    assert summary([offset + 4, offset + 7]).merge(summary([offset + 13, offset + 16], 2)).variance == 30.0


def test_a_mean_between_two_doubles_does_not_spoil_the_variance():
    near = [1e16, 1e16 + 2]  # their mean is no double
    assert whole(near).m2[0] == 2.0
    assert Buckets.of(line(near), np.arange(3)).merge(np.array([0, 2])).m2[0] == 2.0


def test_points_of_one_step_and_time_stand_in_the_order_of_their_values():
    def at(value):
        return Summary.of(line([value], step=[4], time=[4]))

    for a, b in ((-0.0, 0.0), (1.0, NAN), (-INF, INF)):
        for both in (at(a).merge(at(b)), at(b).merge(at(a))):
            assert str([both.first_value, both.last_value]) == str([a, b])


@pytest.mark.parametrize("budget", range(4, 30))
def test_rugged_series_fill_their_budget_and_no_more(budget):
    nodes = Buckets.of(line(noisy(5000, seed=budget)), rank_edges(5000, 500))
    assert budget - 3 <= len(spread([nodes], budget)[0]) <= budget


def test_without_finite_values_the_place_of_the_extremes_is_the_first_point():
    late, early = summary([NAN, INF], 7), summary([INF, NAN], 3)
    for both in (late.merge(early), early.merge(late)):
        assert (both.min.step, both.max.step) == (3, 3)
        assert math.isnan(both.min_value)


def test_minus_zero_is_below_zero_and_ties_go_to_the_earlier_point():
    buckets = whole([0.0, -0.0, 0.0, -0.0])
    assert (buckets.min.step[0], buckets.max.step[0]) == (1, 0)
    late, early = summary([0.0, -0.0], 10), summary([-0.0, 0.0], 0)
    for both in (late.merge(early), early.merge(late)):
        assert (both.min.step, both.max.step) == (0, 1)
        assert math.copysign(1, both.min_value) == -1
    zero, minus = summary([0.0], 1), summary([-0.0], 2)
    for both in (zero.merge(minus), minus.merge(zero)):
        assert (both.min.step, both.max.step) == (2, 1)


def test_without_finite_values_there_is_no_mean_and_the_ends_are_kept():
    buckets = whole([NAN, INF, -INF, NAN])
    assert math.isnan(buckets.mean[0])
    assert math.isnan(buckets.min.value[0])
    assert buckets.min.step[0] == 0
    assert [int(column[0]) for column in (buckets.nan_count, buckets.pos_inf_count, buckets.neg_inf_count)] == [2, 1, 1]
    assert math.isnan(summary([NAN, 1.0]).variance)
    assert math.isnan(summary([NAN]).merge(summary([INF], 1)).max_value)


def test_a_summary_grows_after_before_and_between():
    total = summary([5.0, 7.0], 10)
    after, before, between = summary([1.0], 20), summary([9.0], 0), Summary.of(line([NAN], step=[10], time=[500]))
    total = total.merge(after)
    assert (total.last_value, total.min_value, total.repeated_steps) == (1.0, 1.0, False)
    total = total.merge(before)
    assert (total.first_value, total.max_value, total.repeated_steps) == (9.0, 9.0, False)
    assert total.max == Sample(0, 0, 9.0)
    assert total.merge(between, repeated=False).repeated_steps is False
    total = total.merge(between)
    assert (total.first_value, total.last_value, total.nan_count, total.count) == (9.0, 1.0, 1, 5)
    assert total.repeated_steps is True


def test_a_stretch_without_finite_values_does_not_vanish_from_a_chart():
    values = np.zeros(1000)
    values[400:600] = NAN
    found = spread([Buckets.of(line(values), np.arange(1001))], 40)[0]
    shown = found.step[np.isnan(found.value)]
    assert len(shown) == 3  # of 19 buckets those that lie within the stretch
    assert ((shown >= 400) & (shown < 600)).all()


def test_small_budgets():
    nodes = Buckets.of(line([0.0, 1.0, -5.0, 3.0, 2.0]), np.arange(6))
    assert spread([nodes], 1)[0].step.tolist() == [4]
    assert spread([nodes], 2)[0].step.tolist() == [0, 4]
    assert spread([nodes], 3)[0].step.tolist() == [0, 2, 4]
    rising = Buckets.of(line([0.0, 1.0, 2.0, 3.0]), np.arange(5))
    assert spread([rising], 3)[0].step.tolist() == [0, 3]  # both extremes are ends
    peak_at_end = Buckets.of(line([0.0, -1.0, 0.0, 99.0]), np.arange(5))
    assert spread([peak_at_end], 3)[0].step.tolist() == [0, 1, 3]
    assert spread([whole([NAN, INF, NAN])], 3)[0].step.tolist() == [0, 2]
    assert spread([whole([1.0])], 3)[0].step.tolist() == [0]


@pytest.mark.parametrize(
    "choose", [lambda n: rank_edges(5, n), lambda n: sample_ranks(5, n), lambda n: spread([whole([1.0])], n)]
)
def test_a_budget_below_one_is_refused(choose):
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        choose(0)


def test_snapped_edges_follow_the_points_not_the_rows():
    assert snapped_edges(np.array([1, 1, 1, 1, 100, 100]), 2).tolist() == [0, 5, 6]
    assert snapped_edges(np.array([128] * 8), 4).tolist() == [0, 2, 4, 6, 8]
    assert snapped_edges(np.array([5, 5]), 9).tolist() == [0, 1, 2]


def test_a_sample_of_a_million_points_is_small_and_spread_out():
    found = sample(line(noisy()), 1000)
    assert (found.rows, found.width) == (MILLION, 1024)
    assert 970 <= len(found.points) <= 1000
    assert (np.diff(found.points.step) < 2 * 1024).all()
    odd = int((found.points.step % 2).sum())
    assert 350 < odd < 650  # not aliased on periodic series


def test_samples_of_small_limits():
    points = line(range(10))
    assert sample(points, 1).points.step.tolist() == [9]
    assert sample(points, 2).points.step.tolist() == [0, 9]
    assert len(sample(points, 3).points) <= 3
    assert sample(points, 10).points.step.tolist() == list(range(10))
    assert (sample(points, 10).rows, sample(points, 10).width) == (10, 1)


def test_a_step_with_many_points_shows_the_one_with_the_greatest_time_then_arrival():
    points = points_of([(0, 5, 1.0), (0, 9, 3.0), (0, 9, 2.0), (1, 0, 8.0)], [4, 7, 6, 1])
    found = sample(points, 10)
    assert found.points.value.tolist() == [2.0, 8.0]
    assert found.rows == 2


def test_rows_of_buckets_can_be_taken():
    buckets = Buckets.of(line([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 2, 4]))
    rows = bucket_rows(buckets)
    for index in (np.array([2, 0]), np.array([True, False, True]), slice(1, None), slice(0, 0)):
        assert bucket_rows(buckets.take(index)) == [rows[i] for i in np.arange(3)[index]]


def test_samples_can_be_joined_and_taken():
    one = Samples.of(line([1.0, 2.0]), [1, 0])
    assert told(Samples.concat([one, one.take([0])])) == [*told(one), told(one)[0]]
    assert len(Samples.concat([])) == 0

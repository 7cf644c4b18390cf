"""What filters and orders mean, case by case."""

from __future__ import annotations

import math

import pytest

from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filter_match import RowValues, compile_like, matches, sort_rows
from stepwell.core.filters import EXPERIMENTS, RUNS, Aggregate

ROW = RowValues(
    metrics={
        "loss": {Aggregate.LAST: 0.5, Aggregate.MIN: 0.25, Aggregate.MAX: 2.0, Aggregate.MEAN: 1.0, Aggregate.COUNT: 9},
        "nan": {Aggregate.LAST: math.nan, Aggregate.COUNT: 1},
        "inf": {Aggregate.LAST: math.inf},
        "zero": {Aggregate.LAST: -0.0},
    },
    params={"model": "ResNet", "lines": "a\nb", "empty": ""},
    tags={"stage": "prod", "a b": "it's"},
    attributes={"run_id": "r1", "run_name": "swift-tide", "start_time": 1000, "end_time": None, "status": "RUNNING"},
    datasets=({"name": "digits", "digest": "d1", "context": "train"}, {"name": "iris", "digest": "d2"}),
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metrics.loss = 0.5",
        "metrics.loss < 0.6 AND metrics.loss > 0.4",
        "min(metrics.loss) = 0.25",
        "max(metrics.loss) >= 2",
        "mean(metrics.loss) <= 1",
        "count(metrics.loss) = 9",
        "last(metrics.loss) = .5",
        "metrics.nan != 0",
        "count(metrics.nan) = 1",
        "metrics.inf > 1e308",
        "metrics.zero = 0",
        "metrics.zero >= 0",
        "params.model = 'ResNet'",
        "params.model != 'resnet'",
        "params.model LIKE 'Res%'",
        "params.model ILIKE '%NET'",
        "params.model LIKE '_es_et'",
        "params.lines LIKE 'a%b'",
        "params.lines LIKE 'a_b'",
        "params.empty = ''",
        "params.empty LIKE '%'",
        "params.empty IS NOT NULL",
        "params.absent IS NULL",
        'tags.`a b` = "it\'s"',
        "tags.stage IS NOT NULL",
        "run_id IN ('r0', 'r1')",
        "run_id NOT IN ('r0')",
        "start_time <= 1000",
        "start_time > 999.5",
        "dataset.name = 'iris'",
        "dataset.name != 'iris'",
        "dataset.name = 'digits' AND dataset.digest = 'd2'",
        "dataset.context IN ('train', 'test')",
        "dataset.name NOT IN ('iris')",
        "dataset.digest ILIKE 'D_'",
    ],
)
def test_these_match(text: str):
    assert matches(parse_filter(text, schema=RUNS), ROW)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.loss != 0.5",
        "metrics.loss = 0.5 AND metrics.loss > 1",
        "metrics.absent != 1",
        "metrics.Loss = 0.5",
        "metrics.nan = 0",
        "metrics.nan > -1",
        "metrics.nan <= 1e308",
        "min(metrics.nan) != 0",
        "metrics.zero < 0",
        "params.model LIKE 'res%'",
        "params.model LIKE 'Res'",
        "params.model LIKE '%Res'",
        "params.model LIKE 'ResNet_'",
        "params.absent != 'x'",
        "params.absent LIKE '%'",
        "params.absent IS NOT NULL",
        "params.empty IS NULL",
        "tags.stage = 'PROD'",
        "user_id != 'somebody'",
        "end_time != 5",
        "end_time > 5",
        "run_id NOT IN ('r1')",
        "dataset.context != 'train'",
        "dataset.context NOT IN ('train')",
        "dataset.name NOT IN ('iris', 'digits')",
        "dataset.name = 'absent'",
    ],
)
def test_these_do_not_match(text: str):
    assert not matches(parse_filter(text, schema=RUNS), ROW)


def test_an_empty_row_matches_only_what_asks_for_nothing():
    assert matches(parse_filter("params.x IS NULL", schema=RUNS), RowValues())
    assert not matches(parse_filter("dataset.name != 'x'", schema=RUNS), RowValues())


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a%a", "a", False),
        ("a%a", "aa", True),
        ("%a%a%", "a", False),
        ("a%b%c", "a-b-b-c", True),
        ("%_b", "b", False),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("\\%", "\\anything", True),
        ("", "", True),
        ("", "a", False),
        ("_", "𝛼", True),
        ("_", "", False),
    ],
)
def test_like(pattern: str, text: str, *, expected: bool):
    assert compile_like(pattern)(text) is expected


def test_a_hostile_pattern_is_cheap():
    assert not compile_like("%a" * 900 + "b")("a" * 8000)


def test_ilike_lowers_both_sides_and_then_counts_code_points():
    ilike = compile_like("i_", ignore_case=True)
    assert ilike("İ")  # its lower case is two code points
    assert not compile_like("STRASSE", ignore_case=True)("straße")


def names(rows: list[RowValues]) -> list[str]:
    return [row.tags["name"] for row in rows]


def metric_rows() -> list[RowValues]:
    values = {"none": None, "nan": math.nan, "two": 2.0, "-inf": -math.inf, "one": 1.0, "+inf": math.inf}
    return [
        RowValues(tags={"name": name}, metrics={} if value is None else {"m": {Aggregate.LAST: value}})
        for name, value in values.items()
    ]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("metrics.m", ["-inf", "one", "two", "+inf", "nan", "none"]),
        ("metrics.m DESC", ["+inf", "two", "one", "-inf", "nan", "none"]),
        ("max(metrics.m)", ["none", "nan", "two", "-inf", "one", "+inf"]),  # nobody has it: as they came
    ],
)
def test_missing_is_last_and_nan_before_it_in_both_directions(order: str, expected: list[str]):
    assert names(sort_rows(metric_rows(), parse_order([order], schema=RUNS), schema=RUNS)) == expected


def test_the_first_field_counts_most_and_ties_keep_their_order():
    rows = [RowValues(tags={"name": name, "k": name[0]}, params={"p": name[1]}) for name in ("b1", "a2", "b2", "a1")]
    by_both = parse_order(["tags.k", "params.p DESC"], schema=RUNS)
    assert names(sort_rows(rows, by_both, schema=RUNS)) == ["a2", "a1", "b2", "b1"]
    assert names(sort_rows(rows, parse_order(["tags.k DESC"], schema=RUNS), schema=RUNS)) == ["b1", "b2", "a2", "a1"]


def test_experiment_ids_sort_as_numbers():
    rows = [RowValues(tags={"name": text}, attributes={"experiment_id": text}) for text in ("10", "9", "2", "100")]
    order = parse_order(["experiment_id"], schema=EXPERIMENTS)
    assert names(sort_rows(rows, order, schema=EXPERIMENTS)) == ["2", "9", "10", "100"]

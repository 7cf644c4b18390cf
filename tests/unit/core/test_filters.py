"""Schemas, completed orders and times of filters."""

from __future__ import annotations

import pytest

from stepwell.core.filter_grammar import parse_filter, parse_order, render, render_order
from stepwell.core.filters import EXPERIMENTS, RUNS, Field, Kind, Op, complete_order, milliseconds_to_microseconds


@pytest.mark.parametrize(
    ("name", "expected"),
    [("run_name", "run_name"), ("Run Name", "run_name"), ("created", "start_time"), ("Created", "start_time")],
)
def test_attributes_answer_to_their_aliases(name: str, expected: str):
    attribute = RUNS.attribute(name)
    assert attribute is not None
    assert attribute.name == expected


@pytest.mark.parametrize("name", ["RUN_NAME", "experiment_id", "", "metrics"])
def test_other_names_are_no_attributes_of_runs(name: str):
    assert RUNS.attribute(name) is None
    assert RUNS.ops(Field(kind=Kind.ATTRIBUTE, key=name)) == frozenset()
    assert not RUNS.is_numeric(Field(kind=Kind.ATTRIBUTE, key=name))


def test_experiments_have_tags_and_attributes_only():
    assert [kind for kind in Kind if EXPERIMENTS.ops(Field(kind=kind, key="name"))] == [Kind.TAG, Kind.ATTRIBUTE]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("metrics.m", "< <= > >= = !="),
        ("start_time", "< <= > >= = !="),
        ("end_time", "< <= > >= = !="),
        ("duration", "< <= > >= = !="),
        ("params.p", "= != LIKE ILIKE|IS NULL|IS NOT NULL"),
        ("tags.t", "= != LIKE ILIKE|IS NULL|IS NOT NULL"),
        ("run_name", "= != LIKE ILIKE"),
        ("user_id", "= != LIKE ILIKE"),
        ("status", "= != LIKE ILIKE"),
        ("artifact_uri", "= != LIKE ILIKE"),
        ("run_id", "= != LIKE ILIKE IN|NOT IN"),
    ],
)
def test_operators_of_runs(field: str, expected: str):
    (by,) = parse_order([field], schema=RUNS)
    first, *spaced = expected.split("|")
    assert RUNS.ops(by.field) == {Op(text) for text in [*first.split(), *spaced]}


def test_an_order_is_completed_by_the_default_one():
    completed = complete_order(parse_order(["metrics.m DESC", "run_id DESC"], schema=RUNS), schema=RUNS)
    assert render_order(completed) == ["metrics.m DESC", "run_id DESC", "start_time DESC"]
    assert render_order(complete_order((), schema=RUNS)) == ["start_time DESC", "run_id ASC"]
    assert render_order(complete_order((), schema=EXPERIMENTS)) == ["creation_time DESC", "experiment_id DESC"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("start_time > 5", "start_time >= 6000"),
        ("start_time >= 5", "start_time >= 5000"),
        ("start_time = 5", "start_time >= 5000 AND start_time < 6000"),
        ("start_time != 5", "start_time != 5000"),
        ("start_time < 5", "start_time < 5000"),
        ("start_time <= 5", "start_time < 6000"),
        ("start_time > -5", "start_time >= -4000"),
        ("end_time < 5.5", "end_time < 6000"),
        ("end_time > 5.5", "end_time >= 6000"),
        ("end_time != 5.5", "end_time != 5.5"),
        ("end_time < 9223372036854775807", "end_time < 1e+19"),
        ("end_time > -1e308", "end_time >= -1e+19"),
        ("metrics.m > 5 AND status = 'FINISHED'", "metrics.m > 5.0 AND status = 'FINISHED'"),
    ],
)
def test_milliseconds_become_microseconds(asked: str, expected: str):
    assert render(milliseconds_to_microseconds(parse_filter(asked, schema=RUNS), schema=RUNS)) == expected

"""The text form of filters and orders: what is accepted, and what each mistake is told."""

from __future__ import annotations

import pytest

from stepwell.core.errors import BadFilter
from stepwell.core.filter_grammar import MAX_COMPARISONS, MAX_ORDER_FIELDS, parse_filter, parse_order, render
from stepwell.core.filter_grammar import MAX_PATTERN_LENGTH as LONGEST
from stepwell.core.filters import EXPERIMENTS, MODEL_VERSIONS, RUNS, Aggregate, Comparison, Field, Kind, Op


def test_a_filter_is_its_comparisons_in_order():
    assert parse_filter("metrics.loss < 0.3 and params.lr = '1e-4'", schema=RUNS) == (
        Comparison(field=Field(kind=Kind.METRIC, key="loss"), op=Op.LT, value=0.3),
        Comparison(field=Field(kind=Kind.PARAM, key="lr"), op=Op.EQ, value="1e-4"),
    )


def test_a_function_names_an_aggregate():
    (comparison,) = parse_filter("min(metrics.loss) < 0.3", schema=RUNS)
    assert comparison.field == Field(kind=Kind.METRIC, key="loss", aggregate=Aggregate.MIN)


def test_a_dot_belongs_to_the_name():
    (comparison,) = parse_filter("metrics.loss.min < 0.3", schema=RUNS)
    assert comparison.field == Field(kind=Kind.METRIC, key="loss.min")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" \n\t", ""),
        ("metric.a>1", "metrics.a > 1.0"),
        ("metrics.a>=-1", "metrics.a >= -1.0"),
        ("metrics.a = +.5e-3", "metrics.a = 0.0005"),
        ("metrics.a = 5.", "metrics.a = 5.0"),
        ("metrics.a = 9007199254740993", "metrics.a = 9007199254740992.0"),
        ("metrics.val/loss-2:x > 1", "metrics.val/loss-2:x > 1.0"),
        ("metrics.1 > 1", "metrics.`1` > 1.0"),
        ("metrics.größe > 1", "metrics.`größe` > 1.0"),
        ("metrics.`a b` > 1", "metrics.`a b` > 1.0"),
        ('metrics."a b" > 1', "metrics.`a b` > 1.0"),
        ("`metrics`.`a b` > 1", "metrics.`a b` > 1.0"),
        ("`metrics`.a > 1", "metrics.a > 1.0"),
        ("metrics.'a b' > 1", "metrics.`a b` > 1.0"),
        ("metrics.'it''s' > 1", "metrics.`it's` > 1.0"),
        ("`metrics`.'a b' > 1", "metrics.`a b` > 1.0"),
        ("attributes.'run name'='x'", "run_name = 'x'"),
        ('metrics."a ""b""" > 1', 'metrics.`a "b"` > 1.0'),
        ("metrics.`a ``b` > 1", "metrics.`a ``b` > 1.0"),
        ("metrics..a > 1", "metrics.`.a` > 1.0"),
        ("LAST( metrics.a )>1", "metrics.a > 1.0"),
        ("Mean(metrics.`a b`) > 1", "mean(metrics.`a b`) > 1.0"),
        ("param.a = 'x'", "params.a = 'x'"),
        ("parameter.a = 'x'", "params.a = 'x'"),
        ("parameters.a = 'x'", "params.a = 'x'"),
        ("tag.a.b.c = 'x'", "tags.a.b.c = 'x'"),
        ('tags.a = "it\'s"', "tags.a = 'it''s'"),
        ("tags.a = 'it''s'", "tags.a = 'it''s'"),
        ("tags.a = 'back\\slash'", "tags.a = 'back\\slash'"),
        ("tags.a='x'AND tags.b='y'", "tags.a = 'x' AND tags.b = 'y'"),
        ("tags.a like '%' And tags.a iLike '_'", "tags.a LIKE '%' AND tags.a ILIKE '_'"),
        ("tags.a is null AND tags.a is not null", "tags.a IS NULL AND tags.a IS NOT NULL"),
        ("attribute.status = 'FINISHED'", "status = 'FINISHED'"),
        ("attributes.status = 'FINISHED'", "status = 'FINISHED'"),
        ("attr.status = 'FINISHED'", "status = 'FINISHED'"),
        ("run.status = 'FINISHED'", "status = 'FINISHED'"),
        ("run.`Run name` = 'x'", "run_name = 'x'"),
        ("`run name` = 'x'", "run_name = 'x'"),
        ('"run name" = "x"', "run_name = 'x'"),
        ("Created > 5", "start_time > 5"),
        ("start_time > 5.0", "start_time > 5.0"),
        ("start_time > 0009223372036854775807", "start_time > 9223372036854775807"),
        ("start_time > -9223372036854775808", "start_time > -9223372036854775808"),
        ("start_time < 9223372036854775808", "start_time < 9.223372036854776e+18"),
        ("run_id in('a',\"b\")", "run_id IN ('a', 'b')"),
        ("run_id NOT IN ('a',)", "run_id NOT IN ('a')"),
        ("dataset.name = 'x'", "datasets.name = 'x'"),
        ("datasets.context NOT IN ('x')", "datasets.context NOT IN ('x')"),
    ],
)
def test_these_are_accepted_and_mean(text: str, canonical: str):
    conditions = parse_filter(text, schema=RUNS)
    assert render(conditions) == canonical
    assert parse_filter(canonical, schema=RUNS) == conditions


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("version_number = '1'", "version_number = 1"),
        ('version_number > "-1.5"', "version_number > -1.5"),
        ("tags.k = 1", "tags.k = '1'"),
        ("tags.k != 0.010", "tags.k != '0.010'"),
        ("name IN (1, 'x')", "name IN ('1', 'x')"),
    ],
)
def test_of_models_a_number_may_stand_for_a_text_and_in_quotes(text: str, canonical: str):
    assert render(parse_filter(text, schema=MODEL_VERSIONS)) == canonical


@pytest.mark.parametrize("text", ["version_number = 'x'", "version_number = `1`", "tags.k = x", "tags.k = `1`"])
def test_of_models_nothing_else_may(text: str):
    with pytest.raises(BadFilter, match="expected a"):
        parse_filter(text, schema=MODEL_VERSIONS)


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("metrics.loss > abc", 16, "expected a number after 'metrics.loss >', found 'abc'"),
        ("metrics.k > 'x'", 13, "expected a number after 'metrics.k >', found 'x'"),
        ("metrics.k > '1'", 13, "expected a number after 'metrics.k >', found '1'; numbers stand without quotes"),
        ("metrics.k > nan", 13, "expected a number after 'metrics.k >', found 'nan'"),
        ("metrics.k > -inf", 13, "expected a number after 'metrics.k >', found '-inf'"),
        ("metrics.k > 0x10", 13, "expected a number after 'metrics.k >', found '0x10'"),
        ("metrics.k > ١", 13, "expected a number after 'metrics.k >', found '١'"),
        ("metrics.k > 1_000", 13, "expected a number after 'metrics.k >', found '1_000'"),
        ("metrics.k > 1e400", 13, "'1e400' is beyond the range of a 64-bit float"),
        ("metrics.k >", 12, "expected a number after 'metrics.k >', found the end"),
        ("start_time > 'x'", 14, "expected a number after 'start_time >', found 'x'"),
        ("metrics.k", 10, "expected an operator after 'metrics.k', found the end"),
        ("metrics.k == 1", 11, "expected an operator after 'metrics.k', found '=='; equality is written ="),
        ("metrics.k <> 1", 11, "expected an operator after 'metrics.k', found '<>'; inequality is written !="),
        ("metrics.train loss > 1", 15, "names that hold spaces or signs stand in backticks"),
        ("metrics.k LIKE 'x'", 11, "metrics.k cannot be compared by LIKE; it takes > >= = != < <="),
        ("metrics.k IS NULL", 11, "metrics.k cannot be compared by IS NULL"),
        ("params.p > 'x'", 10, "params.p cannot be compared by >; it takes = != LIKE ILIKE IS NULL IS NOT NULL"),
        ("params.p IN ('x')", 10, "params.p cannot be compared by IN"),
        ("status IN ('x')", 8, "status cannot be compared by IN; it takes = != LIKE ILIKE"),
        ("start_time LIKE 'x'", 12, "start_time cannot be compared by LIKE"),
        ("dataset.name > 'x'", 14, "dataset.name cannot be compared by >; it takes = != LIKE ILIKE IN NOT IN"),
        ("params.p = 1", 12, "expected a string in quotes after 'params.p =', found 1 without quotes"),
        ("params.p = `x`", 12, "expected a string in quotes after 'params.p =', found `x`"),
        ("params.p = ", 12, "expected a string in quotes after 'params.p =', found the end"),
        ("params.p = 'x", 12, "the quote ' that opens here is never closed"),
        ("params.p = 'x''", 12, "the quote ' that opens here is never closed"),
        ("params.p NOT LIKE 'x'", 14, "expected IN after NOT, found 'LIKE'"),
        ("params.p IS 'x'", 13, "expected NULL after IS, found 'x'"),
        ("params.p IS NOT", 16, "expected NULL after NOT, found the end"),
        ("run_id IN 'a'", 11, "expected '(' after 'run_id IN', found 'a'"),
        ("run_id IN ()", 12, "expected a string in quotes after 'run_id IN (', found ')'"),
        ("run_id IN ('a' 'b')", 16, "expected ')' or a comma after 'a', found 'b'"),
        ("run_id IN ('a',,)", 16, "expected a string in quotes after ',', found ','"),
        ("run_id IN ('a', 1)", 17, "expected a string in quotes after ',', found 1 without quotes"),
        ("run_id IN ('a'", 15, "expected ')' or a comma after 'a', found the end"),
        ("metrics.k > 1 OR metrics.k < 0", 15, "OR is not supported; comparisons are joined by AND alone"),
        ("metrics.k > 1, 2", 14, "expected AND or the end, found ','"),
        ("metrics.k > 1 AND", 18, "expected a field, such as run_id, found the end"),
        ("AND metrics.k > 1", 1, "expected a field, such as run_id, found 'AND'"),
        ("metrics.k > 1 AND or", 19, "expected a field, such as run_id, found 'or'"),
        ("(metrics.k > 1)", 1, "parentheses are not supported here; comparisons are joined by AND alone"),
        ("metrics.k > 1 AND (metrics.k < 2)", 19, "parentheses are not supported here"),
        ("NOT metrics.k > 1", 1, "NOT is not supported here; it stands in NOT IN and IS NOT NULL alone"),
        ("'x' = params.p", 1, "expected a field, such as run_id, found 'x'"),
        ("foo.k > 1", 1, "unknown prefix 'foo'; expected metrics, params, tags, attributes or datasets"),
        ("METRICS.k > 1", 1, "unknown prefix 'METRICS'"),
        ("foo = 'x'", 1, "runs have no attribute 'foo'; expected run_id, run_name, user_id, status, artifact_uri"),
        ("attributes.foo = 'x'", 1, "runs have no attribute 'foo'"),
        ("`foo` = 'x'", 1, "runs have no attribute 'foo'"),
        ("dataset.foo = 'x'", 1, "datasets have no 'foo'; expected name, digest or context"),
        ("metrics. > 1", 1, "expected a name after 'metrics.'"),
        ("metrics.`` > 1", 1, "expected a name after 'metrics.'"),
        ("metrics.a`b` > 1", 10, "quote the whole name after the dot, or none of it"),
        ("metrics.'' > 1", 1, "expected a name after 'metrics.'"),
        ("metrics.a'b' > 1", 10, "quote the whole name after the dot, or none of it"),
        ("'metrics'.a > 1", 1, "expected a field, such as run_id, found 'metrics'"),
        ("`a``b`'x'", 1, "runs have no attribute 'a`b'"),
        ("metrics`b` > 1", 8, "quote the whole name after the dot, or none of it"),
        ("sum(metrics.k) > 1", 1, "there is no function 'sum'; expected last, min, max, mean or count"),
        ("min(params.k) > 1", 5, "expected a metric inside min(...), found 'params.k'"),
        ("min(min(metrics.k)) > 1", 5, "runs have no attribute 'min'"),
        ("min(metrics.k > 1", 15, "expected ')' after 'min(metrics.k', found '>'"),
        ("min() > 1", 5, "expected a field, such as run_id, found ')'"),
        ("a;b", 2, "unexpected ';'"),
        ("params.p = 'a\0b'", 14, r"'\x00' is not allowed"),
        ("params.p = '\ud800'", 13, r"'\ud800' is not allowed"),
        (f"params.p LIKE '{'a' * (LONGEST + 1)}'", 15, "a LIKE pattern may have 2000 characters, found 2001"),
        ("x" * 65_537, 65_537, "the text has 65537 characters; at most 65536 are allowed"),
        (" AND ".join(["run_id = ''"] * (MAX_COMPARISONS + 1)), 1601, "at most 100 comparisons are allowed"),
        ("x" * 60_000, 1, "runs have no attribute 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'; expected"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else str(value),
)
def test_a_mistake_is_told_with_its_place(text: str, column: int, problem: str):
    with pytest.raises(BadFilter) as caught:
        parse_filter(text, schema=RUNS)
    assert caught.value.message.startswith(f"filter, column {column}: ")
    assert problem in caught.value.message
    assert caught.value.position == column - 1
    assert caught.value.field == "filter"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("metrics.k > 1", "experiments have no metrics; expected tags or attributes"),
        ("dataset.name = 'x'", "experiments have no datasets"),
        ("foo.k > 1", "unknown prefix 'foo'; expected tags or attributes"),
        ("run_id = 'x'", "expected name, experiment_id, creation_time, last_update_time or tags.<name>"),
        ("min(metrics.x) > 1", "experiments have no metrics"),
    ],
)
def test_experiments_are_asked_for_what_they_have(text: str, problem: str):
    with pytest.raises(BadFilter) as caught:
        parse_filter(text, schema=EXPERIMENTS)
    assert problem in caught.value.message


def test_as_many_comparisons_and_as_long_patterns_as_allowed():
    assert len(parse_filter(" AND ".join(["run_id = ''"] * MAX_COMPARISONS), schema=RUNS)) == MAX_COMPARISONS
    assert parse_filter(f"run_id LIKE '{'a' * LONGEST}'", schema=RUNS)


@pytest.mark.parametrize(
    ("text", "field", "descending"),
    [
        ("metrics.loss", Field(kind=Kind.METRIC, key="loss"), False),
        ("metrics.`val loss` DESC", Field(kind=Kind.METRIC, key="val loss"), True),
        ("max(metrics.acc) desc", Field(kind=Kind.METRIC, key="acc", aggregate=Aggregate.MAX), True),
        (" params.p  asc ", Field(kind=Kind.PARAM, key="p"), False),
        ("tags.`DESC` ASC", Field(kind=Kind.TAG, key="DESC"), False),
        ("attribute.start_time Desc", Field(kind=Kind.ATTRIBUTE, key="start_time"), True),
        ("created", Field(kind=Kind.ATTRIBUTE, key="start_time"), False),
    ],
)
def test_an_order(text: str, field: Field, *, descending: bool):
    (by,) = parse_order([text], schema=RUNS)
    assert (by.field, by.descending) == (field, descending)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([""], "order 1, column 1: expected a field, such as run_id, found the end"),
        (["run_id", "foo.bar"], "order 2, column 1: unknown prefix 'foo'; expected metrics, params, tags"),
        (["metrics.k DESC NULLS"], "order 1, column 16: expected ASC, DESC or the end, found 'NULLS'"),
        (["metrics.k down"], "order 1, column 11: expected ASC, DESC or the end, found 'down'"),
        (["dataset.name"], "order 1, column 1: a run may have several datasets; it cannot be ordered by them"),
        (["metrics.k", "metric.k DESC"], "order 2: metrics.k is in the order already"),
        (["created", "attributes.start_time"], "order 2: start_time is in the order already"),
        (["metrics.k"] * (MAX_ORDER_FIELDS + 1), "order has 21 fields; at most 20 are allowed"),
    ],
)
def test_a_mistake_in_an_order_names_which_one(texts: list[str], message: str):
    with pytest.raises(BadFilter) as caught:
        parse_order(texts, schema=RUNS)
    assert caught.value.message.startswith(message)
    assert caught.value.field == "order"


def test_aggregates_of_one_metric_are_different_fields():
    assert len(parse_order(["min(metrics.k)", "max(metrics.k)", "metrics.k"], schema=RUNS)) == 3

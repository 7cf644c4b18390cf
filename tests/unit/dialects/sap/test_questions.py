"""The arguments of GET and DELETE."""

from __future__ import annotations

import pytest

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.filters import Comparison, Field, Kind, Op
from stepwell.dialects.sap import questions, rules
from stepwell.dialects.sap.questions import CUSTOM_INFO, METRICS, TAGS, Question

ALL = frozenset((METRICS, TAGS, CUSTOM_INFO))


def ask(**arguments: str | list[str]) -> Question:
    named = {name.replace("dollar_", "$"): value for name, value in arguments.items()}
    return questions.question({name: [v] if isinstance(v, str) else v for name, v in named.items()})


def tag(name: str, op: Op, value: str | None = None) -> Comparison:
    return Comparison(field=Field(kind=Kind.TAG, key=name), op=op, value=value)


def test_executions_alone() -> None:
    assert ask(executionIds="exec, other,exec") == Question(
        execution_ids=("exec", "other"), tags=(), parts=ALL, top=rules.TOP_DEFAULT, skip=0
    )
    assert ask(executionIds=["exec", "other"]).execution_ids == ("exec", "other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("executionId eq 'exec'", ("exec",)),
        ("  executionId   eq 'exec'  ", ("exec",)),
        ("executionId in ('exec')", ("exec",)),
        ("executionId in('exec','other')", ("exec", "other")),
        ("executionId in ( 'exec' , 'other' )", ("exec", "other")),
    ],
)
def test_filters(text: str, expected: tuple[str, ...]) -> None:
    assert ask(dollar_filter=text).execution_ids == expected


def test_a_list_and_a_filter_must_both_hold() -> None:
    assert ask(executionIds="exec,other", dollar_filter="executionId in ('more','other')").execution_ids == ("other",)
    assert ask(executionIds="exec", dollar_filter="executionId eq 'other'").execution_ids == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [tag("a", Op.IS_NOT_NULL)]),
        ("a=1", [tag("a", Op.EQ, "1")]),
        ("a=", [tag("a", Op.EQ, "")]),
        ("a!=1,b", [tag("a", Op.NE, "1"), tag("b", Op.IS_NOT_NULL)]),
        ("a=b=c", [tag("a", Op.EQ, "b=c")]),
        ("a=!=", [tag("a", Op.EQ, "!=")]),
        ("a!", [tag("a!", Op.IS_NOT_NULL)]),
        ("a b=c d", [tag("a b", Op.EQ, "c d")]),
        ("a%21=1", [tag("a!", Op.EQ, "1")]),
        ("n=v%26a%3D%2Cl%23u%21%3De%5E2%25", [tag("n", Op.EQ, "v&a=,l#u!=e^2%")]),
        ("100%=1", [tag("100%", Op.EQ, "1")]),
    ],
)
def test_tag_filters(text: str, expected: list[Comparison]) -> None:
    found = ask(tagFilters=text)
    assert (found.execution_ids, list(found.tags)) == (None, expected)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["*"], ALL),
        (["metrics"], {METRICS}),
        (["tags, customInfo"], {TAGS, CUSTOM_INFO}),
        (["tags", "metrics"], {TAGS, METRICS}),
        (["tags,*"], ALL),
    ],
)
def test_select(texts: list[str], expected: set[str]) -> None:
    assert ask(executionIds="exec", dollar_select=texts).parts == expected


def test_paging() -> None:
    found = ask(executionIds="exec", dollar_top="10000", dollar_skip="7")
    assert (found.top, found.skip) == (10_000, 7)
    with pytest.raises(TooLarge) as caught:
        ask(executionIds="exec", dollar_top="10001")
    assert (caught.value.field, caught.value.limit) == ("$top", 10_000)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "executionIds"),
        ({"executionIds": ""}, "executionIds"),
        ({"executionIds": "exec,abc"}, "executionIds"),
        ({"executionIds": ",".join(["exec"] * 11)}, "executionIds"),
        ({"dollar_filter": "executionId ne 'exec'"}, "$filter"),
        ({"dollar_filter": "executionId eq 'a'"}, "$filter"),
        ({"executionIds": "exec", "dollar_select": "custominfo"}, "$select"),
        ({"executionIds": "exec", "dollar_select": ""}, "$select"),
        ({"executionIds": "exec", "dollar_top": "-1"}, "$top"),
        ({"executionIds": "exec", "dollar_skip": "٣"}, "$skip"),
        ({"tagFilters": ""}, "tagFilters"),
        ({"tagFilters": "!=1"}, "tagFilters"),
        ({"tagFilters": "%ff=1"}, "tagFilters"),
        ({"tagFilters": "a=%00"}, "tagFilters"),
        ({"tagFilters": "a" * 5001}, "tagFilters"),
        ({"tagFilters": ",".join("a" * 101)}, "tagFilters"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        ask(**arguments)
    assert caught.value.field == field
    assert field in caught.value.message


def test_a_delete_names_one_execution() -> None:
    assert questions.execution_id({"executionId": ["exec"]}) == "exec"
    assert questions.execution_id({"executionId": ["exec", "exec"]}) == "exec"
    for arguments in ({}, {"executionId": [""]}, {"executionId": ["exec", "other"]}, {"executionId": ["a"]}):
        with pytest.raises(Invalid) as caught:
            questions.execution_id(arguments)
        assert caught.value.field == "executionId"

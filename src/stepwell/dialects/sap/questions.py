"""The query arguments of GET and DELETE as values. Pure: no HTTP, no services."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.filters import Comparison, Field, Filter, Kind, Op
from stepwell.dialects.sap import rules

METRICS, TAGS, CUSTOM_INFO, ALL = "metrics", "tags", "customInfo", "*"
Arguments = Mapping[str, Sequence[str]]  # name -> every value that came

_WHOLE: Final = re.compile(r"\d{1,18}", re.ASCII)
_QUOTED: Final = r"'([^']*)'"
_EQUAL: Final = re.compile(rf"\s*executionId\s+eq\s+{_QUOTED}\s*")
_IN: Final = re.compile(rf"\s*executionId\s+in\s*\(\s*({_QUOTED}(?:\s*,\s*{_QUOTED})*)\s*\)\s*")
_EACH: Final = re.compile(_QUOTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a GET asks. execution_ids None: of all executions; parts: of METRICS, TAGS and CUSTOM_INFO."""

    execution_ids: tuple[str, ...] | None
    tags: Filter
    parts: frozenset[str]
    top: int
    skip: int


def question(arguments: Arguments) -> Question:
    """What a GET asks. Invalid, TooLarge. Several ways to name executions must all hold."""
    listed, filtered = _listed(arguments), _filtered(arguments)
    if listed is not None and filtered is not None:
        wanted = frozenset(filtered)
        listed, filtered = tuple(each for each in listed if each in wanted), None
    tags = _tag_filters(arguments)
    ids = listed if listed is not None else filtered
    if ids is None and tags is None:
        raise Invalid("one of executionIds, $filter and tagFilters is needed", field="executionIds")
    top = _whole(arguments, "$top", rules.TOP_DEFAULT)
    if top > rules.TOP:
        raise TooLarge(f"$top is {top}; the limit is {rules.TOP}", field="$top", limit=rules.TOP)
    return Question(
        execution_ids=ids, tags=tags or (), parts=_parts(arguments), top=top, skip=_whole(arguments, "$skip", 0)
    )


def execution_id(arguments: Arguments) -> str:
    """The execution that a DELETE names. Invalid."""
    found = arguments.get("executionId", ())
    if not found or not found[-1]:
        raise Invalid("executionId is missing", field="executionId")
    if len(set(found)) > 1:
        raise Invalid("executionId names more than one execution", field="executionId")
    return rules.check_execution_id(found[-1], "executionId")


def _listed(arguments: Arguments) -> tuple[str, ...] | None:
    if "executionIds" not in arguments:
        return None
    return _execution_ids([each for text in arguments["executionIds"] for each in text.split(",")], "executionIds")


def _filtered(arguments: Arguments) -> tuple[str, ...] | None:
    if "$filter" not in arguments:
        return None
    text = arguments["$filter"][-1]
    one, several = _EQUAL.fullmatch(text), _IN.fullmatch(text)
    if one is not None:
        return _execution_ids([one[1]], "$filter")
    if several is not None:
        return _execution_ids(_EACH.findall(several[1]), "$filter")
    raise Invalid(
        f"$filter: {rules.shown(text)} is not supported; write executionId eq 'x' or executionId in ('x','y')",
        field="$filter",
    )


def _execution_ids(texts: Sequence[str], field: str) -> tuple[str, ...]:
    rules.check_count(len(texts), field, rules.EXECUTIONS)
    return tuple(dict.fromkeys(rules.check_execution_id(each.strip(" "), field) for each in texts))


def _parts(arguments: Arguments) -> frozenset[str]:
    every = frozenset((METRICS, TAGS, CUSTOM_INFO))
    if "$select" not in arguments:
        return every
    named = [each.strip(" ") for text in arguments["$select"] for each in text.split(",")]
    for each in named:
        if each not in every and each != ALL:
            raise Invalid(
                f"$select: {rules.shown(each)} is not one of metrics, tags, customInfo and *", field="$select"
            )
    return every if ALL in named else frozenset(named)


def _tag_filters(arguments: Arguments) -> Filter | None:
    """Expressions `name=value`, `name!=value`, `name`, joined by commas; percent-encoded in themselves."""
    if "tagFilters" not in arguments:
        return None
    text = ",".join(arguments["tagFilters"])
    if len(text) > rules.FILTER_LENGTH:
        raise TooLarge(
            f"tagFilters has {len(text)} characters; the limit is {rules.FILTER_LENGTH}",
            field="tagFilters",
            limit=rules.FILTER_LENGTH,
        )
    expressions = text.split(",")
    rules.check_count(len(expressions), "tagFilters", rules.FILTER_EXPRESSIONS)
    return tuple(map(_comparison, expressions))


def _comparison(expression: str) -> Comparison:
    name, equals, value = expression.partition("=")
    op = Op.EQ if equals else Op.IS_NOT_NULL
    if equals and name.endswith("!"):
        name, op = name[:-1], Op.NE
    try:
        plain, wanted = unquote(name, errors="strict"), unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Invalid(
            f"tagFilters: {rules.shown(expression)} is not percent-encoded UTF-8", field="tagFilters"
        ) from None
    if not plain:
        raise Invalid(f"tagFilters: {rules.shown(expression)} names no tag", field="tagFilters")
    if "\0" in plain + wanted:
        raise Invalid(f"tagFilters: {rules.shown(expression)} contains NUL", field="tagFilters")
    return Comparison(field=Field(kind=Kind.TAG, key=plain), op=op, value=wanted if equals else None)


def _whole(arguments: Arguments, name: str, otherwise: int) -> int:
    if name not in arguments:
        return otherwise
    text = arguments[name][-1]
    if not _WHOLE.fullmatch(text):
        raise Invalid(f"{name}: {rules.shown(text)} is no integer of 0 or more", field=name)
    return int(text)

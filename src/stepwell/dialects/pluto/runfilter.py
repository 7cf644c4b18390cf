"""Which runs a list shows: the filters of the vendor as predicates, and what of a run they look at.

Two languages: `filter`, an object with $and, $or, $not and comparisons, and `fieldFilters`, a list of terms with the
operators of a table's menu. What is not known is a 400, never ignored.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from stepwell.core.model import RunRow
from stepwell.dialects.pluto import config, names, render, statuses, wire
from stepwell.dialects.pluto.decoding import BadFields, check_nesting, refused
from stepwell.dialects.pluto.patterns import compile_pattern

_DEPTH: Final = 50


@dataclass(slots=True)
class Candidate:
    """A run that may be shown, with what was asked for of it. `last`: metric -> its last value."""

    row: RunRow
    config: Mapping[str, Any] = field(default_factory=dict)
    system: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)

    @property
    def heartbeat(self) -> int | None:
        """The latest time of its points, in microseconds."""
        return max((summary.max_time for summary in self.row.metrics.values()), default=None)


@dataclass(slots=True)
class Needs:
    """What of a run must be read for a list."""

    config: bool = False
    system: bool = False
    heartbeat: bool = False
    tags: bool = False
    metrics: set[str] = field(default_factory=set)


Test: TypeAlias = Callable[[Candidate], bool]
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_TIMES: Final = {
    "heartbeat_at": "heartbeat",
    "heartbeatAt": "heartbeat",
    "created_at": "created",
    "createdAt": "created",
    "updated_at": "updated",
    "updatedAt": "updated",
}
_NAMES: Final = frozenset({"name", "displayName", "display_name"})


def all_of(tests: Iterable[Test]) -> Test:
    """All must hold."""
    listed = list(tests)
    return lambda run: all(test(run) for test in listed)


def compile_filter(text: str, needs: Needs) -> Test:
    """The argument `filter` as a predicate; `needs` learns what it looks at."""
    return _node(_json(text, "filter"), needs, 0)


def compile_fields(text: str, needs: Needs) -> Test:
    """The argument `fieldFilters` as a predicate."""
    terms = _json(text, "fieldFilters")
    if not isinstance(terms, list):
        raise refused("fieldFilters", "expected an array of {source, key, dataType, operator, values}")
    return all_of([_term(term, needs) for term in terms])


def time_of(text: Any, name: str) -> int:
    """An ISO 8601 time in microseconds; without a zone it is UTC. Invalid."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise refused(name, f"{str(text)[:60]!r} is no ISO-8601 time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


# --- the language of objects ------------------------------------------------------------------------------------------


def _node(node: Any, needs: Needs, depth: int) -> Test:
    if not isinstance(node, dict):
        raise _bad("filter must be an object")
    if depth > _DEPTH:
        raise _bad(f"filter nests more than {_DEPTH} levels")
    return all_of([_entry(key, value, needs, depth) for key, value in node.items()])


def _entry(key: str, value: Any, needs: Needs, depth: int) -> Test:
    if key in ("$and", "$or"):
        if not isinstance(value, list):
            raise _bad(f"{key} expects an array")
        tests = [_node(each, needs, depth + 1) for each in value]
        return all_of(tests) if key == "$and" else lambda run: any(test(run) for test in tests)
    if key == "$not":
        inner = _node(value, needs, depth + 1)
        return lambda run: not inner(run)
    if key.startswith("$"):
        raise _bad(f"unknown boolean operator: {key}")
    is_operators = isinstance(value, dict) and any(name.startswith("$") for name in value)
    operators = value if is_operators else {"$eq": value}
    return all_of([_leaf(key, op, given, needs) for op, given in operators.items()])


def _leaf(name: str, op: str, given: Any, needs: Needs) -> Test:
    if op not in _COMPARE and op not in ("$eq", "$ne", "$in", "$nin", "$regex"):
        raise _bad(f"unknown operator {op} on {name}")
    if name in ("state", "status"):
        return _status(op, given)
    if name in _TIMES:
        return _time(_TIMES[name], op, given, needs)
    if name in _NAMES:
        return _value(lambda run: run.row.run.name, op, given)
    if name == "tags":
        return _tags(op, given, needs)
    source, _, key = name.partition(".")
    if not key or source not in ("config", "systemMetadata", "summaryMetrics", "summary_metrics"):
        raise _bad(f"unknown filter field: {name}")
    if source in ("config", "systemMetadata"):
        return _value(field_of(source, key, needs), op, given)
    needs.metrics.add(key)
    return _value(lambda run: run.last.get(key), op, given)


def field_of(source: str, key: str, needs: Needs) -> Callable[[Candidate], Any]:
    """What reads a value of the configuration or of the system's facts."""
    if source == "config":
        needs.config = True
        return lambda run: config.value_at(run.config, key)
    needs.system = True
    return lambda run: config.value_at(run.system, key)


def _status(op: str, given: Any) -> Test:
    words = {statuses.word_asked(str(each), "filter") for each in (given if isinstance(given, list) else [given])}
    if op in ("$eq", "$in"):
        return lambda run: statuses.word_of(run.row.run) in words
    if op in ("$ne", "$nin"):
        return lambda run: statuses.word_of(run.row.run) not in words
    raise _bad(f"unsupported operator for status: {op}")


def _time(which: str, op: str, given: Any, needs: Needs) -> Test:
    read: Callable[[Candidate], int | None]
    if which == "heartbeat":
        needs.heartbeat = True
        read = lambda run: run.heartbeat  # noqa: E731  one of three
    elif which == "created":
        read = lambda run: render.created_at(run.row.run)  # noqa: E731
    else:
        read = lambda run: run.row.run.updated_at  # noqa: E731
    if op not in _COMPARE and op not in ("$eq", "$ne"):
        raise _bad(f"unsupported operator for a time: {op}")
    bound = time_of(given, "filter")
    compare: Callable[[Any, Any], bool] = _COMPARE.get(op, operator.eq if op == "$eq" else operator.ne)

    def test(run: Candidate) -> bool:
        at = read(run)
        return at is not None and compare(at, bound)

    return test


def _tags(op: str, given: Any, needs: Needs) -> Test:
    needs.tags = True
    wanted = {str(each) for each in (given if isinstance(given, list) else [given])}
    if op not in ("$eq", "$in", "$ne", "$nin"):
        raise _bad(f"unsupported operator for tags: {op}")
    found = op in ("$eq", "$in")
    return lambda run: (not wanted.isdisjoint(names.tag_list(run.row.tags))) is found


def _value(read: Callable[[Candidate], Any], op: str, given: Any) -> Test:
    """A comparison with a text, a number or a truth. What a run lacks meets no comparison but $ne and $nin."""
    if op in ("$in", "$nin"):
        if not isinstance(given, list):
            raise _bad(f"{op} expects an array")
        listed = [_plain(each) for each in given]
        return lambda run: (_plain(read(run)) in listed) is (op == "$in")
    if op == "$eq":
        return lambda run: _plain(read(run)) == _plain(given)
    if op == "$ne":
        return lambda run: _plain(read(run)) != _plain(given)
    if op == "$regex":
        holds = _pattern(given, "filter")
        return lambda run: (value := read(run)) is not None and holds(config.text_of(value))
    compare = _COMPARE[op]
    return lambda run: _ordered(compare, read(run), given)


# --- the language of terms --------------------------------------------------------------------------------------------


_TEXT: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": lambda value, given: given.lower() in value.lower(),
    "does not contain": lambda value, given: given.lower() not in value.lower(),
    "starts with": lambda value, given: value.lower().startswith(given.lower()),
    "ends with": lambda value, given: value.lower().endswith(given.lower()),
}
_ORDER: Final = {
    "is greater than": "$gt",
    ">": "$gt",
    "is after": "$gt",
    "is less than": "$lt",
    "<": "$lt",
    "is before": "$lt",
    "is greater than or equal to": "$gte",
    ">=": "$gte",
    "is on or after": "$gte",
    "is less than or equal to": "$lte",
    "<=": "$lte",
    "is on or before": "$lte",
    "equals": "$eq",
    "is": "$eq",
    "is not": "$ne",
    "regex": "$regex",
}


def _term(given: Any, needs: Needs) -> Test:
    term = _term_of(given)
    read = field_of(term.source, term.key, needs)
    op, values = term.operator, term.values
    if op in ("exists", "not exists"):
        return lambda run: (read(run) is not None) is (op == "exists")
    if op in ("is any of", "is none of"):
        return _value(read, "$in" if op == "is any of" else "$nin", values)
    if op in ("is between", "is not between"):
        return _between(read, _needed(term, 2), inside=op == "is between")
    (value,) = _needed(term, 1)
    if op in _TEXT:
        test = _TEXT[op]
        missing = op == "does not contain"
        return lambda run: missing if (found := read(run)) is None else test(config.text_of(found), str(value))
    if op in _ORDER:
        return _value(read, _ORDER[op], value)
    raise refused("fieldFilters", f"unknown operator {op!r}")


def _term_of(given: Any) -> wire.FieldFilter:
    if not isinstance(given, dict) or not all(
        isinstance(given.get(each), str) for each in ("source", "key", "operator")
    ):
        raise refused("fieldFilters", "has invalid shape; expected {source, key, dataType, operator, values}")
    if given["source"] not in ("config", "systemMetadata") or not given["key"]:
        raise refused("fieldFilters", "source must be config or systemMetadata, key must not be empty")
    values = given.get("values", [])
    return wire.FieldFilter(
        source=given["source"],
        key=given["key"],
        operator=given["operator"],
        values=values if isinstance(values, list) else [values],
    )


def _needed(term: wire.FieldFilter, count: int) -> Sequence[Any]:
    if len(term.values) < count:
        raise refused("fieldFilters", f"{term.operator!r} needs {count} value(s)")
    return term.values[:count]


def _between(read: Callable[[Candidate], Any], ends: Sequence[Any], *, inside: bool) -> Test:
    low, high = ends

    def test(run: Candidate) -> bool:
        value = read(run)
        within = _ordered(operator.ge, value, low) and _ordered(operator.le, value, high)
        return value is not None and within is inside

    return test


# --- values -----------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """A value as it compares for being the same: text that spells a number is that number, and 1 is not true."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else None
    number = number_of(value)
    return number if number is not None else config.text_of(value)


def number_of(value: Any) -> float | None:
    """The number that a value is or spells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number else None


def _ordered(compare: Callable[[Any, Any], bool], value: Any, given: Any) -> bool:
    if value is None:
        return False
    left, right = number_of(value), number_of(given)
    if left is not None and right is not None:
        return compare(left, right)
    return (left is None) == (right is None) and compare(config.text_of(value), config.text_of(given))


def _pattern(given: Any, name: str) -> Callable[[str], bool]:
    try:
        return compile_pattern(str(given))
    except ValueError as error:
        raise refused(name, f"$regex: {error}") from None


def _json(text: str, name: str) -> Any:
    try:
        check_nesting(text.encode("utf-8", "surrogatepass"))
        return json.loads(text)
    except (ValueError, RecursionError):
        raise refused(name, f"{name} must be valid JSON") from None


def _bad(message: str) -> BadFields:
    return refused("filter", message)

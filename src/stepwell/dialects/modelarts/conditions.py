"""What a search of jobs asks for, as comparisons that the store makes, and the little that they cannot say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from stepwell.core.errors import Invalid
from stepwell.core.filters import (
    RUNS,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Value,
    milliseconds_to_microseconds,
)
from stepwell.core.model import Run
from stepwell.dialects.modelarts import wire
from stepwell.dialects.modelarts.translate import PHASES, created, direction

SORTS: Final = {"create_time": "start_time", "name": "run_name", "id": "run_id", "job_id": "run_id"}
TEXTS: Final[Mapping[str, str]] = {"name": "run_name", "id": "run_id", "job_id": "run_id", "user_name": "user_id"}
PHASE_KEYS: Final = ("phase", "status")
KIND_KEYS: Final = ("kind", "job_type")  # of every job the same
KIND: Final = "job"
CREATED_KEYS: Final = ("create_time", "start_time")
ENDED_KEY: Final = "end_time"
KEYS: Final = (*TEXTS, *PHASE_KEYS, *KIND_KEYS, *CREATED_KEYS, ENDED_KEY)
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")

Wanted: TypeAlias = Callable[[Run], bool]
Sought: TypeAlias = tuple[Filter, Wanted | None]  # jobs that meet all comparisons, and the test where there is one
Test: TypeAlias = Callable[[str], bool]


def order_of(message: wire.Search) -> tuple[OrderBy, ...]:
    """How a search is sorted. Invalid."""
    key = message.sort_by or "create_time"
    if key not in SORTS:
        raise Invalid(f"{key[:40]!r} cannot be sorted by; there are {', '.join(SORTS)}", field="sort_by")
    field = Field(kind=Kind.ATTRIBUTE, key=SORTS[key])
    return (OrderBy(field=field, descending=direction(message.order, "order", Invalid) == "desc"),)


def sought(message: wire.Search) -> Sought:
    """What a search asks for. Invalid: a condition that cannot be judged here is refused, never passed over."""
    for field in ("tags", "host_ips", "group_by"):
        if getattr(message, field):
            raise Invalid("searching by this is not supported", field=field)
    parts = [_part(each, f"filters[{i}]") for i, each in enumerate(message.filters or ())]
    if message.train_type not in (None, "", KIND):
        parts.append((_NONE, None))  # fine-tuning jobs of the service's own; there are none
    tests = [wanted for _, wanted in parts if wanted is not None]
    conditions = tuple(comparison for comparisons, _ in parts for comparison in comparisons)
    return conditions, (lambda run: all(test(run) for test in tests)) if tests else None


def _part(condition: wire.Condition, place: str) -> Sought:
    key, values = condition.key, condition.value
    if condition.operator == "between" and (key in CREATED_KEYS or key == ENDED_KEY):
        low, high = _times(values, place)
        if key == ENDED_KEY:
            comparisons = (_compare(key, Op.GE, low), _compare(key, Op.LE, high))
            return milliseconds_to_microseconds(comparisons, schema=RUNS), None
        return (), lambda run: low <= created(run) <= high
    if key not in KEYS or key in CREATED_KEYS or key == ENDED_KEY:
        known = ", ".join(KEYS)
        raise Invalid(
            f"{key[:40]!r} with {condition.operator[:40]!r} is not known; keys: {known}", field=f"{place}.key"
        )
    test = _test(condition.operator, values, place)
    if key in PHASE_KEYS:
        return _among("status", [status for status, (phase, _) in PHASES.items() if test(phase)]), None
    if key in KIND_KEYS:
        return () if test(KIND) else _NONE, None
    if condition.operator == "like":
        return _containing(TEXTS[key], values, test)
    if condition.operator == "in":
        return _among(TEXTS[key], values), None
    return ((_compare(TEXTS[key], Op.NOT_IN, tuple(values)),) if values else ()), None


def _test(operator: str, values: Sequence[str], place: str) -> Test:
    """What an operator asks of a text."""
    match operator:
        case "like":
            parts = [value.lower() for value in values]
            return lambda text: any(part in text.lower() for part in parts)
        case "in":
            return lambda text: text in values
        case "not":
            return lambda text: text not in values
    raise Invalid(f"{operator[:40]!r} is none of like, in, not", field=f"{place}.operator")


def _containing(attribute: str, values: Sequence[str], test: Test) -> Sought:
    """One plain text is a comparison; one with wildcards in it, or one of several, needs the test as well."""
    if not values:
        return _NONE, None
    comparisons = (_compare(attribute, Op.ILIKE, f"%{values[0]}%"),) if len(values) == 1 else ()
    if comparisons and not set(values[0]) & {"%", "_"}:
        return comparisons, None
    read: Callable[[Run], str] = {
        "run_name": lambda run: run.name,
        "run_id": lambda run: run.id,
        "user_id": lambda run: run.user,
    }[attribute]
    return comparisons, lambda run: test(read(run))


def _times(values: Sequence[str], place: str) -> tuple[int, int]:
    if len(values) != 2 or not all(_NUMBER.fullmatch(value) for value in values):
        raise Invalid("between takes two times in milliseconds", field=f"{place}.value")
    low, high = map(int, values)
    return low, high


def _among(attribute: str, values: Sequence[str]) -> Filter:
    return (_compare(attribute, Op.IN, tuple(values)),) if values else _NONE


def _compare(attribute: str, op: Op, value: Value) -> Comparison:
    return Comparison(field=Field(kind=Kind.ATTRIBUTE, key=attribute), op=op, value=value)


_NONE: Final[Filter] = (_compare("run_id", Op.IN, ("",)),)  # no run has an empty id

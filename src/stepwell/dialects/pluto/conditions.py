"""What a list of runs asks for: which, and in which order; where the store can say it, in its terms. Pure.

The two languages of filters live in runfilter.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell.core.filters import Comparison, Field, Filter, Kind, Op, OrderBy, Value
from stepwell.core.model import Run
from stepwell.dialects.pluto import config, names, render, runfilter, statuses, wire
from stepwell.dialects.pluto.decoding import refused
from stepwell.dialects.pluto.runfilter import Candidate, Needs, Test

_ALTERNATIVES: Final = 20  # searches for tags up to which they are cheaper than a look at every run
_COLUMNS: Final[Mapping[str, Callable[[Run], Any]]] = {
    "createdAt": render.created_at,
    "created_at": render.created_at,
    "updatedAt": lambda run: run.updated_at,
    "updated_at": lambda run: run.updated_at,
    "name": lambda run: run.name,
    "status": statuses.word_of,
}
_STORED: Final[Mapping[str, str]] = {"createdAt": "start_time", "created_at": "start_time", "name": "run_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which runs a list shows: those that meet any of the filters, and the test where there is one."""

    filters: tuple[Filter, ...]
    test: Test | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """By what a list is sorted. With `all` runs without a value come last, otherwise they are left out.

    `order` says the same to the store, but for runs whose start is not known.
    """

    read: Callable[[Candidate], Any]
    descending: bool
    all: bool = True
    order: tuple[OrderBy, ...] | None = None

    @property
    def by_start(self) -> bool:
        """Whether the store has runs whose start is not known at another place: behind all others."""
        return self.order is not None and self.order[0].field.key == "start_time"


# --- which runs -------------------------------------------------------------------------------------------------------


def asked(message: wire.ListQuery, needs: Needs) -> Asked:
    """Which runs a list shows; `needs` learns what the test looks at. Invalid."""
    common: list[Comparison] = []
    alternatives: Sequence[Filter] = ((),)
    tests: list[Test] = []
    if message.search:
        wanted = message.search.lower()
        common.append(_compare(_attribute("run_name"), Op.ILIKE, f"%{wanted}%"))
        if set(wanted) & {"%", "_"}:
            tests.append(lambda run: wanted in run.row.run.name.lower())
    if message.status:
        words = {statuses.word_in(word.strip()) for word in message.status.split(",") if word.strip()}
        if not words:
            alternatives = ()
        else:
            found, exact = statuses.among(words)
            common.append(_compare(_attribute("status"), Op.IN, found))
            if not exact:
                tests.append(lambda run: statuses.word_of(run.row.run) in words)
    if message.tags and (tags := {tag.strip() for tag in message.tags.split(",")} - {""}):
        pairs = [pair for tag in sorted(tags) for pair in names.tag_pairs(tag)]
        if len(pairs) <= _ALTERNATIVES:
            alternatives = [
                (*each, _compare(Field(kind=Kind.TAG, key=name), Op.EQ, value))
                for each in alternatives
                for name, value in pairs
            ]
        else:
            needs.tags = True
            tests.append(lambda run: not tags.isdisjoint(names.tag_list(run.row.tags)))
    tests += _other_tests(message, needs)
    return Asked(
        filters=tuple((*common, *each) for each in alternatives), test=runfilter.all_of(tests) if tests else None
    )


def _other_tests(message: wire.ListQuery, needs: Needs) -> Iterator[Test]:
    for text, name, after in (
        (message.heartbeat_after, "heartbeatAfter", True),
        (message.heartbeat_before, "heartbeatBefore", False),
    ):
        if text:
            needs.heartbeat = True
            yield _heartbeat(runfilter.time_of(text, name), after=after)
    if message.konduktor_job_prefix:
        prefix, job = message.konduktor_job_prefix, runfilter.field_of("systemMetadata", "konduktor.job_name", needs)
        yield lambda run: str(job(run) or "").startswith(prefix)
    if message.field_filters:
        yield runfilter.compile_fields(message.field_filters, needs)
    if message.filter:
        yield runfilter.compile_filter(message.filter, needs)


def _heartbeat(bound: int, *, after: bool) -> Test:
    def test(run: Candidate) -> bool:
        at = run.heartbeat
        return at is not None and (at >= bound if after else at <= bound)

    return test


def _attribute(name: str) -> Field:
    return Field(kind=Kind.ATTRIBUTE, key=name)


def _compare(field: Field, op: Op, value: Value) -> Comparison:
    return Comparison(field=field, op=op, value=value)


# --- in which order ---------------------------------------------------------------------------------------------------


def sort_of(text: str | None, needs: Needs) -> Sort:
    """The order that a list is asked for; newest first without one. Invalid."""
    if not text:
        return _by_column("createdAt", descending=True)
    descending, name = text.startswith("-"), text.lstrip("+-") if text[0] in "+- " else text
    name = name.strip()  # a plus that was not encoded arrives as a space
    source, _, key = name.partition(".")
    if source in ("config", "systemMetadata") and (key := key.removesuffix(".value")):
        return Sort(read=_sortable(runfilter.field_of(source, key, needs)), descending=descending)
    if source == "summary_metrics" and key:
        needs.metrics.add(key)
        return Sort(read=lambda run: run.last.get(key), descending=descending, all=False)
    if name in ("heartbeat_at", "heartbeatAt", "heartbeat"):
        needs.heartbeat = True
        return Sort(read=lambda run: run.heartbeat, descending=descending, all=False)
    if name not in _COLUMNS:
        allowed = "createdAt, updatedAt, name, status, heartbeat_at, config.<key>.value, systemMetadata.<key>.value"
        raise refused("sort", f"invalid sort field {name[:60]!r}; allowed: {allowed}, summary_metrics.<name>")
    return _by_column(name, descending=descending)


def _by_column(name: str, *, descending: bool) -> Sort:
    read, stored = _COLUMNS[name], _STORED.get(name)
    order = None if stored is None else (OrderBy(field=_attribute(stored), descending=descending),)
    return Sort(read=lambda run: read(run.row.run), descending=descending, order=order)


def _sortable(read: Callable[[Candidate], Any]) -> Callable[[Candidate], Any]:
    """Numbers before texts, each in their own order."""

    def sortable(run: Candidate) -> tuple[int, float, str] | None:
        value = read(run)
        if value is None:
            return None
        number = runfilter.number_of(value)
        return (1, 0.0, config.text_of(value)) if number is None else (0, number, "")

    return sortable


def in_order(found: Sequence[Candidate], sort: Sort) -> list[Candidate]:
    """Runs that are equal stand by their number in the same direction, so that pages neither repeat nor lose one."""
    having = [(value, run) for run in found if (value := sort.read(run)) is not None]
    having.sort(key=lambda pair: (pair[0], pair[1].row.run.key), reverse=sort.descending)
    lacking = [run for run in found if sort.read(run) is None] if sort.all else []
    lacking.sort(key=lambda run: run.row.run.key, reverse=sort.descending)
    return [run for _, run in having] + lacking

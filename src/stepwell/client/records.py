"""What stands in the spool's frames: points in columns, and everything else as JSON. FORMAT.md has the layout."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

VERSION: Final = 1
POINTS: Final = "points"
SEGMENT: Final = "segment"
RUN: Final = "run"
CHANGE: Final = "change"
EVENT: Final = "event"
FILE: Final = "file"
USAGE: Final = "usage"
_CHANGES: Final = ("params", "set_tags", "remove_tags")


class Unreadable(Exception):
    """A whole frame that holds nothing this version knows."""


@dataclass(frozen=True)
class Note:
    """Anything but points: `kind` is one of the words above."""

    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Series:
    """Points of one metric: equally long columns. Times in microseconds."""

    metric: str
    steps: array[int]
    times: array[int]
    values: array[float]


@dataclass(frozen=True)
class Group:
    """Rows that were logged with the same metrics: `columns` has the values of each of `metrics`."""

    metrics: tuple[str, ...]
    times: array[int]
    steps: array[int]
    columns: tuple[array[float], ...]

    def series(self) -> Iterator[Series]:
        """The same points, metric by metric."""
        for metric, values in zip(self.metrics, self.columns, strict=True):
            yield Series(metric, self.steps, self.times, values)


@dataclass(frozen=True)
class Points:
    """Points of one frame."""

    groups: tuple[Group, ...]

    def __len__(self) -> int:
        return sum(len(group.times) * len(group.metrics) for group in self.groups)


def parts(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Changes that together are this one, as small as there are."""
    found: list[dict[str, Any]] = []
    for name in _CHANGES:
        given = fields.get(name)
        if isinstance(given, dict):
            found += ({name: {key: value}} for key, value in given.items())
        elif given:
            found += ({name: [each]} for each in given)
    if "name" in fields:
        found.append({"name": fields["name"]})
    rest = {name: value for name, value in fields.items() if name not in (*_CHANGES, "name")}
    return [*found, rest] if rest else found


def together(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The change that these `parts` are."""
    fields: dict[str, Any] = {}
    for part in found:
        for name, given in part.items():
            if isinstance(given, dict):
                fields.setdefault(name, {}).update(given)
            elif isinstance(given, list):
                fields.setdefault(name, []).extend(given)
            else:
                fields[name] = given
    return fields


def halves(record: Note | Sequence[Group]) -> tuple[Any, Any] | None:
    """Two that together are this note, or these points; None where it is one of a piece."""
    if not isinstance(record, Note):
        return _half_groups(record)
    found = parts(record.fields) if record.kind == CHANGE else []
    middle = len(found) // 2
    if not middle:
        return None
    return Note(CHANGE, together(found[:middle])), Note(CHANGE, together(found[middle:]))


def _half_groups(groups: Sequence[Group]) -> tuple[Sequence[Group], Sequence[Group]] | None:
    middle = len(groups) // 2
    if middle:
        return groups[:middle], groups[middle:]
    (one,) = groups
    middle = len(one.metrics) // 2
    if not middle:
        return None
    return (
        [Group(one.metrics[:middle], one.times, one.steps, one.columns[:middle])],
        [Group(one.metrics[middle:], one.times, one.steps, one.columns[middle:])],
    )


def encode_note(note: Note) -> bytes:
    """Its payload. ValueError or TypeError for what is no JSON."""
    return json.dumps({"kind": note.kind, **note.fields}, separators=(",", ":")).encode() + b"\n"


def encode_points(groups: Sequence[Group]) -> bytes:
    """The payload of these groups."""
    head = {"kind": POINTS, "groups": [[len(group.times), group.metrics] for group in groups]}
    columns: list[array[Any]] = []
    for group in groups:
        columns += [group.times, group.steps, *group.columns]
    line = json.dumps(head, separators=(",", ":")).encode()
    return b"".join([line, b"\n", *(little(column).tobytes() for column in columns)])


def decode(payload: bytes) -> Note | Points:
    """What a payload says. Unreadable."""
    line, _, rest = payload.partition(b"\n")
    try:
        head = json.loads(line)
        kind = head.pop("kind")
        if kind != POINTS:
            return Note(kind, head)
        return Points(tuple(_groups(head["groups"], rest)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"a frame of {len(payload)} bytes makes no sense: {error}") from None


def _groups(named: list[tuple[int, list[str]]], rest: bytes) -> Iterator[Group]:
    place = 0

    def column(code: str, rows: int) -> Any:
        nonlocal place
        begin, place = place, place + rows * 8
        if place > len(rest):
            raise ValueError("columns are missing")
        found = array(code)
        found.frombytes(rest[begin:place])
        return little(found)

    for rows, metrics in named:
        times, steps = column("q", rows), column("q", rows)
        yield Group(tuple(metrics), times, steps, tuple(column("d", rows) for _ in metrics))
    if place != len(rest):
        raise ValueError("there is more than the columns")


def little(column: array[Any]) -> array[Any]:
    """Little-endian on every machine, and back."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column

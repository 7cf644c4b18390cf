"""The lines of a stream: from a block of bytes to points, console lines or observations, up to the first bad line.

A block holds whole lines. Most of it is read by one call of the fast decoder; only where that refuses, line by line.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
import numpy as np

from stepwell.core.errors import Invalid
from stepwell.core.limits import NAME_LENGTH, TIME_MAX_MS
from stepwell.core.model import LogLine, PointBatch, Record
from stepwell.dialects.pluto import translate, wire
from stepwell.dialects.pluto.decoding import BadJson, check_nesting, double, issue_of
from stepwell.services.checks import check_name

T = TypeVar("T")
S = TypeVar("S")

_BLANK: Final = b" \t\r"
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBER_BITS: Final = 32  # of a console line's number here, below the line's own number
_METRICS: Final = msgspec.json.Decoder(wire.MetricLine)
_LOGS: Final = msgspec.json.Decoder(wire.LogRow)
_DATA: Final = msgspec.json.Decoder(wire.DataRow)


class BadLine(Invalid):
    """A line of a stream cannot be read."""


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What a block held before its first bad line: rows, how many the client counts them, and what is wrong then."""

    rows: T
    count: int
    bad: BadLine | None


def metrics(block: bytes, first: int) -> Parsed[PointBatch | None]:
    """Points. `first` is the number of the block's first line; `count` counts values."""
    rows, bad = _rows(block, first, _METRICS, _metric_line)
    batch = _points(rows)
    return Parsed(batch, 0 if batch is None else len(batch), bad)


def logs(block: bytes, first: int) -> Parsed[list[LogLine]]:
    """Console lines."""
    rows, bad = _rows(block, first, _LOGS, _log_line)
    return Parsed(rows, len(rows), bad)


def observations(block: bytes, first: int, *, run_id: str, at: int) -> Parsed[list[Record]]:
    """What was logged that is no number: tables, histograms, texts."""
    rows, bad = _rows(block, first, _DATA, lambda row: _observation(row, run_id, at))
    return Parsed(rows, len(rows), bad)


def line_number(line: int) -> int:
    """The number that a client gave a line. Lines of other interfaces have their own."""
    return (line >> _NUMBER_BITS) - 1 if line >> _NUMBER_BITS else line


def place(line: LogLine) -> tuple[bool, int, int, str]:
    """Where a line stands among others: by number, then time; behind those of other interfaces, as in the store."""
    return bool(line.line >> _NUMBER_BITS), line_number(line.line), line.time, line.stream


def _rows(
    block: bytes, first: int, decoder: msgspec.json.Decoder[S], make: Callable[[S], T]
) -> tuple[list[T], BadLine | None]:
    try:
        block.decode()
        decoded: Sequence[S] = decoder.decode_lines(block)
        if len(decoded) <= block.count(b"\n") + 1:
            return [make(row) for row in decoded], None
    except (msgspec.MsgspecError, RecursionError, ValueError, Invalid):
        pass  # somewhere in here is a line that needs patience, or is bad
    return _one_by_one(block.split(b"\n"), first, decoder, make)


def _one_by_one(
    texts: Iterable[bytes], first: int, decoder: msgspec.json.Decoder[S], make: Callable[[S], T]
) -> tuple[list[T], BadLine | None]:
    rows: list[T] = []
    for number, text in enumerate(texts, first):
        line = text.strip(_BLANK)
        if not line:
            continue
        try:
            rows.append(make(_patient(line, decoder)))
        except Invalid as error:
            return rows, BadLine(f"line {number}: {error.message}", field="line")
    return rows, None


def _patient(line: bytes, decoder: msgspec.json.Decoder[S]) -> S:
    """A line, in which NaN and infinities may stand bare, and (in what a console said) half characters. Invalid."""
    try:
        line.decode()
        return decoder.decode(line)
    except UnicodeDecodeError as error:
        raise Invalid(f"not UTF-8 text: byte {error.start} cannot be read") from None
    except msgspec.ValidationError as error:
        raise Invalid(_sentence(error)) from None
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        check_nesting(line)
        value = json.loads(line, parse_constant=_WORDS.__getitem__, parse_float=double)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        if decoder is not _LOGS:
            raise Invalid("a text holds half of a surrogate pair, which is no character") from None
        value = _mended(value)
    except (ValueError, RecursionError, BadJson) as error:
        raise Invalid(f"invalid JSON: {error}") from None
    try:
        return msgspec.convert(value, decoder.type)
    except msgspec.ValidationError as error:
        raise Invalid(_sentence(error)) from None


def _mended(value: Any) -> Any:
    """A console may say bytes that are no text; the client writes them as halves of characters."""
    if not isinstance(value, dict):
        return value
    return {
        name: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(text, str) else text
        for name, text in value.items()
    }


def _sentence(error: msgspec.ValidationError) -> str:
    issue = issue_of(error)
    place = ".".join(map(str, issue.path))
    return f"{place}: {issue.message}" if place else issue.message


# --- metrics ----------------------------------------------------------------------------------------------------------


def _metric_line(row: wire.MetricLine) -> wire.MetricLine:
    _check_time(row.time)
    found = False
    for name, value in row.data.items():
        if not name or name.isspace():
            raise Invalid("data: a name must not be blank")
        if len(name) > NAME_LENGTH or not name.isprintable():
            check_name(name, field="data")
        if isinstance(value, str) and value not in _WORDS:
            raise Invalid(f"data.{name}: expected a number, got the text {value[:60]!r}")
        found = found or value is not None
    if not found:
        raise Invalid("data: at least one value is needed")
    return row


def _points(rows: Iterable[wire.MetricLine]) -> PointBatch | None:
    places: dict[str, int] = {}
    which: list[int] = []
    step: list[int] = []
    time: list[int] = []
    value: list[float] = []
    for row in rows:
        at, time_ms = row.step, row.time
        for name, number in row.data.items():
            if number is None:
                continue
            which.append(places.setdefault(name, len(places)))
            step.append(at)
            time.append(time_ms)
            value.append(_WORDS[number] if isinstance(number, str) else number)
    if not value:
        return None
    return PointBatch(
        series=tuple((name, ()) for name in places),
        which=np.array(which, np.int64),
        step=np.array(step, np.int64),
        time=np.array(time, np.int64) * 1000,
        value=np.array(value, np.float64),
    )


def _check_time(time_ms: int) -> None:
    if time_ms > TIME_MAX_MS:
        raise Invalid(f"time: {time_ms} is later than {TIME_MAX_MS} ms, the last time that is kept")


# --- console lines ----------------------------------------------------------------------------------------------------


def _log_line(row: wire.LogRow) -> LogLine:
    """Processes of one run, and the same process resumed, count their lines anew: lines with one number but another
    time or text are different lines, so a digest of both stands below the number."""
    _check_time(row.time)
    text = row.message.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=4, key=row.time.to_bytes(8, "big")).digest()
    kind = (row.log_type or "INFO").upper()
    return LogLine(
        stream=kind,
        line=(row.line_number + 1) << _NUMBER_BITS | int.from_bytes(digest, "big"),
        time=row.time * 1000,
        text=row.message,
        level=kind,
    )


# --- observations -----------------------------------------------------------------------------------------------------


def _observation(row: wire.DataRow, run_id: str, at: int) -> Record:
    _check_time(row.time)
    for field, text in (("dataType", row.data_type), ("logName", row.log_name)):
        if not text.strip():
            raise Invalid(f"{field}: must not be blank")
    told: dict[str, Any] = {"type": row.data_type, "name": row.log_name, "step": row.step, "time": row.time}
    # The same again, as a client resends what was not acknowledged, has the same place.
    digest = hashlib.blake2b(json.dumps([told, row.data]).encode(), digest_size=16).hexdigest()
    return translate.record(translate.OBSERVATION, run_id, {**told, "data": row.data}, at, name=digest)

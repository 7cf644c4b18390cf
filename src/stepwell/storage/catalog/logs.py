"""Console lines of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from stepwell.core.errors import Invalid
from stepwell.core.model import LogLine
from stepwell.core.page import Page, Position
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.storage.catalog import runs
from stepwell.storage.catalog.sql import Connection, Row, Statements

_SQL: Final = Statements.load("queries.sql")


def append(conn: Connection, workspace: str, run_id: str, lines: Sequence[LogLine]) -> None:
    """Add lines; a number that its stream has already is replaced. NotFound: no such run; Conflict: it is deleted."""
    key = runs.open_run(conn, workspace, run_id).key
    _SQL.each(conn, "put_line", ((key, line.stream, line.line, line.time, line.text, line.level) for line in lines))


def read(
    conn: Connection, workspace: str, run_id: str, *, stream: str | None, after: Position | None, limit: int
) -> Page[LogLine]:
    """Lines of all streams or of one, in the order (stream, line); empty when there is no such run."""
    state = runs.find(conn, workspace, run_id)
    if state is None:
        return Page(items=[])
    after_stream, after_line = _position(after)
    bindings = {
        "run_key": state.key,
        "stream": stream,
        "after_stream": after_stream,
        "after_line": after_line,
        "limit": limit + 1,
    }
    rows = _SQL.all(conn, "read_lines" if stream is None else "read_lines_of_stream", bindings)
    return Page(items=_lines(rows[:limit]), after=rows[limit - 1][:2] if len(rows) > limit else None)


def read_newest(
    conn: Connection, workspace: str, run_id: str, *, stream: str, upto: Position | None, limit: int
) -> list[LogLine]:
    """The last lines of a stream, up to a position, in their order; empty when there is no such run."""
    state = runs.find(conn, workspace, run_id)
    if state is None:
        return []
    _, last = _position(upto, otherwise=INT64_MAX)
    bindings = {"run_key": state.key, "stream": stream, "last": last, "limit": limit}
    return _lines(_SQL.all(conn, "read_newest_lines_of_stream", bindings))[::-1]


def read_numbered(
    conn: Connection, workspace: str, run_id: str, *, stream: str | None, skip: int, limit: int
) -> list[LogLine]:
    """Lines of all streams or of one, in the order (line, stream); empty when there is no such run."""
    state = runs.find(conn, workspace, run_id)
    if state is None:
        return []
    bindings = {"run_key": state.key, "stream": stream, "skip": skip, "limit": limit}
    name = "read_numbered_lines" if stream is None else "read_numbered_lines_of_stream"
    return _lines(_SQL.all(conn, name, bindings))


def count(conn: Connection, workspace: str, run_id: str, *, stream: str | None) -> int:
    """How many lines all streams have, or one; 0 when there is no such run."""
    state = runs.find(conn, workspace, run_id)
    if state is None:
        return 0
    bindings = {"run_key": state.key, "stream": stream}
    ((lines,),) = _SQL.all(conn, "count_lines" if stream is None else "count_lines_of_stream", bindings)
    return int(lines)


def _lines(rows: Iterable[Row]) -> list[LogLine]:
    return [
        LogLine(stream=stream, line=line, time=time, text=text, level=level) for stream, line, time, text, level in rows
    ]


def _position(place: Position | None, *, otherwise: int = INT64_MIN) -> tuple[str, int]:
    if place is None:
        return "", otherwise
    if len(place) == 2 and isinstance(place[0], str) and isinstance(place[1], int):
        return place[0], place[1]
    raise Invalid("the position does not belong to these lines", field="cursor")

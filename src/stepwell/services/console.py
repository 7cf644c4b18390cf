"""Console lines of a run, page by page. Whose task a stream is belongs to log_tail.py."""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.core import limits, page
from stepwell.core.errors import NotFound
from stepwell.core.model import NO_COLUMNS, LogLine
from stepwell.core.page import Position
from stepwell.core.series import INT64_MAX
from stepwell.core.store import Store
from stepwell.services.checks import check_limit, check_name, check_text

_KIND = "lines"


def lines(
    store: Store, *, workspace: str, run_id: str, stream: str | None = None, cursor: str | None = None, limit: int
) -> tuple[list[LogLine], str | None]:
    """Lines in the order (stream, line), of one stream or of all, and the cursor after the last of them.

    Of one stream the cursor is given as soon as there was a line, so that a reader asks again for what follows; of all
    streams None says that this was the last page. Raises NotFound (run), Invalid (cursor), TooLarge (limit).
    """
    check_limit(limit, field="limit", limit=limits.PAGE_LINES)
    _known(store, workspace, run_id)
    query = page.fingerprint(workspace, run_id, stream)
    after = page.decode(_KIND, query, cursor)
    found = store.read_lines(workspace=workspace, run_id=run_id, stream=stream, after=after, limit=limit)
    following = found.after
    if stream is not None and following is None:
        following = (stream, found.items[-1].line) if found.items else after
    return found.items, page.encode(_KIND, query, following)


def newest(
    store: Store, *, workspace: str, run_id: str, stream: str, before: str | None = None, limit: int
) -> tuple[list[LogLine], str | None, str | None]:
    """The last lines of a stream, or of those before a cursor; the cursor that leads on from them as in `lines`, and
    the one before the first of them (None: there are no earlier ones).

    A cursor is a place between two lines, so one of `lines` leads back too. Raises NotFound (run), Invalid (before),
    TooLarge (limit).
    """
    check_limit(limit, field="limit", limit=limits.PAGE_LINES)
    _known(store, workspace, run_id)
    query = page.fingerprint(workspace, run_id, stream)
    upto = page.decode(_KIND, query, before, field="before")
    found = store.read_newest_lines(workspace=workspace, run_id=run_id, stream=stream, upto=upto, limit=limit + 1)
    kept = found[-limit:]
    following = (stream, kept[-1].line) if kept else upto
    earlier = (stream, kept[0].line - 1) if len(found) > limit else None
    return kept, page.encode(_KIND, query, following), page.encode(_KIND, query, earlier)


def numbered(
    store: Store, *, workspace: str, run_id: str, stream: str | None, skip: int, limit: int
) -> tuple[list[LogLine], int]:
    """Lines in the order (line, stream), of one stream or of all, without the first `skip`, and how many there are in
    all: for interfaces that count pages. Both cost a look at each line, but only those of the page are fetched.
    TooLarge (limit)."""
    check_limit(limit, field="limit", limit=limits.PAGE_LINES)
    total = store.count_lines(workspace=workspace, run_id=run_id, stream=stream)
    if skip >= total:
        return [], total
    found = store.read_numbered_lines(workspace=workspace, run_id=run_id, stream=stream, skip=skip, limit=limit)
    return found, total


def append(store: Store, *, workspace: str, run_id: str, lines: Sequence[LogLine]) -> None:
    """Store lines, all or none; a number that its stream has already is replaced. NotFound (run), Conflict (deleted),
    Invalid or TooLarge for what is no text or too long.
    """
    for place, line in enumerate(lines):
        check_name(line.stream, field=f"lines[{place}].stream")
        check_text(line.text, field=f"lines[{place}].text", limit=limits.LINE_LENGTH)
        check_text(line.level, field=f"lines[{place}].level", limit=limits.NAME_LENGTH)
    store.append_lines(workspace=workspace, run_id=run_id, lines=lines)


def streams(store: Store, *, workspace: str, run_id: str) -> list[str]:
    """The names of a run's streams, sorted. One read for each, however long it is. Raises NotFound."""
    _known(store, workspace, run_id)
    found: list[str] = []
    while len(found) < limits.PAGE_LINES:
        after: Position | None = (found[-1], INT64_MAX) if found else None
        first = store.read_lines(workspace=workspace, run_id=run_id, stream=None, after=after, limit=1).items
        if not first:
            break
        found.append(first[0].stream)
    return found


def _known(store: Store, workspace: str, run_id: str) -> None:
    if store.get_runs(workspace=workspace, run_ids=[run_id], columns=NO_COLUMNS) == [None]:
        raise NotFound(f"no run {run_id!r}", field="run_id")

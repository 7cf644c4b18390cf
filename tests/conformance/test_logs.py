"""Console lines of runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import Lifecycle, LogLine
from stepwell.core.page import Position
from stepwell.core.store import Store
from stores import RUN, Shelf, W, change, make_runs


def line(number: int, stream: str = "out", text: str = "x", level: str = "") -> LogLine:
    return LogLine(stream=stream, line=number, time=number * 10, text=text, level=level)


def append(store: Store, *lines: LogLine, run_id: str = RUN, workspace: str = W) -> None:
    store.append_lines(workspace=workspace, run_id=run_id, lines=lines)


def read(store: Store, stream: str | None = None, *, page: int = 100, run_id: str = RUN) -> list[LogLine]:
    found: list[LogLine] = []
    after: Position | None = None
    while True:
        lines = store.read_lines(workspace=W, run_id=run_id, stream=stream, after=after, limit=page)
        assert len(lines.items) <= page
        found += lines.items
        after = lines.after
        if after is None:
            return found


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_lines_are_read_by_stream_and_number(shelf: Shelf, store: Store, again: Callable[[Shelf], Store]):
    lines = [line(n, stream, f"é{n}\x1b[0m", "info") for stream in ("err", "out") for n in (-1, 0, 1, 2, 10, 2**59)]
    append(store, *lines[::-1])
    store = again(shelf)
    for page in (1, 5, 12, 100):
        assert read(store, page=page) == lines
        assert read(store, "out", page=page) == lines[6:]
    assert read(store, "none") == read(store, run_id="none") == []


def test_a_number_that_exists_is_replaced(store: Store):
    append(store, line(1, text="old"), line(2))
    append(store, line(1, text="new"), line(1, "err"))
    assert read(store) == [line(1, "err"), line(1, text="new"), line(2)]


def test_the_newest_lines_of_a_stream(store: Store):
    lines = [line(n) for n in (-1, 0, 1, 2, 10, 2**59)]
    append(store, *lines[::-1], *(line(n, "err") for n in range(3)))
    for limit in (1, 4, 6, 100):
        assert store.read_newest_lines(workspace=W, run_id=RUN, stream="out", limit=limit) == lines[-limit:]
        for upto in (-(2**63), -2, -1, 0, 3, 2**63 - 1):
            wanted = [each for each in lines if each.line <= upto][-limit:]
            found = store.read_newest_lines(workspace=W, run_id=RUN, stream="out", upto=("out", upto), limit=limit)
            assert found == wanted
    assert store.read_newest_lines(workspace=W, run_id=RUN, stream="none", limit=1) == []
    assert store.read_newest_lines(workspace=W, run_id="none", stream="out", limit=1) == []
    assert store.read_newest_lines(workspace="elsewhere", run_id=RUN, stream="out", limit=1) == []


def test_a_reader_goes_on_behind_its_last_line(store: Store):
    append(store, *(line(n) for n in range(4)))
    page = store.read_lines(workspace=W, run_id=RUN, stream="out", after=None, limit=3)
    append(store, line(9), line(5))
    rest = store.read_lines(workspace=W, run_id=RUN, stream="out", after=page.after, limit=3)
    assert [one.line for one in rest.items] == [3, 5, 9]


def test_numbered_lines_are_those_of_all_streams_by_number(store: Store):
    lines = [line(n, stream) for n in (-1, 0, 2, 10, 2**59) for stream in ("err", "out")] + [line(2**59 + 1, "out")]
    append(store, *lines[::-1])
    make_runs(store, "other")
    append(store, line(3), run_id="other")

    def numbered(stream: str | None, **page: int) -> list[LogLine]:
        return store.read_numbered_lines(workspace=W, run_id=RUN, stream=stream, **page)

    for stream, expected in ((None, lines), ("out", [each for each in lines if each.stream == "out"]), ("none", [])):
        assert store.count_lines(workspace=W, run_id=RUN, stream=stream) == len(expected)
        assert numbered(stream, limit=100) == expected
        for skip in range(len(expected) + 2):
            assert numbered(stream, skip=skip, limit=3) == expected[skip : skip + 3]
    assert store.count_lines(workspace=W, run_id="none", stream=None) == 0
    assert store.count_lines(workspace="elsewhere", run_id=RUN, stream=None) == 0
    assert store.read_numbered_lines(workspace=W, run_id="none", stream=None, limit=1) == []


def test_refusals(store: Store):
    make_runs(store, "deleted")
    change(store, "deleted", lifecycle=Lifecycle.DELETED)
    with pytest.raises(NotFound):
        append(store, line(1), run_id="none")
    with pytest.raises(NotFound):
        append(store, line(1), workspace="elsewhere")
    with pytest.raises(Conflict):
        append(store, line(1), run_id="deleted")
    assert read(store, run_id="deleted") == []

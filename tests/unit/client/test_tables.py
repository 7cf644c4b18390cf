"""Tables at the terminal: in line, within the window, and nothing in them that moves the cursor."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.client import environment, tables
from stepwell.client.tables import lines, text, width

RUNS: dict[str, list[Any]] = {
    "id": ["0123456789abcdef", "two"],
    "name": ["a name that is rather long for a name", "短い名前"],
    "status": ["FINISHED", "FAILED"],
    "last_value": [0.5, 12345.0],
    "start_time_us": [1_767_225_600_000_000, None],
}
NAMES = list(RUNS)


def test_numbers_stand_to_the_right_and_wide_characters_take_two_places() -> None:
    titles, first, second = lines(RUNS, NAMES).splitlines()
    assert titles == f"{'id':<16}  {'name':<37}  {'status':<8}  last value  start time"
    assert first.endswith("  FINISHED         0.5  2026-01-01 00:00:00")
    assert second == f"{'two':<16}  短い名前{' ' * 29}  FAILED         12345"


def test_a_window_cuts_the_longest_and_the_id_last() -> None:
    for row in lines(RUNS, NAMES, room=70).splitlines():
        assert width(row) <= 70
    assert "0123456789abcdef  a name that i…  " in lines(RUNS, NAMES, room=70)
    assert "0123456…" in lines(RUNS, NAMES, room=20)


def test_only_titles_and_what_runs_became_are_in_colour() -> None:
    titles, first, second = lines(RUNS, NAMES, coloured=True).splitlines()
    assert titles.startswith("\x1b[1mid ")
    assert ("\x1b[32mFINISHED\x1b[0m" in first, first.count("\x1b")) == (True, 2)
    assert ("\x1b[31mFAILED  \x1b[0m" in second, second.count("\x1b")) == (True, 2)


@given(st.lists(st.lists(st.text(max_size=40), max_size=3), min_size=1, max_size=5), st.integers(1, 60))
def test_no_cell_breaks_a_line_or_reaches_the_controls_of_a_terminal(cells: list[list[str]], room: int) -> None:
    columns = {f"x{i}": column for i, column in enumerate(cells)}
    told = lines(columns, list(columns), room=room)
    rows = max(map(len, cells))
    assert len(told.split("\n")) == rows + 2
    assert all(row.isprintable() for row in told.split("\n"))


def test_what_is_no_text_becomes_one() -> None:
    assert [text(cell) for cell in (None, {}, {"b": 1, "a": "x"}, 0.1234567, 7, "a\nb\x1b[0m")] == [
        "",
        "",
        "a=x,b=1",
        "0.123457",
        "7",
        "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[0m",
    ]
    assert tables.moment(10**18) == str(10**18)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert environment.coloured(Terminal())
    assert not environment.coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not environment.coloured(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not environment.coloured(Terminal())

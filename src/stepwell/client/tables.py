"""Tables at the terminal: columns in line, for a person no wider than the window and in colour, and cells as texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import zip_longest
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LEAST: Final = 8  # characters that a column keeps, where it had as many
_BOLD: Final = "1"
_COLOURS: Final = {"FINISHED": "32", "FAILED": "31", "KILLED": "33", "RUNNING": "36", "SCHEDULED": "36"}


def lines(columns: Mapping[str, Sequence[Any]], names: Sequence[str], *, room: int = 0, coloured: bool = False) -> str:
    """The named columns, a title over each, numbers to the right, and a line feed behind each line.

    room: characters of a line, 0 for as many as there are; what is too long is cut, of the longest columns first and of
    the first column last. coloured: titles bold, and what a run has become in its colour.
    """
    titles = [name.removesuffix("_us").replace("_", " ") for name in names]
    cells = [columns.get(name, []) for name in names]
    texts = [
        [moment(cell) if name.endswith("_us") else text(cell) for cell in column]
        for name, column in zip(names, cells)  # noqa: B905
    ]
    widths = [max(map(width, [title, *column])) for title, column in zip(titles, texts)]  # noqa: B905
    if room:
        _shrink(widths, room - 2 * (len(widths) - 1))
    right = [
        not name.endswith("_us") and any(isinstance(cell, (int, float)) for cell in column)
        for name, column in zip(names, cells)  # noqa: B905
    ]
    rows = [
        [_fitted(cell or "", widths[i], right=right[i]) for i, cell in enumerate(row)]
        for row in [titles, *zip_longest(*texts)]
    ]
    if coloured:
        rows[0] = [f"\x1b[{_BOLD}m{title}\x1b[0m" for title in rows[0]]
        rows[1:] = [[_in_colour(cell) for cell in row] for row in rows[1:]]
    return "".join(f"{'  '.join(row).rstrip()}\n" for row in rows)


def text(cell: Any) -> str:
    """On one line, without what would move the cursor."""
    if cell is None or cell == {}:
        return ""
    if isinstance(cell, dict):
        cell = ",".join(f"{name}={value}" for name, value in sorted(cell.items()))
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(cell))


def moment(time_us: int | None) -> str:
    """UTC to the second; the microseconds themselves where no calendar has them."""
    if time_us is None:
        return ""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return str(time_us)


def width(found: str) -> int:
    """Places that it takes on a terminal: Chinese characters take two."""
    return len(found) if found.isascii() else sum(map(_places, found))


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shrink(widths: list[int], room: int) -> None:
    """Until they fit, or none can give more."""
    while sum(widths) > room:
        wide = [i for i in range(1, len(widths)) if widths[i] > _LEAST] or [0]
        longest = max(wide, key=widths.__getitem__)
        if widths[longest] <= _LEAST:
            return
        widths[longest] -= 1


def _fitted(cell: str, room: int, *, right: bool) -> str:
    if width(cell) > room:
        while width(cell) > room - 1:
            cell = cell[:-1]
        cell += "…"
    space = " " * (room - width(cell))
    return space + cell if right else cell + space


def _in_colour(cell: str) -> str:
    code = _COLOURS.get(cell.strip())
    return f"\x1b[{code}m{cell}\x1b[0m" if code else cell

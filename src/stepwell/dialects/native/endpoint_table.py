"""What a dialect's README says of its endpoints, and which of its rows is about which route.

A row is `endpoint | state | quirks`; its endpoint is a verb and the end of a path, or, where there is no route, words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile, islice, takewhile
from typing import Final, NamedTuple

from stepwell.web.routing import Dialect, Route

_ROUTE: Final = re.compile(r"`([A-Z]+) (\S+)`")


class Row(NamedTuple):
    """`verb` and `end` are empty where a row is about no route; then `what` says what it is about."""

    verb: str
    end: str
    what: str
    state: str
    quirks: str


def rows(readme: str, shorthand: Mapping[str, str]) -> list[Row]:
    """The first table under the heading Endpoints. `shorthand`: the beginnings of paths that it writes as a letter."""
    section = readme.partition("\n## Endpoints\n")[2].partition("\n## ")[0]
    below = dropwhile(lambda line: not line.startswith("|"), section.splitlines())
    lines = islice(takewhile(lambda line: line.startswith("|"), below), 2, None)
    return [_row([cell.strip() for cell in line.strip("|").split("|")], shorthand) for line in lines]


def row_of(route: Route, table: Sequence[Row]) -> Row | None:
    """The row about a route: of several that fit the one that says most of its path."""
    fitting = [row for row in table if row.verb == route.verb and route.path.endswith(row.end)]
    return max(fitting, key=lambda row: len(row.end), default=None)


def table_of(dialect: Dialect) -> list[Row]:
    """The rows of a dialect's README."""
    return rows(dialect.readme, dialect.shorthand)


def _row(cells: Sequence[str], shorthand: Mapping[str, str]) -> Row:
    what, state, quirks = (*cells, "")[:3]
    named = _ROUTE.fullmatch(what)
    verb, end = named.groups() if named else ("", "")
    letter, slash, rest = end.partition("/")
    if letter in shorthand:
        end = shorthand[letter] + slash + rest
    return Row(verb, end, _plain(what), _plain(state), _plain(quirks))


def _plain(text: str) -> str:
    return text.replace("`", "")

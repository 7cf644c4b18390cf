"""Cursors: where the next page begins. A cursor is text that says its kind and its query, so that one that belongs
elsewhere is refused.

A cursor names the last row given, never an offset: it stays right while rows are added, flushed, compacted, or the
server restarts.
It grants nothing: the workspace is checked on every page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from stepwell.core.errors import Invalid

T = TypeVar("T")
Position: TypeAlias = tuple[int | str | None, ...]
_LENGTH = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows, and the position after which the next page begins (None: there are no more)."""

    items: list[T]
    after: Position | None = None


def fingerprint(*parts: object) -> str:
    """A short stable digest of what a query asks for."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()


def encode(kind: str, query: str, after: Position | None) -> str | None:
    """The cursor text of a position; None when there is no next page."""
    if after is None:
        return None
    # Integers travel as text: a cursor may pass through JSON readers that keep 53 bits only.
    row = [["i", str(p)] if isinstance(p, int) else p for p in after]
    text = json.dumps([kind, query, row], separators=(",", ":"), ensure_ascii=True)
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(kind: str, query: str, cursor: str | None, *, field: str = "cursor") -> Position | None:
    """The position in a cursor. Raises Invalid for text that is not one, and for one made for another query."""
    if not cursor:
        return None
    found_kind, found_query, after = _parse(cursor, field)
    if found_kind != kind or found_query != query:
        raise Invalid(f"{field} belongs to another query", field=field)
    return after


def _parse(cursor: str, field: str) -> tuple[str, str, Position]:
    error = Invalid(f"{field} is not one that this server gave", field=field)
    if len(cursor) > _LENGTH:
        raise error
    try:
        kind, query, row = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        after = tuple(_item(p) for p in row)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise error from None
    if not isinstance(kind, str) or not isinstance(query, str):
        raise error
    return kind, query, after


def _item(item: object) -> int | str | None:
    if item is None or isinstance(item, str):
        return item
    if isinstance(item, list) and len(item) == 2 and item[0] == "i" and isinstance(item[1], str) and len(item[1]) <= 20:
        number = int(item[1])
        if -(2**63) <= number < 2**63:
            return number
    raise ValueError(item)

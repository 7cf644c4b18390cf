"""SQL functions that give text comparisons the meaning of `core.filter_match`, which SQLite's own do not have."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import apsw

from stepwell.core.filter_match import compile_like
from stepwell.storage.catalog.search import ILIKE, LIKE

_PATTERNS: Final = 64  # compiled patterns that a connection remembers


def register(conn: apsw.Connection) -> None:
    """Give a connection the functions; every connection that searches needs them."""
    compiled = lru_cache(maxsize=_PATTERNS)(compile_like)

    def text_like(pattern: str, text: str | None) -> bool:
        return text is not None and compiled(pattern)(text)

    def text_ilike(pattern: str, text: str | None) -> bool:
        return text is not None and compiled(pattern, ignore_case=True)(text)

    functions: dict[str, Callable[..., bool]] = {LIKE: text_like, ILIKE: text_ilike}
    for name, function in functions.items():
        conn.create_scalar_function(name, function, 2, deterministic=True)

"""Params and tags as the server takes them: flat, and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepwell.client.limits import wrong_name, wrong_text


def pairs(given: Mapping[str, Any], what: str, tell: Callable[[str], None]) -> dict[str, str]:
    """Names and texts; mappings inside are joined with dots. What the server would refuse is told and left out."""
    kept: dict[str, str] = {}
    for name, text in _flat("", given):
        wrong = wrong_name(name) or wrong_text(text)
        if wrong:
            tell(f"{what} {name[:80]!r}: {wrong}")
        else:
            kept[name] = text
    return kept


def _flat(prefix: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", str(value)

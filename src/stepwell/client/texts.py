"""Params, tags and names as the server takes them: flat, and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepwell.client.limits import VALUE_LENGTH, wrong_name, wrong_text


def pairs(given: Mapping[str, Any], what: str, tell: Callable[[str], None]) -> dict[str, str]:
    """Names and texts; mappings inside are joined with dots. What the server would refuse is told and left out."""
    kept: dict[str, str] = {}
    for name, value in _flat("", given):
        wrong = wrong_name(name)
        if wrong:
            tell(f"{what} {name[:80]!r}: {wrong}")
            continue
        text = one("None" if value is None else value, f"{what} {name[:80]!r}", tell)
        if text is not None:
            kept[name] = text
    return kept


def one(given: object, what: str, tell: Callable[[str], None], limit: int = VALUE_LENGTH) -> str | None:
    """Its text; None of None, and of what has no text or one that the server would refuse, which is told."""
    if given is None:
        return None
    try:
        text = str(given)
        wrong = wrong_text(text, limit)
    except Exception as error:  # noqa: BLE001  a value's own method may raise anything
        text, wrong = "", f"{type(error).__name__}: {error}"
    if wrong:
        tell(f"{what}: {wrong}")
        return None
    return text


def _flat(prefix: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value

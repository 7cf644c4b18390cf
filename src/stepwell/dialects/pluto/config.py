"""Configurations: JSON objects that grow by merging, and the flat names that they have as params."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.core.limits import NAME_LENGTH, PARAM_VALUE_LENGTH


def merged(old: Any, new: Any) -> Any:
    """`new` laid over `old`: objects join key by key, everything else is replaced."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a configuration that is no object, by its path with dots. Empty objects have none."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """What stands at a path with dots; keys may hold dots themselves. None for nothing."""
    if path in config:
        return config[path]
    for dot in (place for place, sign in enumerate(path) if sign == "."):
        inner = config.get(path[:dot])
        if isinstance(inner, dict) and (found := value_at(inner, path[dot + 1 :])) is not None:
            return found
    return None


def params_of(config: Mapping[str, Any], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The params of a configuration: its leaves as text. A param keeps its first value, so known ones are left out.

    What no param can hold (a name or value that is too long, or has a NUL) stays in the configuration alone.
    """
    found = {name: text_of(value) for name, value in leaves(config)}
    return {
        name: value
        for name, value in found.items()
        if name not in (known or {}) and _fits(name, NAME_LENGTH) and name and _fits(value, PARAM_VALUE_LENGTH)
    }


def joined(config: Mapping[str, Any] | None, params: Mapping[str, str]) -> dict[str, Any] | None:
    """What Pluto shows as a run's configuration: its own, and the params that came through other interfaces."""
    own = {name for name, _ in leaves(config)} if config else set()
    others = {name: value for name, value in params.items() if name not in own}
    if config is None and not others:
        return None
    return {**others, **(config or {})}


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and "\0" not in text


def text_of(value: Any) -> str:
    """A value as the text of a param."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

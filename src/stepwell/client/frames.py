"""Columns as the frames of whichever library is there. None is imported before somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

FRAMES: Final = ("pandas", "polars", "columns")
_WORDS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def chosen(frames: str | None) -> str:
    """What is asked for, else pandas, else polars, else columns. ValueError."""
    if frames is None:
        return next((name for name in FRAMES[:2] if find_spec(name) is not None), FRAMES[2])
    if frames not in FRAMES:
        raise ValueError(f"frames is {frames!r}; it must be one of {', '.join(FRAMES)}")
    return frames


def frame(columns: Mapping[str, list[Any]], frames: str) -> Any:
    """A DataFrame, or with "columns" the lists as they are. ImportError where the library is not installed."""
    if frames == "columns":
        return dict(columns)
    library = import_module(frames)
    if frames == "polars":
        return library.DataFrame(dict(columns), strict=False, infer_schema_length=None)
    return library.DataFrame(dict(columns))


def restored(table: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an answer, with the values that JSON cannot write put back: NaN and the infinities."""
    columns = {name: column for name, column in table.items() if name != "non_finite"}
    for name, marks in table.get("non_finite", {}).items():
        column = columns[name] = list(columns[name])
        for at, word in zip(marks["at"], marks["value"], strict=True):
            column[at] = _WORDS[word]
    return columns

"""What MLflow can hold of runs and points, and how much of it a request may bring. Nothing here asks a server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from stepwell.transfer import mlflow
from stepwell.transfer.runs import Point, SeriesName, key_of, value_of
from stepwell.transfer.server import word

_METRICS: Final = 1000  # of a request, by MLflow's rules
_TEXTS: Final = 100
_SIZE: Final = 500_000  # characters of the texts in a request
_CUT: Final = 250  # characters; the shortest limit of a text in MLflow
_INFINITE: Final = (float("inf"), float("-inf"))

Row: TypeAlias = tuple[str, Point]  # the name of a metric in MLflow, and a point of it


def metric_key(name: SeriesName) -> str:
    """MLflow's metrics have no labels: those of a series stand behind its metric."""
    return name.metric + "".join(f"/{label}:{value}" for label, value in name.labels)


def held(point: Point) -> tuple[Point | None, list[str]]:
    """A point as MLflow's databases hold it and as it is read there, None where they cannot; what is otherwise then."""
    step, time_us, key = point
    if time_us < 0:
        return None, ["of before 1970: left out"]
    otherwise = []
    value = value_of(key)
    if time_us % 1000:
        otherwise.append("times cut to the millisecond")
    if value in _INFINITE:
        otherwise.append("infinities kept as the largest float")
    if value == 0 and key < 0:
        otherwise.append("-0.0 kept as 0.0")
    return (step, time_us - time_us % 1000, held_value(key)), otherwise


def held_value(key: int) -> int:
    """Values that MLflow does not tell apart are one."""
    value = value_of(key)
    return key_of(0.0) if value == 0 else key_of(mlflow.value(value))


def as_metric(key: str, point: Point) -> dict[str, Any]:
    """A point as a request has it."""
    step, time_us, value = point
    return {"key": key, "value": word(value_of(value)), "timestamp": time_us // 1000, "step": step}


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """As many as one request may bring."""
    rest = iter(rows)
    while some := list(islice(rest, _METRICS)):
        yield some


def by_size(texts: Iterable[Mapping[str, str]]) -> Iterator[list[Mapping[str, str]]]:
    """As many texts as one request may bring."""
    some: list[Mapping[str, str]] = []
    size = 0
    for each in texts:
        length = len(json.dumps(each))
        if some and (len(some) == _TEXTS or size + length > _SIZE):
            yield some
            some, size = [], 0
        some.append(each)
        size += length
    if some:
        yield some


def lacking(texts: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """What is not there, or otherwise. MLflow cuts long texts: their beginning is not otherwise."""
    return {
        name: text
        for name, text in texts.items()
        if not (name in there and (text == there[name] or is_cut(text, there[name])))
    }


def is_cut(text: str, kept: str) -> bool:
    """Whether MLflow has kept the beginning of a text that was too long for it."""
    return len(text) > len(kept) >= _CUT and text.startswith(kept)


def milliseconds(time_us: int | None) -> int | None:
    """The whole ones."""
    return None if time_us is None else time_us // 1000

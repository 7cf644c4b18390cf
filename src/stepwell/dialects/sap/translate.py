"""A metric resource as a change of a run. Pure: no HTTP, no services. Answers are made in render.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import NewRun, PointBatch, Repeats, RunWrite
from stepwell.core.series import INT64_MAX, Labels
from stepwell.dialects.sap import rules, times, wire

ORIGIN: Final = "sap"


def patch(message: wire.MetricResource, *, at: int) -> RunWrite:
    """Everything of one PATCH. The execution's run is made when it is missing; points that repeat are points again."""
    run_id = rules.check_execution_id(message.executionId, "executionId")
    rules.check_count(len(message.metrics), "metrics", rules.METRICS)
    rules.check_count(len(message.tags), "tags", rules.TAGS)
    rules.check_count(len(message.customInfo), "customInfo", rules.CUSTOM_INFO)
    return RunWrite(
        run_id=run_id,
        make=NewRun(id=run_id, name=run_id, origin=ORIGIN, start_time=at, at=at),
        points=points(message.metrics, at=at) if message.metrics else None,
        repeats=Repeats.APPEND,
        set_tags=_pairs(message.tags, "tags", rules.NAME_LENGTH),
        set_custom_info=_custom_info(message.customInfo),
        at=at,
    )


def points(metrics: Sequence[wire.Metric], *, at: int) -> PointBatch:
    """Metrics in columns, in their order. Those without a time happened at `at`."""
    series: dict[tuple[str, Labels], int] = {}
    known: dict[str | None, int] = {None: at}
    which, step, time = [], [], []
    for place, metric in enumerate(metrics):
        path = f"metrics[{place}]"
        rules.check_metric_name(metric.name, f"{path}.name")
        labels = _labels(metric.labels, f"{path}.labels") if metric.labels else ()
        which.append(series.setdefault((metric.name, labels), len(series)))
        step.append(_step(metric.step, f"{path}.step") if metric.step else 0)
        if metric.timestamp not in known:
            known[metric.timestamp] = times.parse(metric.timestamp or "", f"{path}.timestamp")
        time.append(known[metric.timestamp])
    return PointBatch(
        series=tuple(series),
        which=np.array(which, np.int64),
        step=np.array(step, np.int64),
        time=np.array(time, np.int64),
        value=np.array([metric.value for metric in metrics], np.float64),
    )


def _step(step: int | float, field: str) -> int:
    if isinstance(step, float) and not step.is_integer():
        raise Invalid(f"{field} is {step}; it must be an integer", field=field)
    if step < 0:
        raise Invalid(f"{field} is {step}; it must be 0 or more", field=field)
    if step > INT64_MAX:
        raise TooLarge(f"{field} is {step}; the limit is {INT64_MAX}", field=field, limit=INT64_MAX)
    return int(step)


def _labels(pairs: Sequence[wire.Pair], field: str) -> Labels:
    """Sorted by name. The same label twice is one: clients add theirs again when they log an object again."""
    rules.check_count(len(pairs), field, rules.LABELS)
    found: dict[str, str] = {}
    for place, pair in enumerate(pairs):
        rules.check_text(pair.name, f"{field}[{place}].name")
        rules.check_text(pair.value, f"{field}[{place}].value")
        if found.setdefault(pair.name, pair.value) != pair.value:
            raise Invalid(
                f"{field}[{place}].value: the label {pair.name!r} is {found[pair.name]!r} already, not {pair.value!r}",
                field=f"{field}[{place}].value",
            )
    return tuple(sorted(found.items()))


def _custom_info(pairs: Sequence[wire.Pair]) -> dict[str, str]:
    found = _pairs(pairs, "customInfo", None)
    rules.check_custom_info_bytes(sum(_bytes(pair.name) + _bytes(pair.value) for pair in pairs))
    return found


def _pairs(pairs: Sequence[wire.Pair], field: str, value_limit: int | None) -> dict[str, str]:
    """By name; of two with one name the later counts."""
    for place, pair in enumerate(pairs):
        rules.check_text(pair.name, f"{field}[{place}].name")
        rules.check_text(pair.value, f"{field}[{place}].value", value_limit)
    return {pair.name: pair.value for pair in pairs}


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())

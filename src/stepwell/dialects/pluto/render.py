"""Core's values as Pluto's answers. Pure: no HTTP, no services. The other direction lives in translate.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import orjson

from stepwell.core.buckets import Buckets
from stepwell.core.model import Event, Run, RunRow
from stepwell.core.series import F64, I64, Points
from stepwell.dialects import NOTE_TAG
from stepwell.dialects.pluto import config, names, statuses, translate

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = 253_402_300_799_999_000  # microseconds: the end of the year 9999


def iso(at: int) -> str:
    """A time as 2026-11-21T00:09:59.735Z."""
    moment = _EPOCH + timedelta(microseconds=min(max(at, -62_135_596_800_000_000), _LAST))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def plain(at: int) -> str:
    """A time as 2026-11-21 00:09:59.735, UTC, which points and lines have."""
    return iso(at)[:-1].replace("T", " ")


def plain_all(times: I64) -> list[str]:
    """`plain` of many."""
    texts = np.datetime_as_string((times // 1000).astype("datetime64[ms]"))
    return [text.replace("T", " ") for text in texts.tolist()]


# --- runs -------------------------------------------------------------------------------------------------------------


def run_url(origin: str, run: Run) -> str:
    """Where the page shows a run."""
    return f"{origin}/#/experiments/{run.experiment_id}/runs/{quote(run.id, safe='')}"


def project_url(origin: str, experiment_id: int, keys: Iterable[int]) -> str:
    """Where the page shows a project, with some runs picked."""
    return f"{origin}/#/experiments/{experiment_id}?runs={','.join(map(str, keys))}"


def started(
    run: Run, project: str, *, workspace: str, origin: str, resumed: bool, fork: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The answer to create and resume."""
    return {
        "runId": run.key,
        "number": run.project_number,
        "displayId": names.display_id(project, run.project_number),
        "projectName": project,
        "organizationSlug": workspace,
        "url": run_url(origin, run),
        "resumed": resumed,
        "forkedFromRunId": fork["key"] if fork else None,
        "forkStep": fork["step"] if fork else None,
    }


def created_at(run: Run) -> int:
    """When a run began."""
    return run.created_at if run.start_time is None else run.start_time


def listed(row: RunRow, project: str) -> dict[str, Any]:
    """A run in a list."""
    run = row.run
    return {
        "id": run.key,
        "name": run.name,
        "number": run.project_number,
        "displayId": names.display_id(project, run.project_number),
        "projectName": project,
        "status": statuses.word_of(run),
        "tags": names.tag_list(row.tags),
        "createdAt": iso(created_at(run)),
    }


def details(
    row: RunRow, project: str, known: Mapping[str, Any], *, alias: str | None, log_names: list[dict[str, Any]], url: str
) -> dict[str, Any]:
    """A whole run. `known`: kind of detail -> its value."""
    run = row.run
    over = statuses.word_of(run) != statuses.RUNNING
    fork = known.get(translate.FORK)
    return {
        **listed(row, project),
        "config": run_config(row, known),
        "systemMetadata": known.get(translate.SYSTEM),
        "loggerSettings": known.get(translate.SETTINGS),
        "statusMetadata": known.get(translate.STATUS_DETAIL),
        "updatedAt": iso(run.updated_at),
        "statusUpdated": iso(run.end_time) if over and run.end_time is not None else None,
        "externalId": alias,
        "notes": row.tags.get(NOTE_TAG) or None,
        "forkedFromRunId": fork["key"] if fork else None,
        "forkStep": fork["step"] if fork else None,
        "url": url,
        "logNames": log_names,
    }


def run_config(row: RunRow, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """The configuration of a run."""
    return config.joined(known.get(translate.CONFIG), row.params)


def log_name(name: str, kind: str) -> dict[str, Any]:
    """A name that a run logs under."""
    return {"logName": name, "logType": kind, "logGroup": names.group_of(name)}


def history(key: int, events: Sequence[Event]) -> dict[str, Any]:
    """What happened to a run's status. Events of other kinds are left out."""
    told = []
    for number, event in enumerate(events, 1):
        if event.kind != translate.STATUS_EVENT or not event.detail:
            continue
        change = json.loads(event.detail)
        told.append(
            {
                "id": str(number),
                "runId": key,
                "fromStatus": change.get("from"),
                "toStatus": change.get("to"),
                "source": change.get("source"),
                "metadata": change.get("metadata"),
                "actorId": None,
                "apiKeyId": change.get("credential"),
                "createdAt": iso(event.time),
            }
        )
    return {"runId": key, "events": told}


# --- points -----------------------------------------------------------------------------------------------------------


def metric_rows(name: str, points: Points) -> bytes:
    """The points of a metric as the items of a JSON array, without its brackets."""
    group = names.group_of(name)
    finite = np.isfinite(points.value)
    values = np.where(finite, points.value, 0.0).tolist()
    columns = zip(plain_all(points.time), points.step.tolist(), values, flags(points.value), strict=True)
    rows = [
        {"logName": name, "logGroup": group, "time": time, "step": step, "value": value, "valueFlag": flag}
        for time, step, value, flag in columns
    ]
    return orjson.dumps(rows)[1:-1]


def raw_rows(name: str, points: Points) -> list[dict[str, Any]]:
    """Every point of a metric, as it was written."""
    group = names.group_of(name)
    values = np.where(np.isfinite(points.value), points.value, 0.0).tolist()
    bits = (np.isnan(points.value) * 1 + np.isposinf(points.value) * 2 + np.isneginf(points.value) * 4).tolist()
    columns = zip(plain_all(points.time), points.step.tolist(), values, bits, strict=True)
    return [
        {"logGroup": group, "step": step, "time": time, "value": value, "nonFiniteFlags": flag}
        for time, step, value, flag in columns
    ]


def flags(values: F64) -> list[str]:
    """For each value "" or the word for what JSON has no number for."""
    found = [""] * len(values)
    for place in np.flatnonzero(~np.isfinite(values)).tolist():
        value = float(values[place])
        found[place] = "NaN" if value != value else "Inf" if value > 0 else "-Inf"
    return found


def chart(found: Buckets) -> dict[str, Any]:
    """Buckets in columns. A bucket without a finite value has null in their place, and flags."""
    some = found.finite_count > 0

    def shown(values: F64) -> list[float | None]:
        return [value if there else None for value, there in zip(values.tolist(), some.tolist(), strict=True)]

    bits = (found.nan_count > 0) * 1 + (found.pos_inf_count > 0) * 2 + (found.neg_inf_count > 0) * 4
    return {
        "steps": found.first.step.tolist(),
        "times": plain_all(found.first.time),
        "values": shown(found.mean),
        "minYs": shown(found.min.value),
        "maxYs": shown(found.max.value),
        "counts": found.finite_count.tolist(),
        "nfFlags": bits.tolist(),
    }

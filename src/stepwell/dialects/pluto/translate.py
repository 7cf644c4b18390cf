"""Pluto's requests as core's values. Pure: no HTTP, no services. The other direction lives in render.py."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell.core.errors import Invalid
from stepwell.core.limits import TIME_MAX_MS
from stepwell.core.model import Event, NewRun, Record, Run, RunWrite, Status, Window
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.dialects import NOTE_TAG, note_tags
from stepwell.dialects.pluto import config, names, rules, statuses, wire
from stepwell.dialects.pluto.decoding import json_object, json_value, refused

ORIGIN: Final = "pluto"
STATUS_EVENT: Final = "status"
_API: Final = "api"  # where a change of a status came from

# Kinds of details that a run has one of.
CONFIG: Final = "config"
SYSTEM: Final = "system"
SETTINGS: Final = "client_settings"
STATUS_DETAIL: Final = "status_detail"
FORK: Final = "fork"
GRAPH: Final = "graph"
# Kinds that it has many of.
LOG_NAME: Final = "log_name"
FILE: Final = "file_entry"
ALERT: Final = "alert"
OBSERVATION: Final = "observation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The run that another begins from: what it passes on."""

    key: int
    step: int
    config: Mapping[str, Any]
    tags: Mapping[str, str]


def micros(millis: float | None, field: str, default: int) -> int:
    """Milliseconds as microseconds, or the default for None. Invalid: before 1970, or later than can be kept."""
    if millis is None:
        return default
    if not math.isfinite(millis) or not 0 <= millis <= TIME_MAX_MS:
        raise refused(field, f"a time is 0 to {TIME_MAX_MS} milliseconds since 1970")
    return int(millis) * 1000 if isinstance(millis, int) else int(millis * 1000)


def tags(given: Sequence[str] | None) -> dict[str, str]:
    """A list of tags as a run's tags. Invalid: too many, empty ones, or two groups."""
    found = list(dict.fromkeys(given or ()))
    if len(found) > rules.TAGS:
        raise refused("tags", f"Array must contain at most {rules.TAGS} element(s)")
    if "" in found:
        raise refused("tags", "A tag must not be empty")
    if names.groups_in(found) > 1:
        raise Invalid("A run can have at most one group:* tag.", field="tags")
    return dict.fromkeys(found, "")


def new_run(
    message: wire.CreateRun, *, run_id: str, experiment_id: int, parent: Parent | None, more: Sequence[Record], at: int
) -> RunWrite:
    """Everything that making a run writes. `more`: records that have to be there with it."""
    started = micros(message.created_at, "createdAt", at)
    own = json_object(message.config, "config")
    whole = own
    given = tags(message.tags)
    if parent is not None:
        if message.inherit_config is not False and parent.config:
            whole = {**parent.config, **(own or {})}
        if message.inherit_tags:
            inherited = names.without_group(parent.tags) if names.groups_in(given) else parent.tags
            given = {name: value for name, value in inherited.items() if name != NOTE_TAG} | given
    details: list[tuple[str, Any]] = [
        (CONFIG, whole or {}),
        (SYSTEM, json_value(message.system_metadata, "systemMetadata")),
        (SETTINGS, json_object(message.logger_settings, "loggerSettings")),
        (FORK, None if parent is None else {"key": parent.key, "step": parent.step}),
    ]
    return RunWrite(
        run_id=run_id,
        make=NewRun(
            id=run_id,
            experiment_id=experiment_id,
            name=message.run_name,
            origin=ORIGIN,
            start_time=started,
            params=config.params_of(whole or {}),
            tags=given,
            at=at,
        ),
        events=(status_event(None, statuses.RUNNING, at=at, source=_API),),
        records=(*(record(kind, run_id, value, at) for kind, value in details if value is not None), *more),
        at=at,
    )


def record(kind: str, run_id: str, value: Any, at: int, *, name: str = "") -> Record:
    """A detail of a run. `name` tells the many of one kind apart."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Record(
        kind=kind, id=f"{run_id}/{name}" if name else run_id, body=body, parent=run_id, created_at=at, updated_at=at
    )


def status_event(old: str | None, new: str, *, at: int, source: str, detail: Any = None, credential: str = "") -> Event:
    """The change of a run's status, as its history keeps it; in Pluto's words."""
    told = {"from": old, "to": new, "source": source, "metadata": detail, "credential": credential or None}
    return Event(time=at, kind=STATUS_EVENT, text=f"{old or 'new'} -> {new}", detail=json.dumps(told))


def resumed(run: Run, *, watches: tuple[Record, ...], at: int, credential: str) -> RunWrite | None:
    """What brings a run that is over back to RUNNING; None for one that runs."""
    old = statuses.word_of(run)
    if run.status is Status.RUNNING:
        return None
    event = status_event(old, statuses.RUNNING, at=at, source="resume", credential=credential)
    return RunWrite(run_id=run.id, status=Status.RUNNING, status_reason="", events=(event,), records=watches, at=at)


def new_status(
    message: wire.UpdateStatus, run: Run, *, watches: tuple[Record, ...], at: int, credential: str
) -> RunWrite | None:
    """What a change of status writes; None when the run stands there already, or somewhere that this may not change."""
    word = statuses.word_in(message.status)
    detail = json_value(message.status_metadata, "statusMetadata")
    ended = micros(message.status_updated, "statusUpdated", at)
    old = statuses.word_of(run)
    if not statuses.may_follow(word, old):
        return None
    status, reason = statuses.inside(word)
    event = status_event(old, word, at=at, source=_API, detail=detail, credential=credential)
    details = () if detail is None else (record(STATUS_DETAIL, run.id, detail, at),)
    return RunWrite(
        run_id=run.id,
        status=status,
        status_reason=reason,
        end_time=ended,
        events=(event,),
        records=(*details, *watches),
        at=at,
    )


def note(message: wire.UpdateNotes, run_id: str, at: int) -> RunWrite:
    """A run's note, or none any more. Invalid: too long."""
    if message.notes is not None and len(message.notes) > rules.NOTE_LENGTH:
        raise refused("notes", f"String must contain at most {rules.NOTE_LENGTH} character(s)")
    setting, clearing = note_tags(message.notes)
    return RunWrite(run_id=run_id, set_tags=setting, clear_tags=clearing, at=at)


def log_names(message: wire.AddLogNames, run_id: str, at: int) -> list[Record]:
    """Names that a client is going to log. Invalid: the type is none."""
    if message.log_type not in rules.LOG_TYPES:
        known = " | ".join(sorted(rules.LOG_TYPES))
        raise refused("logType", f"Invalid enum value. Expected {known}, received {message.log_type!r}")
    if any(not name.strip() for name in message.log_name):
        raise refused("logName", "A name must not be blank")
    return [
        record(LOG_NAME, run_id, {"name": name, "type": message.log_type}, at, name=f"{message.log_type}/{name}")
        for name in dict.fromkeys(message.log_name)
    ]


def window(step_min: int | None, step_max: int | None) -> Window:
    """The steps asked for, both ends included."""
    return Window(
        min_step=INT64_MIN if step_min is None else step_min, max_step=INT64_MAX if step_max is None else step_max
    )


def run_keys(text: str, field: str, *, most: int) -> list[int]:
    """The numbers in a list with commas, each once. Invalid: none, too many, or something else."""
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    bad = [word for word in words if not (word.isascii() and word.isdigit() and len(word) <= 18)]
    if len(bad) == len(words):
        raise Invalid("No valid run IDs provided", field=field)
    if len(words) > most:
        raise Invalid(f"Too many runs. Maximum is {most}, got {len(words)}", field=field)
    if bad:
        raise refused(field, f"{bad[0][:60]!r} is no run ID")
    return [int(word) for word in words]

"""MLflow's requests as core's values. Pure: no HTTP, no services. The other direction lives in render.py."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np

from stepwell.core import ids
from stepwell.core.errors import Invalid
from stepwell.core.limits import TIME_MAX_MS
from stepwell.core.model import (
    Event,
    Experiment,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
    NewRun,
    PointBatch,
    RunWrite,
    Status,
    Visibility,
)
from stepwell.core.series import I64, INT64_MAX, Labels
from stepwell.dialects.mlflow import rules, wire

RUN_NAME_TAG: Final = "mlflow.runName"
ARTIFACT_SCHEME: Final = "mlflow-artifacts"
ORIGIN: Final = "mlflow"
KEY_LISTS: Final = 64  # lists of metric names remembered: a client logs the same ones, in the same order, all the time

_STATUS_NUMBERS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_VIEWS: Final = {
    "ACTIVE_ONLY": Visibility.ACTIVE,
    "DELETED_ONLY": Visibility.DELETED,
    "ALL": Visibility.ALL,
    "1": Visibility.ACTIVE,
    "2": Visibility.DELETED,
    "3": Visibility.ALL,
}


# --- names ------------------------------------------------------------------------------------------------------------


def run_id_of(run_id: str, run_uuid: str = "") -> str:
    """The run that a request names by its id, or by the older word for it."""
    return required(run_id or run_uuid, "run_id")


def required(value: str, field: str) -> str:
    """`value` unless it is empty, which in this protocol is the same as absent."""
    if not value:
        raise Invalid(f"Missing value for required parameter '{field}'.", field=field)
    return value


def experiment_id(text: str, field: str = "experiment_id") -> int:
    """The number in an experiment id."""
    number = required(text, field)
    if not (number.isascii() and number.isdigit() and len(number) <= 19) or int(number) > INT64_MAX:
        raise Invalid(f"Invalid experiment ID {text!r}: it must be an integer of 0 or more.", field=field)
    return int(number)


def visibility(view_type: str | int, field: str) -> Visibility:
    """Which lifecycles a search sees."""
    found = _VIEWS.get(str(view_type))
    if found is None:
        raise Invalid(
            f"Invalid value {view_type!r} for parameter '{field}' supplied: it is ACTIVE_ONLY, DELETED_ONLY or ALL",
            field=field,
        )
    return found


# --- points -----------------------------------------------------------------------------------------------------------


def log_metric(message: wire.LogMetric, *, at: int) -> RunWrite:
    """One point."""
    run_id = run_id_of(message.run_id, message.run_uuid)
    key = rules.check_key(message.key, "key")
    time = rules.check_time(message.timestamp, "timestamp")
    point = PointBatch.single(key, step=message.step, time=time, value=message.value)
    return RunWrite(run_id=run_id, points=point, at=at)


def log_batch(message: wire.LogBatch, *, at: int) -> RunWrite:
    """Points, params and tags of one run. The last value of a tag that comes twice counts; a param comes once."""
    run_id = required(message.run_id, "run_id")
    rules.check_counts(len(message.metrics), len(message.params), len(message.tags))
    cuts = rules.Cuts(at)
    tags = _tags(message.tags, cuts)
    return RunWrite(
        run_id=run_id,
        points=points(message.metrics) if message.metrics else None,
        params=_params(message.params, cuts),
        set_tags=tags,
        name=_name_in(tags),
        events=cuts.events(),
        at=at,
    )


def points(metrics: Sequence[wire.MetricIn]) -> PointBatch:
    """The metrics of a batch in columns, in their order."""
    series, which = _series(tuple([m.key for m in metrics]))
    time_ms = np.fromiter([m.timestamp for m in metrics], np.int64, len(metrics))
    if int(time_ms.view(np.uint64).max()) > TIME_MAX_MS:  # those below 0 are above all others so
        bad = int(np.flatnonzero((time_ms < 0) | (time_ms > TIME_MAX_MS))[0])
        rules.check_time(int(time_ms[bad]), f"metrics[{bad}].timestamp")
    return PointBatch(
        series=series,
        which=which,
        step=np.fromiter([m.step for m in metrics], np.int64, len(metrics)),
        time=time_ms * 1000,
        value=np.fromiter([m.value for m in metrics], np.float64, len(metrics)),
    )


@lru_cache(maxsize=KEY_LISTS)
def _series(keys: tuple[str, ...]) -> tuple[tuple[tuple[str, Labels], ...], I64]:
    """The series of a batch with these keys, and for each key which one it is. Each name is checked once."""
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    for key in places:
        _check_metric_key(key, keys)
    which = np.fromiter([places[key] for key in keys], np.int64, len(keys))
    which.setflags(write=False)
    return tuple([(key, ()) for key in places]), which


def _check_metric_key(key: str, keys: Sequence[str]) -> None:
    try:
        rules.check_key(key, "key")
    except Invalid:
        rules.check_key(key, f"metrics[{keys.index(key)}].key")  # only now is it worth the search for its place


# --- params, tags, names ----------------------------------------------------------------------------------------------


def log_param(message: wire.SetPair, *, at: int) -> RunWrite:
    """One param."""
    run_id = run_id_of(message.run_id, message.run_uuid)
    cuts = rules.Cuts(at)
    key = rules.check_key(message.key, "key")
    value = cuts.cut("param", key, message.value, rules.PARAM_LENGTH)
    return RunWrite(run_id=run_id, params={key: value}, events=cuts.events(), at=at)


def set_tag(message: wire.SetPair, *, at: int) -> RunWrite:
    """One tag; the run's name when it is that tag."""
    run_id = run_id_of(message.run_id, message.run_uuid)
    cuts = rules.Cuts(at)
    key = rules.check_key(message.key, "key")
    tags = {} if _unnames(key, message.value) else {key: cuts.cut("tag", key, message.value, rules.TAG_LENGTH)}
    return RunWrite(run_id=run_id, set_tags=tags, name=_name_in(tags), events=cuts.events(), at=at)


def set_tags(run_id: str, pairs: Sequence[wire.Pair], *, at: int) -> RunWrite:
    """Several tags. The last value of one that comes twice counts."""
    cuts = rules.Cuts(at)
    tags = _tags(pairs, cuts)
    return RunWrite(run_id=required(run_id, "run_id"), set_tags=tags, name=_name_in(tags), events=cuts.events(), at=at)


def delete_tag(message: wire.DeleteTag, *, at: int) -> RunWrite:
    """One tag less."""
    key = required(message.key, "key")
    return RunWrite(run_id=required(message.run_id, "run_id"), remove_tags=(key,), at=at)


def _params(pairs: Sequence[wire.Pair], cuts: rules.Cuts) -> Mapping[str, str]:
    params: dict[str, str] = {}
    for i, pair in enumerate(pairs):
        key = rules.check_key(pair.key, f"params[{i}].key")
        if key in params:
            raise Invalid(f"Duplicate parameter keys have been submitted: {key!r}.", field=f"params[{i}].key")
        params[key] = cuts.cut("param", key, pair.value, rules.PARAM_LENGTH)
    return params


def _tags(pairs: Iterable[wire.Pair], cuts: rules.Cuts) -> dict[str, str]:
    tags: dict[str, str] = {}
    for i, pair in enumerate(pairs):
        key = rules.check_key(pair.key, f"tags[{i}].key")
        if not _unnames(key, pair.value):
            tags[key] = cuts.cut("tag", key, pair.value, rules.TAG_LENGTH)
    return tags


def _unnames(key: str, value: str) -> bool:
    """Whether a tag would take a run's name away. In this protocol it is passed over: a run keeps its name."""
    return key == RUN_NAME_TAG and not value


def _name_in(tags: Mapping[str, str]) -> str | None:
    return tags.get(RUN_NAME_TAG)


# --- runs -------------------------------------------------------------------------------------------------------------


def new_run(
    message: wire.CreateRun, *, run_id: str, experiment: Experiment, origin: str = ORIGIN, at: int
) -> tuple[NewRun, tuple[Event, ...]]:
    """The run to make in `experiment`, and the events that belong to it. Its name is also a tag, and the reverse."""
    cuts = rules.Cuts(at)
    tags = _tags(message.tags, cuts)
    tagged = tags.get(RUN_NAME_TAG, "")
    if message.run_name and tagged and message.run_name != tagged:
        raise Invalid(
            f"'run_name' is {message.run_name!r} but the tag {RUN_NAME_TAG!r} is {tagged!r}: give one, or both alike.",
            field="run_name",
        )
    name = message.run_name or tagged or ids.new_run_name()
    tags[RUN_NAME_TAG] = name
    start = None if message.start_time is None else rules.check_time(message.start_time, "start_time")
    new = NewRun(
        id=run_id,
        experiment_id=experiment.id,
        name=name,
        user=message.user_id,
        artifact_uri=under(artifact_location(experiment), f"{run_id}/artifacts"),
        origin=origin,
        start_time=start,
        tags=tags,
        at=at,
    )
    return new, cuts.events()


def update_run(message: wire.UpdateRun, *, at: int) -> RunWrite:
    """A new status, end or name. A status that nobody knows changes nothing, as in the reference; an event tells."""
    end = None if message.end_time is None else rules.check_time(message.end_time, "end_time")
    status: Status | None = None
    events: tuple[Event, ...] = ()
    if message.status is not None:
        status = _status(message.status)
        if status is None:
            shown = str(message.status)[: rules.KEY_LENGTH]
            events = (Event(time=at, kind="status_ignored", text=f"the status {shown!r} is not known; it was ignored"),)
    return RunWrite(
        run_id=run_id_of(message.run_id, message.run_uuid),
        status=status,
        end_time=end,
        name=message.run_name or None,
        set_tags={RUN_NAME_TAG: message.run_name} if message.run_name else {},
        events=events,
        at=at,
    )


def _status(word: str | int) -> Status | None:
    name = _STATUS_NUMBERS.get(word, "") if isinstance(word, int) else word
    return Status(name) if name in Status.__members__ else None


def lifecycle(run_id: str, to: Lifecycle, *, at: int) -> RunWrite:
    """Delete or restore a run."""
    return RunWrite(run_id=required(run_id, "run_id"), lifecycle=to, at=at)


# --- experiments ------------------------------------------------------------------------------------------------------


def new_experiment(message: wire.CreateExperiment, *, at: int) -> NewExperiment:
    """The experiment to make."""
    for pair in message.tags:
        rules.check_experiment_tag(pair.key, pair.value)
    return NewExperiment(
        name=experiment_name(message.name, "name"),
        artifact_location=message.artifact_location,
        tags={pair.key: pair.value for pair in message.tags},
        at=at,
    )


def experiment_name(name: str, field: str) -> str:
    """`name` if it may name an experiment: not blank, and not too long."""
    required(name, field)
    if not name.strip():
        raise Invalid(f"Invalid experiment name: {name!r}: it is blank.", field=field)
    return rules.check_length(name, field, rules.EXPERIMENT_NAME_LENGTH)


def rename_experiment(message: wire.UpdateExperiment, *, at: int) -> ExperimentWrite:
    """A new name."""
    name = experiment_name(message.new_name, "new_name")
    return ExperimentWrite(id=experiment_id(message.experiment_id), name=name, at=at)


def set_experiment_tag(message: wire.SetExperimentTag, *, at: int) -> ExperimentWrite:
    """One tag."""
    rules.check_experiment_tag(message.key, message.value)
    return ExperimentWrite(id=experiment_id(message.experiment_id), set_tags={message.key: message.value}, at=at)


def delete_experiment_tag(message: wire.DeleteExperimentTag, *, at: int) -> ExperimentWrite:
    """One tag less."""
    key = required(message.key, "key")
    return ExperimentWrite(id=experiment_id(message.experiment_id), remove_tags=(key,), at=at)


# --- places of artifacts ----------------------------------------------------------------------------------------------


def artifact_location(experiment: Experiment) -> str:
    """Where an experiment's artifacts are: as its maker said, else in this server."""
    return experiment.artifact_location or f"{ARTIFACT_SCHEME}:/{experiment.id}"


def under(location: str, path: str) -> str:
    """The URI of `path` below `location`; a query or fragment of the location stays at the end."""
    parts = urlsplit(location)
    joined = posixpath.join(parts.path, path) if parts.path else f"/{path}" if parts.netloc else path
    # urlunsplit would add an empty authority to, or drop one from, schemes that it does not know
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    authority = f"//{parts.netloc}" if parts.netloc or location.startswith(f"{scheme}//") else ""
    tail = urlunsplit(("", "", "", parts.query, parts.fragment))
    return f"{scheme}{authority}{joined}{tail}"


def proxied_root(artifact_uri: str) -> str | None:
    """The path under which the proxy keeps a run's artifacts, or None when they are kept elsewhere."""
    parts = urlsplit(artifact_uri)
    return parts.path.strip("/") if parts.scheme == ARTIFACT_SCHEME else None


def artifact_path(path: str, field: str = "path") -> str:
    """`path` if it is a plain relative one: it cannot leave the folder that it is for."""
    plain = path
    for _ in range(4):  # a path that is harmless only until somebody decodes it once more is refused too
        if "\0" in plain or "\\" in plain or not {"", ".", ".."}.isdisjoint(plain.split("/")):
            raise Invalid("Invalid path", field=field)
        plain, before = unquote(plain), plain
        if plain == before:
            return path
    raise Invalid("Invalid path", field=field)


def run_in_path(path: str) -> tuple[str, str, str] | None:
    """(root, run id, rest) of a proxy path `.../<run id>/artifacts/<rest>`, or None when it is not of that form."""
    segments = path.split("/")
    if "artifacts" not in segments[1:]:
        return None
    end = segments.index("artifacts", 1)
    return "/".join(segments[: end + 1]), segments[end - 1], "/".join(segments[end + 1 :])

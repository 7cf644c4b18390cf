"""Words to and fro, without a server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stepwell.core.errors import Invalid
from stepwell.core.model import Event, Lifecycle, Run, RunRow, Status
from stepwell.core.resources import Resource
from stepwell.dialects.modelarts import decoding, translate, wire
from stepwell.dialects.modelarts.decoding import BadBody, BadQuery

MS = 1_700_000_000_000
NOW = MS * 1000


def run(**fields: Any) -> Run:
    known: dict[str, Any] = {
        "workspace": "w",
        "key": 1,
        "id": "id",
        "experiment_id": 0,
        "project_number": 1,
        "name": "name",
        "user": "me",
        "status": Status.RUNNING,
        "status_reason": "",
        "lifecycle": Lifecycle.ACTIVE,
        "artifact_uri": "",
        "origin": "test",
        "start_time": NOW,
        "end_time": None,
        "created_at": NOW + 5_000,
        "updated_at": NOW + 6_000,
    }
    return Run(**(known | fields))


def test_every_status_has_a_phase():
    assert set(translate.PHASES) == set(Status)
    assert len({phase for phase, _ in translate.PHASES.values()}) == len(Status)


def test_every_resource_is_a_metric():
    assert list(translate.METRICS.values()) == list(Resource)
    columns = {resource: np.array([np.nan, 0.0, 12.5]) for resource in Resource}
    answer = translate.metrics(columns)
    assert [(each.metric, each.value) for each in answer.metrics] == [
        (name, [-1.0, 0.0, 12.5]) for name in translate.METRICS
    ]


@pytest.mark.parametrize(
    ("fields", "duration"),
    [
        ({}, 60_000),
        ({"status": Status.FINISHED, "end_time": NOW + 7_000_000}, 7_000),
        ({"status": Status.FINISHED, "end_time": NOW - 1}, 0),
        ({"status": Status.FAILED}, 6),
        ({"start_time": NOW + 10**9}, 0),
    ],
)
def test_durations(fields: dict[str, Any], duration: int):
    job = translate.job(RunRow(run=run(**fields)), tasks=["worker-0"], record=None, now=NOW + 60_000_000)
    assert job.status.duration == duration


def test_a_job_was_created_when_it_started_or_when_it_came():
    assert translate.created(run()) == MS
    assert translate.created(run(start_time=None)) == MS + 5


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0", 0),
        (str(MS), NOW),
        ("-5", -5000),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20", NOW),
        ("2023-11-15T06:13:20+08:00", NOW),
    ],
)
def test_moments(text: str, at: int):
    assert translate.moment(text, "start_time") == at


def test_events_are_in_order_and_have_levels():
    stored = [
        Event(time=NOW + 10**6, kind="value_cut", text="cut"),
        Event(time=NOW + 2 * 10**6, kind="note", text="noted"),
    ]
    failed = run(status=Status.FAILED, status_reason="out of memory", end_time=NOW + 3 * 10**6)
    found = translate.events(failed, stored, wire.EventsQuery(order="asc")).events
    assert [(each.level, each.message) for each in found] == [
        ("Info", "Training job created."),
        ("Warning", "cut"),
        ("Info", "noted"),
        ("Error", "Training job ended: Failed. out of memory"),
    ]
    assert found[1].time == "2023-11-14T22:13:21Z"
    far = translate.events(run(created_at=2**63 - 1), [], wire.EventsQuery()).events
    assert far[0].time == str((2**63 - 1) // 1000)


def test_what_is_refused_names_its_field():
    for call, kind, field in (
        (lambda: translate.moment("x", "end_time"), BadQuery, "end_time"),
        (lambda: translate.terminates(wire.Action(action_type="stop")), Invalid, "action_type"),
        (lambda: decoding.body(b"[]", wire.Search), Invalid, "body"),
        (lambda: decoding.query({"limit": "x"}, wire.EventsQuery), BadQuery, "limit"),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert caught.value.field == field


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"x": "\xff"}', b'{"x": ' * 100_000, b'{"x": NaN}'], ids=range(6).__iter__()
)
def test_what_is_no_json(content: bytes):
    with pytest.raises(BadBody):
        decoding.body(content, wire.Search)


def test_params_of_other_interfaces_stand_behind_a_jobs_own_parameters():
    own = [{"name": "lr", "value": "0.1", "description": "rate"}, {"name": "empty"}]
    made = wire.NewJob(metadata=wire.NewMetadata(name="n"), spec={}, algorithm={"parameters": own})
    record = translate.job_record(made, run_id="id", now=NOW)
    params = {"lr": "0.1", "empty": "", "batch": "32"}
    job = translate.job(RunRow(run=run(), params=params), tasks=[], record=record, now=NOW)
    assert job.algorithm == {"parameters": [*own, {"name": "batch", "value": "32"}]}
    job = translate.job(RunRow(run=run(), params={"a": "1"}), tasks=[], record=None, now=NOW)
    assert job.algorithm == {"parameters": [{"name": "a", "value": "1"}]}


def test_the_environment_is_answered_as_a_list():
    made = wire.NewJob(
        metadata=wire.NewMetadata(name="n"), spec={}, algorithm={"environments": {"A": "b"}, "command": "c"}
    )
    record = translate.job_record(made, run_id="id", now=NOW)
    job = translate.job(RunRow(run=run()), tasks=["worker-0"], record=record, now=NOW)
    assert job.algorithm == {"environments": [{"A": "b"}], "command": "c"}
    made.algorithm = {"environments": [{"A": "b"}]}
    record = translate.job_record(made, run_id="id", now=NOW)
    assert translate.job(RunRow(run=run()), tasks=[], record=record, now=NOW).algorithm == made.algorithm

"""Filters of lists: what they find, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stepwell.core.errors import Invalid
from stepwell.core.model import Lifecycle, Run, RunRow, Status
from stepwell.dialects.pluto.runfilter import Candidate, Needs, compile_fields, compile_filter

RUN = Run(
    workspace="w", key=1, id="r", experiment_id=0, project_number=1, name="Night run", user="", status=Status.FINISHED,
    status_reason="", lifecycle=Lifecycle.ACTIVE, artifact_uri="", origin="test", start_time=1_700_000_000_000_000,
    end_time=None, created_at=5, updated_at=1_700_000_100_000_000,
)  # fmt: skip
CANDIDATE = Candidate(
    row=RunRow(run=RUN, tags={"a": "", "k": "v"}),
    config={"lr": 0.1, "net": {"depth": 3, "kind": "Wide"}, "flag": True, "text": "7"},
    system={"cpu": {"virtual": 2}},
    last={"loss": 0.5, "huge": float("inf")},
)


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({}, True),
        ({"state": "finished"}, True),
        ({"status": "COMPLETED", "state": {"$ne": "running"}}, True),
        ({"state": {"$in": ["crashed", "killed"]}}, False),
        ({"state": {"$nin": ["crashed", "killed"]}}, True),
        ({"$and": []}, True),
        ({"$or": []}, False),
        ({"$or": [{"state": "running"}, {"name": "Night run"}]}, True),
        ({"$and": [{"state": "finished"}, {"name": "other"}]}, False),
        ({"$not": {"name": "other"}}, True),
        ({"name": {"$regex": "NIGHT"}}, True),
        ({"displayName": {"$regex": "^run"}}, False),
        ({"tags": "a"}, True),
        ({"tags": "k:v"}, True),
        ({"tags": {"$in": ["x", "y"]}}, False),
        ({"tags": {"$nin": ["x", "y"]}}, True),
        ({"config.lr": 0.1}, True),
        ({"config.lr": {"$gt": 0.05, "$lt": 0.2}}, True),
        ({"config.lr": {"$gt": 0.1}}, False),
        ({"config.net.depth": {"$in": [1, 3]}}, True),
        ({"config.net.kind": "Wide"}, True),
        ({"config.net.kind": {"$gt": "A"}}, True),
        ({"config.net.kind": {"$gt": 1}}, False),
        ({"config.flag": True}, True),
        ({"config.flag": 1}, False),
        ({"config.text": 7}, True),
        ({"config.none": {"$ne": 1}}, True),
        ({"config.none": {"$gt": 0}}, False),
        ({"config.none": None}, True),
        ({"systemMetadata.cpu.virtual": 2}, True),
        ({"summaryMetrics.loss": {"$lte": 0.5}}, True),
        ({"summary_metrics.loss": {"$gt": 0.5}}, False),
        ({"summaryMetrics.huge": {"$gt": 1}}, True),
        ({"summaryMetrics.none": {"$gt": 0}}, False),
        ({"created_at": {"$gte": "2023-11-14T22:13:20Z"}}, True),
        ({"createdAt": {"$lt": "2023-11-14T22:13:20"}}, False),
        ({"updated_at": {"$gt": "2023-11-14T23:13:20+01:00"}}, True),
        ({"heartbeat_at": {"$lt": "2030-01-01"}}, False),
    ],
    ids=json.dumps,
)
def test_what_a_filter_finds(node: Any, found: bool) -> None:
    assert compile_filter(json.dumps(node), Needs())(CANDIDATE) is found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        '{"nothing": 1}',
        '{"config.": 1}',
        '{"config": 1}',
        '{"$xor": []}',
        '{"$and": {}}',
        '{"$not": []}',
        '{"name": {"$like": "x"}}',
        '{"name": {"$regex": "(a+)+$"}}',
        '{"state": "flying"}',
        '{"state": {"$gt": "running"}}',
        '{"tags": {"$gt": "x"}}',
        '{"created_at": "yesterday"}',
        '{"created_at": {"$in": []}}',
        '{"config.lr": {"$in": 1}}',
        "[" * 100_000,
        '{"$not":' * 60 + "{}" + "}" * 60,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        compile_filter(text, Needs())


def test_what_must_be_read_is_known() -> None:
    needs = Needs()
    node = {"$or": [{"config.a": 1}, {"summaryMetrics.x": {"$gt": 1}}, {"heartbeat_at": {"$gt": "2020-01-01"}}]}
    compile_filter(json.dumps(node), needs)
    assert needs == Needs(config=True, heartbeat=True, metrics={"x"})
    compile_fields(json.dumps([{"source": "systemMetadata", "key": "k", "operator": "exists"}]), needs)
    assert needs.system


@pytest.mark.parametrize(
    ("key", "operator", "values", "found"),
    [
        ("net.kind", "contains", ["wid"], True),
        ("net.kind", "does not contain", ["wid"], False),
        ("none", "does not contain", ["x"], True),
        ("net.kind", "starts with", ["w"], True),
        ("net.kind", "ends with", ["x"], False),
        ("net.kind", "is", ["Wide"], True),
        ("net.kind", "is not", ["Wide"], False),
        ("net.kind", "regex", ["^w.*e$"], True),
        ("lr", "equals", ["0.10"], True),
        ("lr", ">", [0.05], True),
        ("lr", "is less than or equal to", [0.1], True),
        ("lr", "is between", [0.1, 0.2], True),
        ("lr", "is not between", [0.1, 0.2], False),
        ("lr", "is any of", [1, 0.1], True),
        ("lr", "is none of", [1, 0.1], False),
        ("lr", "exists", [], True),
        ("lr", "not exists", [], False),
        ("none", "not exists", [], True),
        ("none", "is between", [0, 1], False),
        ("none", "is not between", [0, 1], False),
    ],
)
def test_terms(key: str, operator: str, values: list[Any], found: bool) -> None:
    term = {"source": "config", "key": key, "dataType": "text", "operator": operator, "values": values}
    assert compile_fields(json.dumps([term]), Needs())(CANDIDATE) is found


@pytest.mark.parametrize(
    "change",
    [{"source": "tags"}, {"key": ""}, {"key": 1}, {"operator": "like"}, {"operator": "is between"}, {"values": []}],
    ids=str,
)
def test_terms_that_make_no_sense(change: dict[str, Any]) -> None:
    term = {"source": "config", "key": "k", "operator": "is", "values": [1], **change}
    for text in (json.dumps([term]), json.dumps(term), "[1]", "{"):
        with pytest.raises(Invalid):
            compile_fields(text, Needs())


def test_the_heartbeat_is_the_latest_time_of_the_points() -> None:
    assert CANDIDATE.heartbeat is None
    assert replace(CANDIDATE, row=RunRow(run=RUN)).heartbeat is None

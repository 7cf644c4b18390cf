"""Resources as JSON, made in pieces."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from stepwell.core.model import Lifecycle, Run, RunRow, Status
from stepwell.core.series import Labels, Points
from stepwell.core.store import RunPoints
from stepwell.dialects.sap import render, times
from stepwell.dialects.sap.questions import CUSTOM_INFO, METRICS, TAGS
from stepwell.services.whole_runs import Piece

ALL = frozenset((METRICS, TAGS, CUSTOM_INFO))


def row(run_id: str, **parts: Any) -> RunRow:
    run = Run(
        workspace="w",
        key=1,
        id=run_id,
        experiment_id=0,
        project_number=1,
        name=run_id,
        user="",
        status=Status.RUNNING,
        status_reason="",
        lifecycle=Lifecycle.ACTIVE,
        artifact_uri="",
        origin="sap",
        start_time=None,
        end_time=None,
        created_at=0,
        updated_at=1,
    )
    return RunRow(run=run, **parts)


def points(*rows: tuple[str, Labels, int, int, float]) -> RunPoints:
    series = tuple(dict.fromkeys((name, labels) for name, labels, *_ in rows))
    count = np.arange(len(rows), dtype=np.int64)
    return RunPoints(
        row=None,
        end=len(rows),
        series=series,
        which=np.array([series.index((name, labels)) for name, labels, *_ in rows], np.int64),
        points=Points(
            step=np.array([r[2] for r in rows], np.int64),
            time=np.array([r[3] for r in rows], np.int64),
            value=np.array([r[4] for r in rows], np.float64),
            occurrence=count,
            arrival=count,
        ),
    )


def rendered(pieces: list[Piece], parts: frozenset[str] = ALL) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(render.resources(pieces, parts)))
    assert found["count"] == len(found["resources"])
    return found


def test_nothing() -> None:
    assert rendered([]) == {"resources": [], "count": 0}
    assert rendered([], frozenset((TAGS,))) == {"resources": [], "count": 0}


def test_a_resource() -> None:
    piece = Piece(
        row=row("exec", tags={"t": "1"}, custom_info={"c": '"'}),
        points=points(("m", (("a", "ü"),), 3, 1_500_000, 0.1), ("n", (), 0, -1, -0.0)),
    )
    assert rendered([piece])["resources"] == [
        {
            "executionId": "exec",
            "createdAt": "1970-01-01T00:00:00.000000Z",
            "modifiedAt": "1970-01-01T00:00:00.000001Z",
            "tags": [{"name": "t", "value": "1"}],
            "customInfo": [{"name": "c", "value": '"'}],
            "metrics": [
                {
                    "name": "m",
                    "value": 0.1,
                    "timestamp": "1970-01-01T00:00:01.500000Z",
                    "step": 3,
                    "labels": [{"name": "a", "value": "ü"}],
                },
                {"name": "n", "value": -0.0, "timestamp": "1969-12-31T23:59:59.999999Z", "step": 0, "labels": []},
            ],
        }
    ]


def test_pieces_of_one_resource_are_one_list() -> None:
    one, none = points(("m", (), 1, 1, 1.0)), points()
    for pieces, counts in (
        ([Piece(row=row("a"), points=none)], [0]),
        ([Piece(row=row("a"), points=one), Piece(row=None, points=one), Piece(row=None, points=none)], [2]),
        ([Piece(row=row("a"), points=none), Piece(row=None, points=one), Piece(row=row("b"), points=one)], [1, 1]),
        (
            [Piece(row=row("a"), points=one), Piece(row=row("b"), points=none), Piece(row=row("c"), points=one)],
            [1, 0, 1],
        ),
    ):
        assert [len(each["metrics"]) for each in rendered(pieces)["resources"]] == counts


def test_parts_that_were_not_asked_for_are_not_there() -> None:
    pieces = [Piece(row=row("a"), points=None), Piece(row=row("b"), points=None)]
    base = {"executionId", "createdAt", "modifiedAt"}
    for parts in (frozenset((TAGS,)), frozenset((CUSTOM_INFO,)), frozenset((TAGS, CUSTOM_INFO))):
        assert [each.keys() for each in rendered(pieces, parts)["resources"]] == [base | parts] * 2


def test_what_the_shapes_cannot_say_is_left_out() -> None:
    found = render.metrics(
        points(
            ("m", (), 0, 0, float("nan")),
            ("m", (), 1, 0, float("inf")),
            ("m", (), 2, times.LAST + 1, 1.0),
            ("m", (), 3, times.FIRST - 1, 1.0),
            ("m", (), -4, times.LAST, 1.0),
        )
    )
    assert [each["step"] for each in json.loads(b"[" + found + b"]")] == [-4]


def test_the_answer_of_a_delete() -> None:
    assert json.loads(render.deleted("exec")) == {"id": "exec", "message": "Metric Resource was successfully deleted"}

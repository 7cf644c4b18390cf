"""Core's values as answers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.entities import Links, ModelInput
from stepwell.core.model import BlobInfo, Experiment, Lifecycle, Run, RunRow, Status
from stepwell.core.series import Points
from stepwell.core.summary import LastPoints
from stepwell.dialects.mlflow import render, wire


def points(*rows: tuple[int, int, float]) -> Points:
    steps, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    zeros = np.zeros(len(rows), np.int64)
    return Points(
        step=np.array(steps, np.int64),
        time=np.array(times, np.int64),
        value=np.array(values, np.float64),
        occurrence=zeros,
        arrival=zeros,
    )


RUN = Run(
    workspace="w",
    key=1,
    id="r",
    experiment_id=3,
    project_number=1,
    name="n",
    user="u",
    status=Status.FINISHED,
    status_reason="",
    lifecycle=Lifecycle.DELETED,
    artifact_uri="",
    origin="native",
    start_time=1_234_999,
    end_time=None,
    created_at=0,
    updated_at=0,
)


def test_a_run() -> None:
    row = RunRow(
        run=RUN,
        last=LastPoints(metrics=["acc", "loss"], steps=[0, 2], times=[-1, 6_999], values=[0.5, math.nan]),
        params={"p": ""},
        tags={"t": "v"},
    )
    assert json.loads(render.encode(wire.RunAnswer(run=render.run(row)))) == {
        "run": {
            "info": {
                "run_uuid": "r",
                "run_id": "r",
                "experiment_id": "3",
                "run_name": "n",
                "user_id": "u",
                "status": "FINISHED",
                "artifact_uri": "mlflow-artifacts:/3/r/artifacts",
                "lifecycle_stage": "deleted",
                "start_time": 1234,
            },
            "data": {
                "metrics": [
                    {"key": "acc", "value": 0.5, "timestamp": -1, "step": 0},
                    {"key": "loss", "value": "NaN", "timestamp": 6, "step": 2},
                ],
                "params": [{"key": "p", "value": ""}],
                "tags": [{"key": "t", "value": "v"}],
            },
            "inputs": {},
            "outputs": {},
        }
    }


def test_the_json_of_a_run_is_made_once_but_for_its_links() -> None:
    row = RunRow(run=RUN, params={"p": "1"}, last=LastPoints(["loss"], [1], [2], [3.0]))
    models = Links(models_used=(ModelInput(model_id="m"),))
    for links in (None, models, None, models):
        assert bytes(render.run_json(row, links)) == render.encode(render.run(row, links))
    assert list(row.made.values()) == [render.encode(render.run(row))]
    assert row == RunRow(run=RUN, params=row.params, last=row.last), "what was made of a row is no part of it"


def test_empty_lists_are_left_out() -> None:
    assert json.loads(render.encode(render.run(RunRow(run=RUN))))["data"] == {}
    assert render.encode(wire.RunsAnswer()) == b"{}"
    assert render.encode(wire.ExperimentsAnswer()) == b"{}"


def test_an_experiment() -> None:
    found = render.experiment(
        Experiment(
            workspace="w",
            id=3,
            name="e",
            artifact_location="",
            lifecycle=Lifecycle.ACTIVE,
            created_at=1_999,
            updated_at=2_000,
            tags={"k": "v"},
        )
    )
    assert json.loads(render.encode(found)) == {
        "experiment_id": "3",
        "name": "e",
        "artifact_location": "mlflow-artifacts:/3",
        "lifecycle_stage": "active",
        "creation_time": 1,
        "last_update_time": 2,
        "tags": [{"key": "k", "value": "v"}],
        "workspace": "w",
    }


def test_files_relative_to_a_folder() -> None:
    found = render.files([BlobInfo(path="a/b.txt", size=5), BlobInfo(path="a/c", size=None)], relative_to="a")
    assert json.loads(render.encode(wire.FilesAnswer(files=found))) == {
        "files": [{"path": "b.txt", "is_dir": False, "file_size": 5}, {"path": "c", "is_dir": True}]
    }


def history(*chunks: Points, token: str | None = None) -> bytes:
    return b"".join(render.history((render.metrics("k", chunk) for chunk in chunks), token=lambda: token))


def test_a_history_is_the_same_in_any_number_of_chunks() -> None:
    first, second = points((1, 1000, 0.5), (2, 2000, 1.5)), points((3, 3000, -0.0))
    whole = history(Points.concat([first, second]))
    assert history(first, points(), second) == history(points(), first, second, points()) == whole
    assert json.loads(whole)["metrics"][2] == {"key": "k", "value": -0.0, "timestamp": 3, "step": 3}
    assert b'"value":-0.0' in whole


def test_an_empty_history_and_a_token() -> None:
    assert history() == b"{}"
    assert history(points(), token="t") == b"{}"
    assert json.loads(history(points((1, 1, 1.0)), token='a"b')) == {
        "metrics": [{"key": "k", "value": 1.0, "timestamp": 0, "step": 1}],
        "next_page_token": 'a"b',
    }
    assert b"".join(render.history([], empty=b'{"metrics":[]}')) == b'{"metrics":[]}'


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_json_has_no_number_for_is_a_word(value: float, word: str) -> None:
    assert render.double(value) == word
    assert json.loads(history(points((0, 0, 1.0), (0, 0, value))))["metrics"][1]["value"] == word


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1), st.floats())))
def test_every_point_comes_out_exactly(rows: list[tuple[int, int, float]]) -> None:
    sent = points(*rows)
    body = history(sent)
    found = json.loads(body, parse_constant=lambda token: pytest.fail(f"a bare {token}")).get("metrics", [])
    back = np.array([float(m["value"]) for m in found], np.float64)
    finite = ~np.isnan(sent.value)
    assert [m["step"] for m in found] == sent.step.tolist()
    assert [m["timestamp"] for m in found] == (sent.time // 1000).tolist()
    assert np.array_equal(np.isnan(back), ~finite)
    assert back[finite].tobytes() == sent.value[finite].tobytes()


def test_points_of_several_runs_carry_their_run() -> None:
    (metric,) = render.metrics_of_run("k", "r", points((1, 2000, 3.0)))
    assert metric == wire.MetricOfRun("k", 3.0, 2, 1, "r")

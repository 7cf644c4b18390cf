"""Our own client where pandas and polars are, and nothing of the server: what it reads becomes their frames."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from serving import Server

SOURCES = str(Path(__file__).parents[3] / "src")


@pytest.fixture(scope="module")
def stepwell() -> Any:
    """The client from this checkout; of the server not even the packages are here."""
    assert importlib.util.find_spec("apsw") is None
    sys.path.insert(0, SOURCES)
    import stepwell

    return stepwell


@pytest.fixture(scope="module")
def run_id(shared_server: Server, stepwell: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    spool = tmp_path_factory.mktemp("spool")
    with stepwell.init(experiment="frames", params={"lr": 0.5}, url=shared_server.url, spool=spool) as run:
        for step in range(50):
            run.log({"loss": step / 4, "odd": [math.nan, math.inf, -math.inf, 1.0][step % 4]}, step=step)
    assert run.problems == {}
    return str(run.id)


def test_pandas_is_what_comes_by_itself(shared_server: Server, stepwell: ModuleType, run_id: str) -> None:
    import pandas as pd

    chosen = stepwell.query(runs=[run_id], url=shared_server.url)
    points = chosen.points("loss")
    assert isinstance(points, pd.DataFrame)
    assert {str(points[name].dtype) for name in ("step", "time_us")} == {"int64"}
    assert points["value"].dtype == "float64"
    assert points["value"].tolist() == [step / 4 for step in range(50)]
    runs = chosen.runs(metrics="*")
    assert runs.loc[0, "params.lr"] == "0.5"
    assert runs.loc[0, "metrics.loss.max"] == 49 / 4
    odd = chosen.points("odd")["value"]
    assert odd.isna().sum() == 13
    assert odd[1:3].tolist() == [math.inf, -math.inf]
    assert chosen.buckets("loss", budget=10)["count"].sum() == 50


def test_polars_is_there_when_asked_for(shared_server: Server, stepwell: ModuleType, run_id: str) -> None:
    import polars as pl

    chosen = stepwell.query(runs=[run_id], url=shared_server.url, frames="polars")
    points = chosen.points("loss", "odd")
    assert isinstance(points, pl.DataFrame)
    assert points.schema["step"] == pl.Int64
    assert points.schema["value"] == pl.Float64
    assert points.filter(pl.col("metric") == "odd")["value"].is_nan().sum() == 13
    assert chosen.runs(metrics="*")["metrics.loss"].to_list() == [49 / 4]
    assert chosen.buckets("odd", budget=5)["count"].sum() == 50
    assert chosen.points("no such metric").height == 0


def test_values_of_numpy_are_numbers(shared_server: Server, stepwell: ModuleType, tmp_path: Path) -> None:
    import numpy as np

    with stepwell.init(url=shared_server.url, spool=tmp_path) as run:
        run.log({"f32": np.float32(0.1), "array": np.array([2.5]), "int": np.int64(3)}, step=np.int64(7))
    found = stepwell.query(runs=[run.id], url=shared_server.url, frames="columns").points()
    assert dict(zip(found["metric"], found["value"], strict=True)) == {
        "array": 2.5,
        "f32": float(np.float32(0.1)),
        "int": 3,
    }
    assert set(found["step"]) == {7}

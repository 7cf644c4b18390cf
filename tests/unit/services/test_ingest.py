"""Limits that hold for every writer: what is refused is named, and never reaches the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stepwell.core import limits
from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import Event, NewRun, PointBatch, RunWrite
from stepwell.core.series import Labels
from stepwell.services import ingest
from unit.services.held import Held


def batch(*series: tuple[str, Labels], count: int = 1) -> PointBatch:
    column = np.zeros(count, np.int64)
    return PointBatch(series=series, which=column, step=column, time=column, value=column.astype(np.float64))


def test_a_good_write_reaches_the_store_as_it_is():
    held = Held()
    write = RunWrite(run_id="r", points=batch(("loss", (("worker", "0"),))), params={"lr": "0.1"}, at=5)
    assert ingest.write(held.store, workspace="w", write=write).result() is None
    assert held.writes == [write]


@pytest.mark.parametrize(
    ("points", "field"),
    [
        (batch(("", ())), "metric"),
        (batch(("a\0b", ())), "metric"),
        (batch(("\ud800", ())), "metric"),
        (batch(("m" * (limits.NAME_LENGTH + 1), ())), "metric"),
        (batch(("m", (("b", "1"), ("a", "1")))), "labels"),
        (batch(("m", (("a", "1"), ("a", "2")))), "labels"),
        (batch(("m", (("", "1"),))), "labels"),
        (batch(("m", tuple((f"l{n:02}", "") for n in range(limits.LABELS_PER_SERIES + 1)))), "labels"),
        (batch(("m", (("a", "v" * (limits.NAME_LENGTH + 1)),))), "labels.a"),
        (batch(("m", ()), count=limits.POINTS_PER_WRITE + 1), "points"),
    ],
)
def test_points_that_no_run_takes(points: PointBatch, field: str):
    held = Held()
    with pytest.raises(Invalid) as caught:
        ingest.write(held.store, workspace="w", write=RunWrite(run_id="r", points=points, at=0))
    assert caught.value.field == field
    assert held.writes == []


@pytest.mark.parametrize(
    ("change", "field", "limit"),
    [
        ({"params": {"": "x"}}, "params", None),
        ({"params": {"p": "v" * (limits.PARAM_VALUE_LENGTH + 1)}}, "params.p", limits.PARAM_VALUE_LENGTH),
        ({"set_tags": {"t": "v" * (limits.TAG_VALUE_LENGTH + 1)}}, "tags.t", limits.TAG_VALUE_LENGTH),
        ({"set_tags": {"n" * (limits.NAME_LENGTH + 1): ""}}, "tags", limits.NAME_LENGTH),
        ({"remove_tags": ("",)}, "tags", None),
        ({"name": ""}, "name", None),
        ({"name": "n" * (limits.RUN_NAME_LENGTH + 1)}, "name", limits.RUN_NAME_LENGTH),
        ({"status_reason": "\0"}, "status_reason", None),
        ({"events": (Event(time=0, kind="", text=""),)}, "events.kind", None),
        ({"set_custom_info": {"": "x"}}, "custom_info", None),
        ({"set_custom_info": {"c": "v" * (limits.CUSTOM_INFO_LENGTH + 1)}}, "custom_info.c", limits.CUSTOM_INFO_LENGTH),
        ({"make": NewRun(id="r", name="", origin="o", at=0)}, "name", None),
        ({"make": NewRun(id="a/b", name="n", origin="o", at=0)}, "run_id", None),
        ({"make": NewRun(id="other", name="n", origin="o", at=0)}, "run_id", None),
    ],
)
def test_changes_that_no_run_takes(change: dict[str, Any], field: str, limit: int | None):
    held = Held()
    with pytest.raises(Invalid) as caught:
        ingest.write(held.store, workspace="w", write=RunWrite(run_id="r", at=0, **change))
    assert (caught.value.field, caught.value.limit) == (field, limit)
    assert held.writes == []


def test_the_longest_names_and_values_are_good():
    held = Held()
    write = RunWrite(
        run_id="r",
        points=batch(("m" * limits.NAME_LENGTH, ())),
        params={"p" * limits.NAME_LENGTH: "v" * limits.PARAM_VALUE_LENGTH},
        at=0,
    )
    ingest.write(held.store, workspace="w", write=write)
    assert held.writes == [write]


def test_a_run_is_made_only_in_a_workspace_that_can_be():
    held = Held()
    write = RunWrite(run_id="r", make=NewRun(id="r", name="n", origin="o", at=0), at=0)
    with pytest.raises(Invalid) as caught:
        ingest.write(held.store, workspace="lm", write=write)
    assert caught.value.field == "workspace"
    assert held.writes == []
    ingest.write(held.store, workspace="w", write=write)
    assert held.writes == [write]


def test_one_bad_run_refuses_them_all():
    held = Held()
    good, bad = RunWrite(run_id="a", name="good", at=0), RunWrite(run_id="b", name="", at=0)
    with pytest.raises(Invalid):
        ingest.write_many(held.store, workspace="w", writes=[good, bad])
    assert held.writes == []


def test_the_points_of_all_runs_count_together():
    held = Held()
    half = batch(("m", ()), count=limits.POINTS_PER_WRITE // 2 + 1)
    writes = [RunWrite(run_id=run, points=half, at=0) for run in "ab"]
    with pytest.raises(TooLarge, match="points") as caught:
        ingest.write_many(held.store, workspace="w", writes=writes)
    assert caught.value.limit == limits.POINTS_PER_WRITE

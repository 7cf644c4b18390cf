"""A sync fails: the request that needed it fails, nothing later is acknowledged before a restart, reads go on.

A second sync of the file would succeed and prove nothing: the kernel may have dropped what the first did not write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from crash.powerloss import Fault, PowerLossDisk, Step
from crash.reopening import checker, marking, on_disk
from crash.story import Act, Care, Create, Put, Remove, Story, Write
from stepwell.app import build_app
from stepwell.core.errors import StepwellError, StorageFailed
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage.embedded import EmbeddedStore
from stepwell.web.work import Work
from stores import NOW, W, new_run

LOSS = ("loss", ())
BEFORE: list[Act] = [
    Create(runs=("a", "b")),
    Write(points={"a": {LOSS: [(1, 1, 0.5), (2, 2, 0.25)]}}, params={"lr": "1"}),
    Put(owner="a", path="kept.txt", content=b"kept" * 500),
    Care(name="flush"),
    Write(points={"a": {LOSS: [(3, 3, 0.125)]}, "b": {LOSS: [(1, 1, 1.0)]}}),
]
POINTS = Write(points={"a": {LOSS: [(4, 4, 4.0)]}})
CATALOG = Write(points={"b": {LOSS: [(5, 5, 5.0)]}}, params={"depth": "3"}, tags={"t": "1"})
FILE = Put(owner="b", path="new/file.bin", content=b"new" * 999)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What fails, and the act that meets it; `refused` says whether that act itself needed the sync."""

    step: Step
    name: str
    act: Act
    refused: bool = True


CASES = {
    "log, points": Case(step=Step.SYNC, name="*-wal", act=POINTS),
    "log, catalog": Case(step=Step.SYNC, name="*-wal", act=CATALOG),
    "log, new run": Case(step=Step.SYNC, name="*-wal", act=Create(runs=("c",))),
    "log, flush": Case(step=Step.SYNC, name="*-wal", act=Care(name="flush")),
    "log, row of a file": Case(step=Step.SYNC, name="*-wal", act=FILE),
    "log, end of a file": Case(step=Step.SYNC, name="*-wal", act=Remove(owner="a", path="kept.txt")),
    "database, checkpoint": Case(step=Step.SYNC, name="stepwell.db", act=Care(name="empty the log")),
    "database, later": Case(step=Step.SYNC, name="stepwell.db", act=POINTS, refused=False),
    "file": Case(step=Step.SYNC, name="tmp/*", act=FILE),
    "folder of a file": Case(step=Step.SYNC_FOLDER, name="blobs/*", act=FILE),
    "folder of folders": Case(step=Step.SYNC_FOLDER, name="blobs", act=FILE),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def done(store: EmbeddedStore, act: Act) -> None:
    """Do it and wait for the answer."""
    future = act.do(store)
    if future is not None:
        future.result(60)


def fail(disk: PowerLossDisk, store: EmbeddedStore, case: Case) -> None:
    """Let the sync fail, once, and meet it."""
    disk.faults.fail(case.step, Fault.IO_ERROR, name=case.name)
    if case.refused:
        with pytest.raises(StorageFailed):
            done(store, case.act)
    else:
        Care(name="copy the log").do(store)
        done(store, case.act)
        until = time.monotonic() + 60
        while not store.healthy() and time.monotonic() < until:
            time.sleep(0.001)  # the checkpoint comes after the answer
    assert disk.faults.hits
    disk.faults.heal()


def test_nothing_more_is_acknowledged_and_reads_go_on(disk: PowerLossDisk, case: Case):
    story = Story("caller", [*BEFORE, case.act])
    with on_disk(disk) as store:
        story.tell(store, mark=marking(disk, store), part=slice(len(BEFORE)))
        before = story.seen(store)
        fail(disk, store, case)
        assert store.healthy()
        assert store.stats().gauges["read_only"] == 1
        for later in (
            lambda: done(store, POINTS),
            lambda: done(store, CATALOG),
            lambda: done(store, FILE),
            lambda: store.create_runs(workspace=W, new=[new_run("d")]),
            lambda: store.purge_runs(workspace=W, run_ids=["a"]),
            lambda: store.delete_blobs(workspace=W, owner="a", path="kept.txt"),
            store.flush,
            store.compact,
        ):
            refused(later)
        if case.refused:
            assert story.seen(store) == before, "a reader saw what was refused"
    with on_disk(disk) as store:
        assert store.healthy() == ""
        assert story.seen(store) in story.states[-2:], "whole or not at all"
        for act in (POINTS, CATALOG, FILE):
            done(store, act)
        assert not list(store.check())


def refused(later: Callable[[], Any]) -> None:
    with pytest.raises(StorageFailed) as found:
        later()
    assert "restart" in found.value.message


def test_what_was_acknowledged_survives_a_power_loss_at_any_moment_after(disk: PowerLossDisk, case: Case):
    """A page whose sync failed counts as clean: it may never be written, whatever later syncs say."""
    story = Story("caller", [*BEFORE, case.act, POINTS, CATALOG])
    with on_disk(disk) as store:
        mark = marking(disk, store)
        story.tell(store, mark=mark, part=slice(len(BEFORE)))
        disk.journal.first = len(disk.journal.operations)
        mark(("sent", "caller", len(BEFORE)))
        fail(disk, store, case)
        if not case.refused:
            mark(("done", "caller", len(BEFORE)))
    with on_disk(disk) as store:
        here = len(story.states) - 3 if story.seen(store) == story.states[-3] else len(BEFORE)
        story = Story("caller", [*story.acts[:here], POINTS, CATALOG])
        story.tell(store, mark=mark, part=slice(here, None))
    disk.replay(checker([story]), limit=20, seed=6)


def test_the_server_says_so_in_the_shape_of_each_dialect(disk: PowerLossDisk, tmp_path: Path):
    point = {"run_id": "a", "key": "loss", "value": 1.0, "timestamp": 1, "step": 9}

    async def talk(store: EmbeddedStore, work: Work) -> None:
        app = build_app(Settings(data_dir=tmp_path), store, work=work, key=ServerKey(new_key()), clock=lambda: NOW)
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # ours is typed more narrowly
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8585") as client:
            assert (await client.get("/healthz")).status_code == 200
            disk.faults.fail(Step.SYNC, Fault.IO_ERROR, name="*-wal")
            for _ in range(2):
                answer = await client.post("/api/2.0/mlflow/runs/log-metric", json=point)
                assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
                assert "restart" in answer.json()["message"]
            health = await client.get("/healthz")
            assert (health.status_code, health.json()["status"]) == (503, "read_only")
            assert "restart" in health.json()["reason"]
            read = await client.get("/api/2.0/mlflow/metrics/get-history", params={"run_id": "a", "metric_key": "loss"})
            assert [each["value"] for each in read.json()["metrics"]] == [0.5]

    with on_disk(disk) as store:
        store.create_runs(workspace="default", new=[new_run("a")])
        work = Work()
        try:
            store.write(workspace="default", writes=Write(points={"a": {LOSS: [(1, 1, 0.5)]}}).requests()).result(60)
            asyncio.run(talk(store, work))
        finally:
            work.close()


def test_a_store_that_cannot_sync_at_its_start_says_so(disk: PowerLossDisk):
    with on_disk(disk) as store:
        Story("caller", BEFORE).tell(store, mark=disk.mark)
    disk.faults.fail(Step.SYNC, Fault.IO_ERROR, times=None)
    with pytest.raises(StepwellError, match=r"database|sync"), on_disk(disk) as store:
        done(store, POINTS)

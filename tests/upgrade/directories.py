"""What is in the committed data directories: written by one release, read by every later one.

`python tests/upgrade/directories.py FOLDER` writes the directory of the present release. A directory is committed once,
with the release whose format it shows, and never written again; so is a backup of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from stepwell.core.access import Credential, Role, hash_secret
from stepwell.core.model import (
    ExperimentWrite,
    Lifecycle,
    LogLine,
    NewExperiment,
    NewRun,
    PointBatch,
    Record,
    Repeats,
    RunWrite,
    Status,
)
from stepwell.storage.embedded import EmbeddedStore

WORKSPACE = "default"
SECRET = "sw_" + "a" * 40
T0 = 1_700_000_000_000_000
LONG = 3_000  # points of the series that fills a block with nodes
TILED = 140_000  # of the one whose blocks have a tile above them, from format 2 on
SPECIAL = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 5e-324, 0.1]


def long_series() -> PointBatch:
    """A smooth curve with one spike."""
    value = np.sin(np.arange(LONG) / 100)
    value[1_234] = 1e6
    return _batch("train/loss", value)


def flat_series() -> PointBatch:
    """A value that rises now and then: many points in few bytes."""
    return _batch("flat", np.arange(TILED) // 1_000)


def _batch(metric: str, values: np.ndarray | list[float], labels: tuple[tuple[str, str], ...] = ()) -> PointBatch:
    value = np.asarray(values, np.float64)
    steps = np.arange(len(value), dtype=np.int64)
    return PointBatch(
        series=((metric, labels),),
        which=np.zeros(len(value), np.int64),
        step=steps,
        time=T0 + steps * 1_000_003,
        value=value,
    )


def write(directory: Path) -> None:
    """Fill a new directory: every table, points in blocks and in the journal."""
    store = EmbeddedStore(directory, clock=lambda: T0, background=False)
    store.create_experiment(workspace=WORKSPACE, new=NewExperiment(name="vision", tags={"team": "a"}, at=T0))
    store.create_experiment(workspace=WORKSPACE, new=NewExperiment(name="gone", at=T0))
    store.write_experiment(workspace=WORKSPACE, write=ExperimentWrite(id=2, lifecycle=Lifecycle.DELETED, at=T0 + 1))
    runs = [
        NewRun(id=f"run-{n}", experiment_id=1, name=f"run {n}", origin="native", start_time=T0 + n, at=T0)
        for n in range(3)
    ]
    store.create_runs(workspace=WORKSPACE, new=runs)
    first = RunWrite(
        run_id="run-0",
        points=long_series(),
        params={"lr": "0.1"},
        set_tags={"host": "a"},
        status=Status.FINISHED,
        at=T0,
    )
    labelled = _batch("accuracy", [0.5, 0.5], (("phase", "val"),))
    store.write(workspace=WORKSPACE, writes=[first]).result()
    store.write(
        workspace=WORKSPACE, writes=[RunWrite(run_id="run-0", points=labelled, repeats=Repeats.APPEND, at=T0)]
    ).result()
    store.append_lines(
        workspace=WORKSPACE,
        run_id="run-0",
        lines=[LogLine(stream="stdout", line=1, time=T0, text="hello", level="INFO")],
    )
    store.put_records(
        workspace=WORKSPACE,
        records=[
            Record(
                kind="note",
                id="n1",
                body='{"text": "kept"}',
                parent="run-0",
                indexed={"by": "a"},
                created_at=T0,
                updated_at=T0,
            )
        ],
    )
    blob = store.open_blob(workspace=WORKSPACE, owner="run-0", path="model/weights.bin", at=T0)
    blob.write(b"\x00\x01weights")
    blob.commit()
    store.put_credential(
        credential=Credential(
            id="cr_upgrade",
            secret_hash=hash_secret(SECRET),
            workspace="*",
            role=Role.ADMIN,
            name="upgrade",
            created_at=T0,
        )
    )
    store.write(workspace=WORKSPACE, writes=[RunWrite(run_id="run-2", points=flat_series(), at=T0)]).result()
    store.compact()
    # These two stay in the journal: nothing flushes them, and the directory is left as a kill would leave it.
    store.write(
        workspace=WORKSPACE, writes=[RunWrite(run_id="run-1", points=_batch("special", SPECIAL), at=T0)]
    ).result()
    store.write(
        workspace=WORKSPACE, writes=[RunWrite(run_id="run-1", points=_batch("train/loss", [3.0, 2.0]), at=T0)]
    ).result()


if __name__ == "__main__":
    write(Path(sys.argv[1]))

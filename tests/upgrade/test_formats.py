"""A data directory of every format that was ever released opens with this release, and so does what a backup of one is
restored to; nothing in it is lost."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import apsw
import numpy as np
import pytest

from stepwell.core.access import Role, hash_secret
from stepwell.core.errors import Invalid
from stepwell.core.model import ALL_COLUMNS, EVERYTHING, Lifecycle, Selector, Status
from stepwell.core.series import Order, value_keys
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.embedded.backing import restore
from stepwell.storage.embedded.database import CHECKSUMS, FILE, load_checksums, pragma
from stepwell.storage.embedded.recovery import FORMAT
from upgrade.directories import LONG, SECRET, SPECIAL, T0, TILED, WORKSPACE, long_series, write

HERE = Path(__file__).parent
FORMATS = sorted(path.name for path in HERE.glob("format-*"))
# Made by the first release of all and by the first that made one file.
BACKUPS = sorted(path.name for path in HERE.glob("backup-*"))


@pytest.fixture(params=[*FORMATS, *BACKUPS, "present"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a committed directory, what a committed backup is restored to, and one written just now, so that the
    committed ones show what they should."""
    target = tmp_path / "data"
    if request.param in BACKUPS:
        copied = list(restore(HERE / request.param, target, form=FORMAT))
        assert copied[-1].done == copied[-1].total > 0
    elif request.param == "present":
        written = tmp_path / "written"
        write(written)
        shutil.copytree(written, target, ignore=shutil.ignore_patterns("lock", "reserve"))
    else:
        shutil.copytree(HERE / request.param, target)
    return target


def values(store: EmbeddedStore, run_id: str, metric: str) -> np.ndarray:
    selector = Selector(run_id=run_id, metric=metric)
    page = store.read(
        workspace=WORKSPACE, selector=selector, order=Order.KEY, window=EVERYTHING, after=None, limit=LONG + 1
    )
    return page.points.value


def form_of(directory: Path) -> int:
    """The format of a directory, which stays as it is: closing a database empties its log."""
    load_checksums()
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(directory, Path(folder) / "copy", ignore=shutil.ignore_patterns("reserve"))
        connection = apsw.Connection(str(copy / FILE), vfs=CHECKSUMS)
        form = pragma(connection, "user_version")
        connection.close()
    return form


def test_every_format_is_committed() -> None:
    assert [f"format-{form}" for form in range(1, FORMAT + 1)] == FORMATS
    assert {Path(name).stem for name in BACKUPS} == {f"backup-{form}" for form in range(1, FORMAT + 1)}


def test_a_start_brings_a_directory_to_the_present_format(directory: Path) -> None:
    EmbeddedStore(directory, clock=lambda: T0, background=False).close()
    assert form_of(directory) == FORMAT


def test_a_long_series_has_tiles(directory: Path) -> None:
    form = form_of(directory)
    EmbeddedStore(directory, clock=lambda: T0, background=False).close()
    connection = apsw.Connection(str(directory / FILE), vfs=CHECKSUMS)
    ((highest,),) = connection.execute("SELECT max(level) FROM block")
    connection.close()
    assert highest == (1 if form >= 2 else 0)


def test_everything_is_there(directory: Path) -> None:
    form = form_of(directory)
    store = EmbeddedStore(directory, clock=lambda: T0, background=False)
    try:
        assert list(store.check()) == []
        assert (value_keys(values(store, "run-0", "train/loss")) == value_keys(long_series().value)).all()
        assert values(store, "run-0", "accuracy").tolist() == [0.5, 0.5]
        assert (value_keys(values(store, "run-1", "special")) == value_keys(np.array(SPECIAL))).all()
        assert values(store, "run-1", "train/loss").tolist() == [3.0, 2.0]
        (row,) = store.get_runs(workspace=WORKSPACE, run_ids=["run-0"], columns=ALL_COLUMNS)
        assert row is not None
        assert (row.run.status, row.run.name, row.run.start_time) == (Status.FINISHED, "run 0", T0)
        assert (dict(row.params), dict(row.tags)["host"]) == ({"lr": "0.1"}, "a")
        assert row.metrics["train/loss"].max.value == 1e6
        assert store.get_experiment(workspace=WORKSPACE, name="gone").lifecycle is Lifecycle.DELETED
        lines = store.read_lines(workspace=WORKSPACE, run_id="run-0", stream=None, after=None, limit=9)
        assert [line.text for line in lines.items] == ["hello"]
        (record,) = store.get_records(workspace=WORKSPACE, kind="note", ids=["n1"])
        assert record is not None
        assert record.body == '{"text": "kept"}'
        reader = store.get_blob(workspace=WORKSPACE, owner="run-0", path="model/weights.bin")
        assert b"".join(reader.chunks()) == b"\x00\x01weights"
        reader.close()
        credential = store.get_credential(secret_hash=hash_secret(SECRET))
        assert credential is not None
        assert credential.role is Role.ADMIN
        if form >= 2:
            (found,) = store.read_buckets(
                workspace=WORKSPACE, selectors=[Selector(run_id="run-2", metric="flat")], window=EVERYTHING, budget=20
            )
            assert (int(found.count.sum()), found.last.value[-1]) == (TILED, (TILED - 1) // 1_000)
    finally:
        store.close()


def test_it_can_be_written_to_and_opened_again(directory: Path) -> None:
    store = EmbeddedStore(directory, clock=lambda: T0, background=False)
    store.compact()
    store.close()
    again = EmbeddedStore(directory, clock=lambda: T0, background=False)
    try:
        assert len(values(again, "run-0", "train/loss")) == LONG
        assert list(again.check()) == []
    finally:
        again.close()


def test_a_newer_format_is_refused_with_a_clear_message(directory: Path) -> None:
    load_checksums()
    connection = apsw.Connection(str(directory / FILE), vfs=CHECKSUMS)
    connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(Invalid, match=r"format 999.*newer Stepwell"):
        EmbeddedStore(directory, clock=lambda: T0, background=False)

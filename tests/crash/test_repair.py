"""What a repair leaves is sound and true: nothing in it was not there before, and what it lost it has named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from crash.museum import METRICS, RUNS, Visit, build, visit
from crash.reopening import after_crash
from stepwell.core.audit import AuditQuery
from stepwell.core.errors import Conflict, Corrupt, NotFound
from stepwell.core.model import ALL_COLUMNS, Damage
from stepwell.core.series import Order
from stepwell.storage.embedded import EmbeddedStore, blocks, flushing, reading, tiles
from stepwell.storage.embedded.database import CHECKSUMS, FILE, PAGE_SIZE
from stepwell.storage.embedded.repairing import repair
from stores import NOW, RUN, W, add, make_runs, read_rows, selector

SEEDS = [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 400))]


@pytest.fixture(scope="module", autouse=True)
def nodes_for_few_points() -> Iterator[None]:
    """Charts of a few thousand points use nodes and tiles, which else only those of many do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "EXACT_BELOW", 1_000)
        patch.setattr(tiles, "FIRST", 2)
        for module in (blocks, flushing):
            patch.setattr(module, "POINTS", 2_048)
        yield


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that copies are made of."""
    directory = tmp_path_factory.mktemp("museum") / "whole"
    build(directory)
    return directory


@pytest.fixture(scope="module")
def truth(museum: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """What everything is."""
    copy = tmp_path_factory.mktemp("truth") / "copy"
    shutil.copytree(museum, copy)
    with after_crash(copy) as store:
        return visit(store)


@pytest.fixture
def copy(museum: Path, tmp_path: Path) -> Path:
    """A directory to damage."""
    shutil.copytree(museum, tmp_path / "copy")
    return tmp_path / "copy"


def repaired(directory: Path) -> list[Damage]:
    return list(repair(directory, clock=lambda: NOW))


def rot(directory: Path, rng: random.Random) -> None:
    """Some bytes of the database change, and perhaps those of a file."""
    pages = sorted(set(range(1, (directory / FILE).stat().st_size // PAGE_SIZE + 1)) - set(of_schema(directory)))
    for page in rng.choices(pages, k=rng.choice([1, 1, 2, 5, 20])):
        spoil(directory, page, rng)
    if rng.random() < 0.5:
        file = rng.choice(sorted(path for path in (directory / "blobs").rglob("*") if path.is_file()))
        file.write_bytes(rng.randbytes(rng.randrange(4_000)))


def spoil(directory: Path, page: int, rng: random.Random) -> None:
    """One byte of a page of the database, sixteen, or all."""
    length = rng.choice([1, 1, 16, PAGE_SIZE])
    at = PAGE_SIZE * (page - 1) + rng.randrange(PAGE_SIZE - length + 1)
    with (directory / FILE).open("r+b") as file:
        file.seek(at)
        file.write(rng.randbytes(length))


def of_schema(directory: Path) -> list[int]:
    """Pages of the list of tables."""
    connection = apsw.Connection(str(directory / FILE), vfs=CHECKSUMS)
    found = connection.execute("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema'").fetchall()
    connection.close()
    return [int(str(page)) for (page,) in found]


def assert_nothing_was_made_up(found: Visit, truth: Visit) -> None:
    for run in RUNS:
        for metric in METRICS:
            for order in Order:
                exhibit = (f"points by {order}", run, metric)
                assert set(found.answers[exhibit]) <= set(truth.answers[exhibit]), exhibit
        files, true_files = found.answers["files", run, ""], truth.answers["files", run, ""]
        assert set(files) <= set(true_files)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_rots_the_rest_is_saved(museum: Path, copy: Path, truth: Visit, seed: int):
    rot(copy, random.Random(seed))
    damaged = (copy / FILE).read_bytes()
    found = repaired(copy)
    with after_crash(copy) as store:
        assert list(store.check()) == []
        seen = visit(store)
        assert not seen.errors
        assert_nothing_was_made_up(seen, truth)
        for row in store.get_runs(workspace=W, run_ids=RUNS, columns=ALL_COLUMNS):
            if row is not None:
                counts = {metric: summary.count for metric, summary in row.metrics.items()}
                assert counts == {m: len(seen.answers["points by key", row.run.id, m]) for m in counts}
        store.compact()
        assert list(store.check()) == []
        assert visit(store).answers.keys() == truth.answers.keys()
    if not found:
        assert seen.answers == truth.answers
        assert not list(copy.glob("repair-*"))
        return
    assert (copy / "repair-1" / FILE).read_bytes() == damaged
    assert repaired(copy) == []


@pytest.mark.parametrize("page", range(3))
def test_without_the_list_of_tables_nothing_is_touched(copy: Path, page: int):
    spoil(copy, of_schema(copy)[page], random.Random(page))
    before = (copy / FILE).read_bytes()
    with pytest.raises(Corrupt, match="restore a backup"):
        repaired(copy)
    assert (copy / FILE).read_bytes() == before
    assert not list(copy.glob("repair-*"))


def test_a_repair_is_noted_goes_on_and_gives_no_number_twice(copy: Path):
    with after_crash(copy) as store:
        used = store._writer.next_arrival
        keys = [row.run.key for row in store.get_runs(workspace=W, run_ids=RUNS, columns=ALL_COLUMNS) if row]
        store.purge_runs(workspace=W, run_ids=["three"])
    for page in pages_of(copy, "block_data"):
        spoil(copy, page, random.Random(page))
    found = repaired(copy)
    assert any("points are lost" in damage.cost for damage in found)
    with after_crash(copy) as store:
        [entry] = store.read_audit(query=AuditQuery(action="store", limit=5)).items
        assert (entry.action, entry.subject, entry.details["damaged"]) == ("store.repair", "repair-1", str(len(found)))
        assert store._writer.next_arrival >= used
        make_runs(store, "new")
        add(store, [(1, 1, 0.5)], "new")
        assert len(read_rows(store, selector("new"))) == 1
        [row] = store.get_runs(workspace=W, run_ids=["new"], columns=ALL_COLUMNS)
        assert row is not None
        assert row.run.key > max(keys)


def pages_of(directory: Path, table: str) -> list[int]:
    connection = apsw.Connection(str(directory / FILE), vfs=CHECKSUMS)
    query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
    found = connection.execute(query, (table,)).fetchall()
    connection.close()
    return [int(str(page)) for (page,) in found]


def test_only_a_directory_that_nobody_uses_is_repaired(tmp_path: Path):
    with pytest.raises(NotFound):
        repaired(tmp_path)
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    with pytest.raises(Conflict, match="in use by another"):
        repaired(tmp_path)
    store.close()
    assert repaired(tmp_path) == []
    assert not list(tmp_path.glob("repair-*"))

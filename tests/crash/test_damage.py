"""Bytes rot: a read is right or says what is damaged, never wrong; the check names place and cost; the rest goes on."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np
import pytest

from crash.museum import RUNS, Visit, build, put, visit, write
from crash.reopening import after_crash
from stepwell.core.errors import Corrupt, Invalid, StorageFailed
from stepwell.core.model import ALL_COLUMNS, RunWrite
from stepwell.storage.embedded import EmbeddedStore, blocks, database, flushing, reading, recovery, tiles
from stepwell.storage.embedded.database import CHECKSUM_BYTES, CHECKSUMS, PAGE_SIZE
from stepwell.storage.embedded.writer import Request
from stores import W, columns, make_runs, read_points, selector

DATABASE = "stepwell.db"


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
        found = visit(store)
        assert not found.errors
        assert not list(store.check())
    return found


@pytest.fixture
def copy(museum: Path, tmp_path: Path) -> Path:
    """A directory to damage."""
    shutil.copytree(museum, tmp_path / "copy")
    return tmp_path / "copy"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Bytes of one thing: the row that holds them, which answers need them, and how the check calls them.

    `column` of `table` where `where` has one row. `touched` are beginnings of (question, run, metric).
    """

    table: str
    column: str
    where: str
    named: str
    cost: str
    touched: tuple[tuple[str, str, str], ...]


def of_series(run: str, metric: str) -> str:
    return (
        "(SELECT series.key FROM series JOIN run ON run.key = series.run_key JOIN metric ON metric.id = metric_id"
        f" WHERE run.id = '{run}' AND metric.name = '{metric}')"
    )


def block_of(run: str, metric: str) -> str:
    return f"id = (SELECT min(id) FROM block WHERE series_key = {of_series(run, metric)})"


POINTS_OF_LONG = (("points", "two", "long"), ("sample", "two", "long"))
PLACES = {
    "block": Place(
        table="block_data",
        column="data",
        where=block_of("two", "long"),
        named="series 'long' of run two",
        cost="points cannot be read",
        touched=POINTS_OF_LONG,
    ),
    "block without nodes": Place(
        table="block_data",
        column="data",
        where=block_of("one", "short"),
        named="series 'short' of run one",
        cost="5 points cannot be read",
        touched=tuple((question, "one", "short") for question in ("points", "sample", "buckets", "chart")),
    ),
    "nodes": Place(
        table="block_nodes",
        column="nodes",
        where=block_of("two", "long"),
        named="nodes of block",
        cost="its points are whole",
        touched=(("buckets", "two", "long"),),
    ),
    "tile": Place(
        table="block_data",
        column="data",
        where=f"id = (SELECT min(id) FROM block WHERE level = 1 AND series_key = {of_series('two', 'long')})",
        named="tile",
        cost="its points are whole",
        touched=(),
    ),
    "summary": Place(
        table="summary",
        column="body",
        where=f"series_key = {of_series('three', 'noisy')}",
        named="summary of series 'noisy' of run three",
        cost="checksum",
        touched=(("summary", "three", "noisy"), ("run", "three", "")),
    ),
}


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def lengthened(data: bytes, rng: random.Random) -> bytes:
    return data + rng.randbytes(rng.randint(1, 9))


def zeros(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(max(1, len(data) - 16))
    while not any(data[start : start + 16]):
        start = (start + 16) % len(data)
    return data[:start] + bytes(len(data[start : start + 16])) + data[start + 16 :]


WAYS = [flipped, cut, lengthened, zeros]
Way = Callable[[bytes, random.Random], bytes]


def damage(directory: Path, place: Place, way: Way, seed: int) -> None:
    """Change the bytes of a row behind the store's back."""
    data = bytes_of(directory, place)
    worse = way(data, random.Random(seed))
    assert worse != data
    put_bytes(directory, place, worse)


def bytes_of(directory: Path, place: Place) -> bytes:
    db = apsw.Connection(str(directory / DATABASE), vfs=CHECKSUMS)
    ((data,),) = db.execute(f"SELECT {place.column} FROM {place.table} WHERE {place.where}").fetchall()
    db.close()
    assert isinstance(data, bytes)
    return data


def put_bytes(directory: Path, place: Place, data: bytes) -> None:
    db = apsw.Connection(str(directory / DATABASE), vfs=CHECKSUMS)
    db.execute(f"UPDATE {place.table} SET {place.column} = ? WHERE {place.where}", (data,))
    db.close()


def assert_right_or_told(found: Visit, truth: Visit) -> None:
    """No wrong answer."""
    wrong = [exhibit for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]]
    assert not wrong, f"wrong answers, no error: {wrong}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(2))
def test_damage_is_told_and_named_and_leaves_the_rest(copy: Path, truth: Visit, place: Place, way: Way, seed: int):
    damage(copy, place, way, seed)
    with after_crash(copy) as store:
        found = visit(store)
        assert_right_or_told(found, truth)
        for (question, run, metric), message in found.errors.items():
            assert any(question.startswith(q) and (run, metric) == (r, m) for q, r, m in place.touched), message
        assert {error[1:] for error in found.errors} == {(r, m) for _, r, m in place.touched}
        (named,) = list(store.check())
        assert place.named in named.place
        assert place.cost in named.cost


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_journal_row_is_set_aside_and_named(copy: Path, truth: Visit, way: Way):
    """Whose its points were nobody can tell any more: the others are there, the check counts the lost ones."""
    row = "first_arrival = (SELECT min(first_arrival) FROM journal WHERE count = 200)"  # of 'short' of the first run
    rows = Place(table="journal", column="payload", where=row, named="journal row", cost="200 points", touched=())
    damage(copy, rows, way, 3)
    for _ in range(2):  # also by the next start
        with after_crash(copy) as store:
            found = visit(store)
            assert not found.errors
            wrong = {exhibit[1:] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
            assert wrong <= {("one", "short"), ("one", "")}
            assert len(read_points(store, selector("one", "short"))) == 5
            (named,) = list(store.check())
            assert "journal row" in named.place
            assert "200 points that were acknowledged cannot be read" in named.cost


def test_the_numbers_of_a_row_set_aside_are_not_given_again(copy: Path):
    """The last row of the journal, so that nothing after it says how far the numbers went."""
    last = Place(
        table="journal",
        column="payload",
        where="first_arrival = (SELECT max(first_arrival) FROM journal)",
        named="",
        cost="",
        touched=(),
    )
    with after_crash(copy) as store:
        used = store._writer.next_arrival
        copied = copy.with_name("again")
        shutil.copytree(copy, copied, ignore=shutil.ignore_patterns("lock", "reserve"))
    damage(copied, last, flipped, 1)
    killed = shutil.copytree(copied, copied.with_name("killed"))
    db = apsw.Connection(str(killed / DATABASE))
    list(recovery._batches(db))  # as far as a start came that did not come to its end
    db.close()
    for directory in (copied, copied, killed):
        with after_crash(directory) as store:
            assert store._writer.next_arrival >= used


def test_writes_and_flushes_go_on_beside_damage(copy: Path, place: Place):
    """Every other series takes points and moves them into blocks; what is damaged stays damaged, and named."""
    damage(copy, place, flipped, 5)
    with after_crash(copy) as store:
        for run in RUNS:
            for metric in ("long", "noisy", "short"):
                write(store, run, columns(np.arange(3) + 10**6, np.arange(3), np.ones(3), metric=metric))
        store.flush()
        store.compact()
        assert store.stats().gauges["head_points"] == 0
        for run in RUNS:
            for metric in ("long", "noisy", "short"):
                healthy_or_damaged(store, run, metric, place)
        assert all(place.named in named.place for named in store.check())


def healthy_or_damaged(store: EmbeddedStore, run: str, metric: str, place: Place) -> None:
    """The new points are there, unless the damage lies under them."""
    if place.table == "block_data" and (run, metric) in {(r, m) for _, r, m in place.touched}:
        with pytest.raises(Corrupt, match="block"):
            read_points(store, selector(run, metric))
    else:
        assert read_points(store, selector(run, metric)).step[-3:].tolist() == [10**6, 10**6 + 1, 10**6 + 2]


def test_a_late_point_that_needs_a_damaged_block_is_refused_alone(copy: Path):
    """Whether it repeats a stored point cannot be told; the requests that share its commit are stored."""
    damage(copy, PLACES["block"], flipped, 5)
    with after_crash(copy) as store:
        with one_commit(store):
            one, two, three = (store.write(workspace=W, writes=[late(run, "long")]) for run in RUNS)
        one.result(60)
        three.result(60)
        with pytest.raises(Corrupt, match="block"):
            two.result(60)
        assert store.healthy() == ""


@contextmanager
def one_commit(store: EmbeddedStore) -> Iterator[None]:
    """What is written meanwhile waits, and is one group."""
    begun, go = threading.Event(), threading.Event()

    def run(connection: object, stage: object) -> None:
        begun.set()
        go.wait(60)

    future = store._writer.submit(Request(run=run, alone=True, outside=True))
    begun.wait(60)
    yield
    go.set()
    future.result(60)


def late(run: str, metric: str) -> RunWrite:
    batch = columns(np.array([30]), np.array([30_500]), np.array([0.75]), metric=metric)
    return RunWrite(run_id=run, points=batch, at=0)


def test_points_over_a_series_that_cannot_be_read_wait_and_come_back_when_it_is_mended(copy: Path, truth: Visit):
    """Summary and block are damaged, the journal has points: all else goes on, and nothing of them is lost."""
    of_short = f"series_key = {of_series('one', 'short')}"
    summary = Place(table="summary", column="body", where=of_short, named="", cost="", touched=())
    whole = [bytes_of(copy, place) for place in (summary, PLACES["block without nodes"])]
    damage(copy, summary, flipped, 1)
    damage(copy, PLACES["block without nodes"], flipped, 1)
    for _ in range(2):
        with after_crash(copy) as store:
            found = visit(store)
            wrong = {exhibit[1:] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
            assert wrong <= {("two", "short"), ("two", "")}
            assert {error[1:] for error in found.errors} == {("one", "short"), ("one", "")}
            write(store, "two", columns(np.array([10**6]), np.array([1]), np.ones(1), metric="short"))
            with pytest.raises(Corrupt, match="wait in the journal"):
                write(store, "one", columns(np.array([10**6]), np.array([1]), np.ones(1), metric="short"))
            store.flush()
            assert store.healthy() == ""
            assert read_points(store, selector("two", "short")).step[-1] == 10**6
    put_bytes(copy, summary, whole[0])
    put_bytes(copy, PLACES["block without nodes"], whole[1])
    with after_crash(copy) as store:
        found = visit(store)
        assert not found.errors
        changed = {exhibit[1:] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
        assert changed == {("two", "short"), ("two", "")}
        assert not list(store.check())


def test_a_rotten_page_of_the_journal_loses_the_rows_on_it_alone(museum: Path, copy: Path, truth: Visit):
    pages = [page for page, owner in pages_in_use(museum) if owner == "journal"]
    assert len(pages) > 2
    for page in pages:
        rotten(museum, copy, random.Random(page), page)
        for _ in range(2):  # also by the next start
            with after_crash(copy) as store:
                found = visit(store)
                lost = sum("that were acknowledged" in one.cost for one in store.check())
                wrong = {exhibit[1:] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
                assert not found.errors
                assert lost <= 3
                assert bool(wrong) == bool(lost)


def test_a_journal_whose_links_lead_astray_takes_no_page_of_another_table(museum: Path, copy: Path, truth: Visit):
    """Rows of the journal lie, says a damaged page, on one of the blocks': they are lost, the blocks are not."""
    (root,), leaves = pages_of(museum, "journal", "internal"), pages_of(museum, "block_data", "leaf")
    data = bytearray((museum / DATABASE).read_bytes())
    cell = PAGE_SIZE * (root - 1) + int.from_bytes(data[PAGE_SIZE * (root - 1) + 12 :][:2], "big")
    data[cell : cell + 4] = leaves[0].to_bytes(4, "big")
    (copy / DATABASE).write_bytes(data)
    for number in range(2):
        with after_crash(copy) as store:
            steps = np.arange(9_000) + number
            write(store, "three", columns(steps, steps, steps / 7, metric="new"))
            store.compact()
            found = visit(store)
            assert not found.errors
            wrong = {exhibit[2] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
            assert wrong <= {"short", "waiting", ""}
            assert any("journal that was set aside" in named.place for named in store.check())


def pages_of(directory: Path, table: str, kind: str) -> list[int]:
    """The inner pages or the leaves of a table."""
    db = apsw.Connection(str(directory / DATABASE), vfs=CHECKSUMS)
    query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY pageno"
    found = db.execute(query, (table, kind)).fetchall()
    db.close()
    return [int(str(page)) for (page,) in found]


@pytest.mark.parametrize("reserved", [CHECKSUM_BYTES, 0], ids=["with checksums", "without"])
def test_a_backup_has_the_checksums_of_its_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserved: int):
    """Also when it is larger than the cache of who writes it. A database made without them has none there too."""
    monkeypatch.setattr(database, "CHECKSUM_BYTES", reserved)
    (tmp_path / "live").mkdir()
    with after_crash(tmp_path / "live") as store:
        make_runs(store, *RUNS)
        noise = np.random.default_rng(1).normal(size=600_000)
        write(store, "one", columns(np.arange(600_000), np.arange(600_000), noise, metric="a"))
        store.flush()
        store._background._ask(store._checkpoints.truncate)
        for number in range(100):
            write(store, "two", columns(np.array([number]), np.array([number]), np.ones(1), metric=f"{number}"))
        put(store, "one", "model/weights.bin", b"weights")
        list(store.backup(target=tmp_path / "copy"))
        truth = visit(store)
    with after_crash(tmp_path / "copy") as store:
        assert visit(store).answers == truth.answers
        assert not list(store.check())
        store.flush()
    page = (tmp_path / "copy" / DATABASE).read_bytes()[:PAGE_SIZE]
    assert page[20] == reserved


@pytest.mark.parametrize(
    ("header", "message"),
    [("parent = 0", "its summary counts 9000"), ("parent > 0", "what is below tile .* does not hold the points")],
)
def test_a_header_that_is_not_found_fails_the_reads_of_its_series(copy: Path, header: str, message: str):
    """Its points would silently not be there. Whole runs are read by another way than one series is."""
    db = apsw.Connection(str(copy / DATABASE), vfs=CHECKSUMS)
    db.execute(
        f"DELETE FROM block WHERE series_key = {of_series('two', 'long')}"
        f" AND id = (SELECT min(id) FROM block WHERE {header} AND series_key = {of_series('two', 'long')})"
    )
    db.close()
    with after_crash(copy) as store:
        with pytest.raises(Corrupt, match=message):
            read_points(store, selector("two", "long"))
        with pytest.raises(Corrupt, match=message):
            store.read_runs(workspace=W, run_ids=["one", "two"], columns=ALL_COLUMNS, limit=100_000)
        (whole,) = store.read_runs(workspace=W, run_ids=["one"], columns=ALL_COLUMNS, limit=100_000)
        assert len(whole.points) == 9_000 + 1_500 + 205 + 3


# --- the log of the database ------------------------------------------------------------------------------------------


def test_a_damaged_log_gives_an_earlier_moment_whole(copy: Path, truth: Visit):
    """The log ends, for SQLite, where a frame of it fails its checksum: what came after is as if it never was."""
    directory = copy.with_name("logged")
    with after_crash(copy) as store:
        for number in range(20):
            write(store, "one", columns(np.array([number]), np.array([number]), np.ones(1), metric="new"))
        shutil.copytree(copy, directory, ignore=shutil.ignore_patterns("reserve", "lock", "*-shm"))
    log = bytearray((directory / f"{DATABASE}-wal").read_bytes())
    frames = (len(log) - 32) // (24 + PAGE_SIZE)
    assert frames >= 20
    seen = set()
    for at in random.Random(1).sample(range(32, len(log.rstrip(b"\0"))), 25):  # not in the room behind its frames
        damaged = shutil.copytree(directory, directory.with_name(f"damaged {at}"))
        (damaged / f"{DATABASE}-wal").write_bytes(log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :])
        with after_crash(damaged) as store:
            found = visit(store)
            assert not found.errors
            wrong = {exhibit[1:] for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]}
            assert wrong <= {("one", "")}  # its summaries of all metrics
            steps = read_points(store, selector("one", "new")).step.tolist()
            assert steps == list(range(len(steps)))
            told = [int(one.cost.partition(" ")[0]) for one in store.check() if "log" in one.place]
            gone = 20 - len(steps)
            assert told in ([gone], [gone - 1]) if gone > 2 else told in ([], [gone])
            seen.add(len(steps))
    assert len(seen) > 5
    assert max(seen) < 20


def test_half_of_the_last_commit_is_no_damage(copy: Path):
    """It is what a loss of power leaves, in whatever order the disk took it. A log that began anew has old frames."""
    directory = copy.with_name("logged")
    with after_crash(copy) as store:
        for number in range(3):
            write(store, "one", columns(np.arange(9) + 9 * number, np.arange(9), np.ones(9), metric=f"new {number}"))
            if number == 1:
                store._background._ask(store._checkpoints.truncate)
        shutil.copytree(copy, directory, ignore=shutil.ignore_patterns("reserve", "lock", "*-shm"))
    log = (directory / f"{DATABASE}-wal").read_bytes().rstrip(b"\0")
    frames = -(-(len(log) - 32) // (24 + PAGE_SIZE))
    assert frames > 2
    for frame in range(frames):
        at = 32 + frame * (24 + PAGE_SIZE)
        damaged = shutil.copytree(directory, directory.with_name(f"half {frame}"))
        (damaged / f"{DATABASE}-wal").write_bytes(log[:at] + bytes(24 + PAGE_SIZE) + log[at + 24 + PAGE_SIZE :])
        with after_crash(damaged) as store:
            assert not list(store.check())


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [*WAYS, None], ids=["flipped", "cut", "lengthened", "zeros", "gone"])
def test_a_damaged_file_is_told_and_named(copy: Path, truth: Visit, way: Way | None):
    victim = sorted(path for path in (copy / "blobs").rglob("*") if path.is_file())[0]
    if way is None:
        victim.unlink()
    else:
        victim.write_bytes(way(victim.read_bytes(), random.Random(1)))
    with after_crash(copy) as store:
        found = visit(store)
        assert_right_or_told(found, truth)
        ((question, _, _),) = found.errors
        assert question == "files"
        (named,) = list(store.check())
        assert "file 'model/weights.bin'" in named.place


# --- the database file ------------------------------------------------------------------------------------------------


def pages_in_use(directory: Path) -> list[tuple[int, str]]:
    """The pages of all tables and indexes, and whose they are."""
    db = apsw.Connection(str(directory / DATABASE), vfs=CHECKSUMS)
    found = db.execute("SELECT pageno, name FROM dbstat ORDER BY pageno").fetchall()
    db.close()
    return [(int(str(page)), str(name)) for page, name in found]


def rotten(museum: Path, copy: Path, rng: random.Random, page: int) -> str:
    """One to four bits of a page, where there is something on it; what was done."""
    data = bytearray((museum / DATABASE).read_bytes())
    start = PAGE_SIZE * (page - 1)
    used = [at for at in range(start, start + PAGE_SIZE) if data[at]]
    done = []
    for at in rng.sample(used, min(len(used), rng.randint(1, 4))):
        data[at] ^= 1 << rng.randrange(8)
        done.append(f"byte {at}")
    (copy / DATABASE).write_bytes(data)
    return ", ".join(done)


def rot(museum: Path, copy: Path, truth: Visit, *, seed: int, times: int) -> None:
    rng = random.Random(seed)
    pages = pages_in_use(museum)
    seen = {"right": 0, "told": 0, "not opened": 0}
    for _ in range(times):
        page, owner = rng.choice(pages)
        done = f"{owner}: {rotten(museum, copy, rng, page)}"
        try:
            with after_crash(copy) as store:
                found, named = visit(store), list(store.check())
        except (Corrupt, StorageFailed):
            seen["not opened"] += 1
            continue
        set_aside = any("journal" in one.place for one in named)
        wrong = [exhibit for exhibit, answer in found.answers.items() if answer != truth.answers[exhibit]]
        assert set_aside or not wrong, f"{done}: wrong answers, no error: {wrong}"
        assert named, f"{done}: the check names nothing"
        seen["told" if found.errors else "right"] += 1
    assert seen["told"] + seen["not opened"] > times / 5, seen
    assert seen["not opened"] < times / 2, seen


@pytest.mark.parametrize("seed", range(2))
def test_flipped_bits_of_the_database_never_change_a_number(museum: Path, copy: Path, truth: Visit, seed: int):
    rot(museum, copy, truth, seed=seed, times=15)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 108))
def test_thousands_of_flipped_bits_never_change_a_number(museum: Path, copy: Path, truth: Visit, seed: int):
    rot(museum, copy, truth, seed=seed, times=400)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_database_is_refused_or_told(museum: Path, copy: Path, truth: Visit, share: float):
    data = (museum / DATABASE).read_bytes()
    (copy / DATABASE).write_bytes(data[: int(len(data) * share)])
    try:
        with after_crash(copy) as store:
            if share == 0:
                assert store.list_workspaces() == []  # as good as new
                return
            found, named = visit(store), list(store.check())
    except (Corrupt, Invalid, StorageFailed):
        return  # in the domain's words
    assert_right_or_told(found, truth)
    assert named

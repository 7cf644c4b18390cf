"""The power goes at any moment: all that was acknowledged is there, whole and once; the rest is there whole or not."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crash.powerloss import CrashImage, Mode, PowerLoss, PowerLossDisk
from crash.powerloss.journal import Mark
from crash.powerloss.journal import Write as WriteBytes
from crash.powerloss.recording import RecordingFiles, RecordingWriting
from crash.powerloss.state import DiskState
from crash.reopening import checker, marking, on_disk
from crash.story import Act, Care, Create, Purge, Put, Remove, Story, Write
from stepwell.core.model import Status
from stepwell.storage.embedded import EmbeddedStore, backlog, blocks, engine, flushing, recovery, tiles
from stepwell.storage.embedded.database import connect_writer
from stepwell.storage.embedded.statements import POINTS
from stepwell.storage.embedded.writer import Request, Writer, _tell

LOSS = ("loss", ())
BY_HOST = ("loss", (("host", "a"),))
ACCURACY = ("accuracy", ())
FLUSH, COMPACT, EMPTY_LOG, COPY_LOG = (Care(name=n) for n in ("flush", "compact", "empty the log", "copy the log"))


@pytest.fixture(autouse=True)
def small_steps() -> Iterator[None]:
    """Blocks, flushes and trims of a few rows each, so that a short story has many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "POINTS", 16)
        patch.setattr(flushing, "POINTS", 16)
        patch.setattr(tiles, "FIRST", 2)
        patch.setattr(tiles, "NEXT", 2)
        patch.setattr(flushing, "STEP_POINTS", 8)
        patch.setattr(flushing, "STEP_SERIES", 2)
        patch.setattr(flushing, "INSERTED", 1)
        patch.setattr(flushing, "TRIM_ROWS", 3)
        patch.setattr(flushing, "BACKLOG_SERIES", 2)
        patch.setattr(backlog, "PIECE", 1)
        patch.setattr(recovery, "AT_ONCE", 1)
        patch.setattr(flushing, "OVERLAP", 2)
        patch.setattr(flushing, "GARBAGE_BLOCKS", 2)
        yield


def line(steps: range, *, value: float = 1.0) -> list[tuple[int, int, float]]:
    return [(step, 1_000 * step, value / (step + 1)) for step in steps]


def everything() -> list[Act]:
    """A story in which everything happens that a store can do."""
    return [
        Create(runs=("a", "b")),
        Write(points={"a": {LOSS: line(range(1))}}),
        Write(points={"a": {LOSS: line(range(1, 6)), ACCURACY: line(range(6))}}),
        Write(points={"b": {LOSS: line(range(3))}}, params={"lr": "0.1"}, tags={"team": "one"}),
        Write(points={"a": {LOSS: line(range(6))}}),  # a retry
        Put(owner="a", path="model/weights.bin", content=bytes(range(256)) * 40),
        FLUSH,
        Write(points={"a": {LOSS: [(3, 1, math.nan), (2, 1, -0.0), (2, 1, 0.0), (9, 9, math.inf)]}}),
        Write(points={"a": {BY_HOST: line(range(4))}, "b": {BY_HOST: line(range(4), value=2.0)}}),
        COPY_LOG,
        Write(points={"b": {LOSS: line(range(20, 0, -1), value=3.0)}}, status=Status.FINISHED),
        Write(points={"b": {LOSS: line(range(5), value=5.0)}}, params={"lr": "0.2"}),  # refused: lr is 0.1
        Write(points={"a": {LOSS: [(7, 7, 0.5)] * 3}}, append=True),
        Put(owner="a", path="model/weights.bin", content=b"replaced" * 100),
        Put(owner="", path="shared/notes.txt", content=b"notes"),
        FLUSH,
        Write(points={"a": {ACCURACY: line(range(3, 30))}, "b": {ACCURACY: line(range(2))}}),
        EMPTY_LOG,
        Remove(owner="", path="shared/notes.txt"),
        Write(points={"b": {ACCURACY: [(-5, -5, -math.inf), (2**63 - 1, 0, 1e308), (-(2**63), 0, 5e-324)]}}),
        FLUSH,
        Purge(runs=("a",)),
        Write(points={"a": {LOSS: line(range(3))}}),  # no such run
        Create(runs=("a", "c")),
        Write(points={"a": {LOSS: line(range(40, 45))}, "c": {LOSS: line(range(40))}}),
        Put(owner="c", path="log.txt", content=b"x" * 5_000),
        COMPACT,
        Write(points={"c": {LOSS: line(range(20, 60, 3), value=2.0)}}, tags={"team": "two"}),
        Purge(runs=("b", "c")),
    ]


def two_lives(disk: PowerLossDisk, acts: list[Act], *, at_once: int = 1) -> list[Story]:
    """One story over two lives of the store: the second begins with a recovery."""
    story = Story("caller", acts)
    middle = len(acts) // 2
    for part in (slice(middle), slice(middle, None)):
        with on_disk(disk) as store:
            story.tell(store, mark=marking(disk, store), part=part, at_once=at_once)
    return [story]


def test_a_story_of_everything_survives_the_power_loss_at_any_moment(disk: PowerLossDisk):
    stories = two_lives(disk, everything())
    report = disk.replay(checker(stories), limit=250, seed=1)
    assert report.disks > 150


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_story_of_everything_survives_thousands_of_power_losses(disk: PowerLossDisk, seed: int):
    stories = two_lives(disk, everything())
    report = disk.replay(checker(stories), seed=seed, variants=2, limit=8_000)
    assert report.disks > 2_000


def test_writes_that_are_under_way_together_are_lost_from_the_end(disk: PowerLossDisk):
    """A group commit holds several requests: each is there whole or not, and none without those before it."""
    acts: list[Act] = [Create(runs=("a", "b"))]
    for n in range(24):
        run = "ab"[n % 2]
        acts.append(Write(points={run: {LOSS: line(range(3 * n, 3 * n + 4))}}, tags={"n": str(n)} if n % 3 else {}))
        if n == 12:
            acts += [FLUSH, Write(points={"a": {LOSS: line(range(2))}}, params={"p": "1"})]
        if n == 15:
            acts.append(Write(points={"a": {LOSS: line(range(900, 903))}}, params={"p": "2"}))  # refused
    stories = two_lives(disk, acts, at_once=6)
    disk.replay(checker(stories), limit=100, seed=2)


def test_callers_beside_one_another_keep_what_each_was_told(disk: PowerLossDisk):
    """Threads that share group commits, one of them purging and storing files, while another flushes and compacts."""
    stories = [Story(f"caller {number}", own_acts(f"run-{number}")) for number in range(3)]
    care = Story("care", [FLUSH, COPY_LOG, FLUSH, COMPACT, EMPTY_LOG, FLUSH, COMPACT])
    failures: list[BaseException] = []
    with on_disk(disk) as store:
        mark = marking(disk, store)
        store.put_workspace(name="w", at=0)

        def tell(story: Story) -> None:
            try:
                story.tell(store, mark=mark, at_once=3)
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=tell, args=(story,)) for story in (*stories, care)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    disk.replay(checker(stories), limit=100, seed=3)


def own_acts(run: str) -> list[Act]:
    acts: list[Act] = [Create(runs=(run,))]
    for n in range(6):
        acts.append(Write(points={run: {LOSS: line(range(5 * n, 5 * n + 6)), ACCURACY: line(range(n + 1))}}))
        acts.append(Put(owner=run, path=f"file-{n % 2}", content=run.encode() * (n + 1)))
    return [*acts, Purge(runs=(run,)), Create(runs=(run,)), Write(points={run: {LOSS: line(range(4))}})]


def test_a_power_loss_during_recovery_loses_nothing_either(disk: PowerLossDisk, tmp_path: Path):
    """Power lost, half recovered, power lost again: for some of the first disks, all moments of the second start."""
    stories = two_lives(disk, everything())
    check = checker(stories)
    seconds = 0

    def lose_power_again(image: CrashImage) -> None:
        nonlocal seconds
        with PowerLossDisk(image.path) as again:
            for mark in image.marks:
                again.mark(mark)
            again.journal.first = len(again.journal.operations)
            with on_disk(again) as store:
                store.flush()
            seconds += again.replay(check, limit=5, seed=image.choice.at).disks

    disk.replay(lose_power_again, limit=20, seed=4, modes=[Mode.KEEP, Mode.PREFIX, Mode.SCATTER, Mode.GARBAGE])
    assert seconds > 40


# --- the order of things: nothing is promised before the sync that covers it -----------------------------------------


def test_every_answer_comes_after_the_sync_that_covers_it(disk: PowerLossDisk):
    """Points, catalog rows and files alike: at each acknowledgement nothing that it needs waits for a sync."""
    two_lives(disk, everything())
    state, answers = DiskState(), 0
    for operation in disk.journal.operations:
        state.advance(operation)
        if isinstance(operation, Mark) and isinstance(operation.value, tuple) and operation.value[0] == "done":
            answers += 1
            unsafe = list(unsynced(state))
            assert not unsafe, f"{operation.value} was told before {unsafe} were safe"
    assert answers == len(everything()) - 2  # two are refused


def unsynced(state: DiskState) -> Iterator[str]:
    """What a power loss would take: new bytes in the log or in contents, new names of contents.

    Not the database, which the log makes good, not what has lost its last name, and not zeros: the room behind the end
    of the log. A frame is never that alone.
    """
    names = state.names.copy()
    for waiting in state.pending_names:
        for (_, name), node in waiting.change.slots:
            if node is not None and not name.endswith(".part"):
                yield name
        names.apply(waiting.index, waiting.change)
    named = {node: name for (_, name), node in names.nodes.items() if node is not None and name != "stepwell.db"}
    for node, changes in state.pending.items():
        written = [pending.change.data for pending in changes if isinstance(pending.change, WriteBytes)]
        if node in named and any(any(data) for data in written):
            yield named[node]


# --- the suite itself: bugs of the kind it is for --------------------------------------------------------------------


def ack_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The caller hears of a write once it is in the transaction; the commit comes a moment later."""

    def commit(writer: Writer, group: list[Request]) -> None:
        if group[0].outside:
            return writer._care(group[0])
        stage = writer._new_stage()
        writer._connection.execute("BEGIN IMMEDIATE")
        accepted = [request for request in group if writer._run(request, stage)]
        new = stage.journal(writer._connection, first_arrival=writer.next_arrival)
        writer.next_arrival += new
        stage.publish()
        for request in accepted:
            if request.committed is not None:
                request.committed(request.result)
        _tell(group)
        time.sleep(0.005)  # the caller marks its promise
        writer._connection.execute("COMMIT")
        return None

    patch.setattr(Writer, "_commit", commit)


def log_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    """SQLite's default for a write-ahead log elsewhere: commits are synced by the next checkpoint."""

    def connect(*args: Any, **options: Any) -> apsw.Connection:
        connection = connect_writer(*args, **options)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    patch.setattr(engine, "connect_writer", connect)


def file_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RecordingWriting, "sync", lambda self: None)


def folder_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RecordingFiles, "sync_folder", lambda self, name: None)


def journal_goes_first(patch: pytest.MonkeyPatch) -> None:
    """A flush that trims the journal before the blocks are in."""
    real = flushing.Flusher._step

    def step(self: flushing.Flusher, moves: Any) -> bool:
        self._trim(self._head.everything()[0])
        return real(self, moves)

    patch.setattr(flushing.Flusher, "_step", step)


def flushed_points_come_back(patch: pytest.MonkeyPatch) -> None:
    """A recovery that does not look at what blocks hold already."""
    real = backlog._load

    def load(*given: Any) -> None:
        real(*given)
        given[-1].flushed.clear()

    patch.setattr(backlog, "_load", load)


def counter_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An emptied journal whose arrival numbers begin anew."""

    def run(connection: Any, name: str, *args: Any) -> int:
        return 0 if name == "raise_next_arrival" else POINTS.run(connection, name, *args)

    patch.setattr(flushing, "SQL", SimpleNamespace(run=run, all=POINTS.all, one=POINTS.one))


def purge_in_two_commits(patch: pytest.MonkeyPatch) -> None:
    """The runs go, and what belongs to them a commit later."""
    real = EmbeddedStore.purge_runs

    def purge(self: EmbeddedStore, *, workspace: str, run_ids: Any) -> int:
        return sum(real(self, workspace=workspace, run_ids=[run]) for run in run_ids)

    patch.setattr(EmbeddedStore, "purge_runs", purge)


BUGS = [
    ack_before_commit,
    log_is_not_synced,
    file_is_not_synced,
    folder_is_not_synced,
    journal_goes_first,
    flushed_points_come_back,
    counter_is_forgotten,
    purge_in_two_commits,
]


@pytest.mark.parametrize("plant", BUGS)
def test_the_suite_finds_a_bug_of_its_kind(
    disk: PowerLossDisk, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
):
    plant(monkeypatch)
    purge: list[Act] = [Create(runs=("a", "b")), Write(points={"a": {LOSS: line(range(3))}}), Purge(runs=("a", "b"))]
    stories = two_lives(disk, purge if plant is purge_in_two_commits else everything())
    with pytest.raises(PowerLoss):
        disk.replay(checker(stories), limit=400, seed=5, stop_after=1)


# --- stories that nobody thought of ----------------------------------------------------------------------------------

RUNS = st.sampled_from(["a", "b", "c"])
STEPS = st.integers(0, 12) | st.sampled_from([-(2**63), 2**63 - 1])
VALUES = st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 1e300]) | st.floats(-10, 10, width=32)
ROWS = st.lists(st.tuples(STEPS, st.integers(0, 3), VALUES), min_size=1, max_size=12)
SERIES = st.dictionaries(st.sampled_from([LOSS, BY_HOST, ACCURACY]), ROWS, min_size=1, max_size=3)
WORDS = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2)
WRITES = st.builds(
    Write,
    points=st.dictionaries(RUNS, SERIES, min_size=1, max_size=2),
    params=WORDS,
    tags=WORDS,
    status=st.sampled_from([None, Status.FINISHED, Status.RUNNING]),
    append=st.booleans(),
)
PATHS = st.sampled_from(["one", "two", "deep/three"])
ACTS = st.one_of(
    WRITES,
    WRITES,
    WRITES,
    st.builds(Create, runs=st.lists(RUNS, min_size=1, max_size=2, unique=True).map(tuple)),
    st.builds(Put, owner=RUNS, path=PATHS, content=st.binary(max_size=600)),
    st.builds(Remove, owner=RUNS, path=PATHS),
    st.builds(Purge, runs=st.tuples(RUNS)),
    st.sampled_from([FLUSH, FLUSH, COMPACT, EMPTY_LOG, COPY_LOG]),
)
BEGIN = Create(runs=("a", "b", "c"))
RANDOM = settings(
    settings.get_profile("ci"),
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure names its disk; smaller stories would take hours
)


def any_story(acts: list[Act], at_once: int, *, limit: int, seed: int) -> None:
    with TemporaryDirectory() as folder, PowerLossDisk(Path(folder)) as disk:
        stories = two_lives(disk, [BEGIN, *acts], at_once=at_once)
        disk.replay(checker(stories), limit=limit, seed=seed)


@RANDOM
@given(acts=st.lists(ACTS, min_size=4, max_size=14), at_once=st.integers(1, 4), seed=st.integers(0, 99))
def test_any_story_survives(acts: list[Act], at_once: int, seed: int):
    any_story(acts, at_once, limit=40, seed=seed)


@pytest.mark.long
@settings(RANDOM, max_examples=400, derandomize=False)
@given(acts=st.lists(ACTS, min_size=4, max_size=40), at_once=st.integers(1, 8), seed=st.integers(0, 9_999))
def test_any_long_story_survives(acts: list[Act], at_once: int, seed: int):
    any_story(acts, at_once, limit=150, seed=seed)

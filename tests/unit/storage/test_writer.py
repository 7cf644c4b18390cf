"""The thread that writes: what a group's requests are told, and when."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stepwell.core.errors import AlreadyExists, Busy, Conflict, StorageFailed, StorageFull
from stepwell.core.model import NewExperiment, PointBatch, RunWrite
from stepwell.storage import pacing
from stepwell.storage.embedded import EmbeddedStore, points, writer
from stepwell.storage.embedded.writer import Request
from stepwell.storage.pacing import Pace
from stepwell.web.work import Work
from stores import NOW, RUN, W, add, make_runs, read_rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    yield store
    store.close()


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


def param(value: str) -> RunWrite:
    return RunWrite(run_id=RUN, params={"p": value}, at=NOW)


def broken(connection: object, stage: object) -> None:
    raise ZeroDivisionError


def test_a_refusal_rests_on_nothing_that_is_taken_back(store: EmbeddedStore) -> None:
    """The second is refused for what the first stores; the third takes both back."""
    with one_commit(store):
        first, second = (store.write(workspace=W, writes=[param(value)]) for value in "12")
        third = store._writer.submit(Request(run=broken, guarded=False))
    for future in (first, second, third):
        with pytest.raises(StorageFailed, match="ZeroDivisionError"):
            future.result(60)
    store.write(workspace=W, writes=[param("2")]).result(60)


def test_many_series_fill_the_head_as_many_points_do(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "HEAD_POINTS", 1_000)
    add(store, [(step, 0, 0.0) for step in range(900)])
    for number in range(11):
        add(store, [(1, 1, 1.0)], metric=f"m{number}")
    with pytest.raises(Busy, match="nothing was stored"):
        add(store, [(1, 1, 1.0)], metric="one more")
    store.flush()
    add(store, [(1, 1, 1.0)], metric="one more")


def test_who_computes_for_long_gives_way_to_writes(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 60.0)
    begun, gone = threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        store.give_way()
        gone.set()

    with one_commit(store):
        written = store.write(workspace=W, writes=[param("1")])
        thread = threading.Thread(target=read)
        thread.start()
        begun.wait(60)
        assert not gone.wait(0.05), "a commit is under way"
    written.result(60)
    assert gone.wait(30), "nothing is to be written any more"
    thread.join()
    store.give_way()  # and nobody waits where nothing is written


def test_but_never_for_long(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.001)
    with one_commit(store):
        store.give_way()


def test_a_short_read_waits_for_no_long_ones(store: EmbeddedStore) -> None:
    """As many as there are threads that read and write for requests."""
    work = Work()
    found = threading.Event()

    def look_up() -> None:
        with ExitStack() as held:
            for _ in range(work.readers.threads + work.writers.threads):
                held.enter_context(store._readers.snapshot())
            store.get_credential(id="nobody")
            found.set()

    threading.Thread(target=look_up, daemon=True).start()
    assert found.wait(60)
    work.close()


def test_a_refusal_is_alone(store: EmbeddedStore) -> None:
    with one_commit(store):
        first, second = (store.write(workspace=W, writes=[param(value)]) for value in "12")
    first.result(60)
    with pytest.raises(Conflict, match="param 'p'"):
        second.result(60)
    add(store, [(1, 1, 1.0)])
    assert len(read_rows(store)) == 1


def test_points_alone_are_committed_as_numbers(store: EmbeddedStore) -> None:
    batches = [PointBatch.single("loss", step=step, time=step, value=step / 3) for step in range(5)]
    with one_commit(store):
        writes = [RunWrite(run_id=RUN, points=batch, at=NOW) for batch in batches]
        futures = [store.write(workspace=W, writes=[write]) for write in writes]
    for future in futures:
        future.result(60)
    assert len(read_rows(store)) == len(batches)
    for batch in batches:
        for column in ("step", "time", "value"):
            with pytest.raises(AttributeError):
                object.__getattribute__(batch, column)  # nobody has asked for it


@pytest.fixture
def two(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> EmbeddedStore:
    """Two clients write, and a commit takes half a minute of the processor, if one asks."""
    monkeypatch.setattr(writer, "thread_time", itertools.count(step=30).__next__)
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    with one_commit(store):
        futures = [store.write(workspace=W, writes=[param("1")]) for _ in range(2)]
    for future in futures:
        future.result(60)
    return store


def test_clients_that_come_back_together_are_one_commit(two: EmbeddedStore) -> None:
    before = two.stats().counters["commits"]
    first = two.write(workspace=W, writes=[param("1")])
    with pytest.raises(TimeoutError):
        first.result(0.1)
    second = two.write(workspace=W, writes=[param("1")])
    first.result(10)
    second.result(10)
    assert two.stats().counters["commits"] == before + 1


def test_who_writes_alone_waits_for_nobody(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "thread_time", itertools.count(step=30).__next__)
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    for _ in range(3):
        store.write(workspace=W, writes=[param("1")]).result(10)


def test_who_does_not_come_back_is_waited_for_once(two: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHERING", 0.1)
    two.write(workspace=W, writes=[param("1")]).result(10)
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    two.write(workspace=W, writes=[param("1")]).result(10)


def test_nobody_is_waited_for_while_more_waits_than_a_group_takes(
    two: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_REQUESTS", 2)
    with one_commit(two):
        futures = [two.write(workspace=W, writes=[param("1")]) for _ in range(3)]
    for future in futures:
        future.result(10)


def test_what_is_urgent_ends_the_waiting(two: EmbeddedStore) -> None:
    waiting = two.write(workspace=W, writes=[param("1")])
    two._writer.submit(Request(run=lambda connection, stage: None, alone=True)).result(10)
    waiting.result(10)


def test_the_end_of_a_store_ends_the_waiting(two: EmbeddedStore) -> None:
    waiting = two.write(workspace=W, writes=[param("1")])
    closing = threading.Thread(target=two.close)
    closing.start()
    waiting.result(10)
    closing.join(10)
    assert not closing.is_alive()


class Slow(Pace):
    """A pace at which nothing more is taken after the first points, as long as somebody says so."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.committed: list[int] = []
        self.pausing = threading.Event()
        self.over = False

    def end(self, store: EmbeddedStore) -> None:
        self.over = True
        with store._writer._wake:
            store._writer._wake.notify()

    def took(self, points: int) -> None:
        self.committed.append(points)

    def left(self) -> float:
        if self.over or not any(self.committed):
            return 0.0
        self.pausing.set()
        return 3_600.0


@contextmanager
def pausing(store: EmbeddedStore) -> Iterator[Slow]:
    """The writer pauses, after one point."""
    store._writer._pace = slow = Slow()
    add(store, [(1, 1, 1.0)])
    yield slow
    slow.end(store)


def some(value: float) -> RunWrite:
    return RunWrite(run_id=RUN, points=PointBatch.single("loss", step=2, time=2, value=value), at=NOW)


def test_points_wait_while_the_writer_pauses(store: EmbeddedStore) -> None:
    with pausing(store) as slow:
        futures = [store.write(workspace=W, writes=[some(float(n))]) for n in range(5)]
        assert slow.pausing.wait(60)
        assert not any(future.done() for future in futures)
        assert slow.committed == [1]
    for future in futures:
        future.result(60)
    assert slow.committed == [1, 5], "they are one commit"


@pytest.mark.parametrize("kind", ["essential", "alone"])
def test_no_pause_keeps_the_background_waiting(store: EmbeddedStore, kind: str) -> None:
    with pausing(store) as slow:
        before = store.write(workspace=W, writes=[some(2.0)])
        assert slow.pausing.wait(60)
        request = Request(run=lambda connection, stage: None, essential=kind == "essential", alone=kind == "alone")
        store._writer.submit(request).result(60)
        store.flush()
        assert store.stats().gauges["head_points"] == 0
        assert not before.done(), "points that wait are not taken with it"
    before.result(60)
    assert store.stats().gauges["head_points"] == 1


def test_a_pause_is_for_who_computes(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 3_600.0)
    with pausing(store) as slow:
        future = store.write(workspace=W, writes=[some(2.0)])
        assert slow.pausing.wait(60)
        store.give_way()
        assert not future.done()
    future.result(60)


def test_a_store_is_closed_during_a_pause(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    with pausing(store) as slow:
        future = store.write(workspace=W, writes=[some(2.0)])
        assert slow.pausing.wait(60)
        store._writer.close()
        assert future.result(0) is None
    store.close()


@pytest.mark.parametrize(("state", "yes", "no"), [("full", True, False), ("failed", "a sync failed", "")])
def test_a_writer_that_takes_nothing_does_not_pause(store: EmbeddedStore, state: str, yes: object, no: object) -> None:
    with pausing(store) as slow:
        future = store.write(workspace=W, writes=[some(2.0)])
        assert slow.pausing.wait(60)
        setattr(store._writer, state, yes)
        with store._writer._wake:
            store._writer._wake.notify()
        with pytest.raises(StorageFull if state == "full" else StorageFailed):
            future.result(60)
        setattr(store._writer, state, no)


def test_urgent_requests_take_turns_with_the_others(store: EmbeddedStore) -> None:
    """Whoever purges run after run keeps nobody from writing."""
    done: list[str] = []

    def noted(name: str, *, alone: bool) -> Request:
        return Request(run=lambda connection, stage: done.append(name), alone=alone)

    with one_commit(store):  # that is alone too
        submit = store._writer.submit
        futures = [submit(noted(f"urgent {n}", alone=True)) for n in range(3)]
        futures += [submit(noted(f"usual {n}", alone=False)) for n in range(3)]
    for future in futures:
        future.result(60)
    assert done == ["usual 0", "usual 1", "usual 2", "urgent 0", "urgent 1", "urgent 2"]


def test_what_was_put_off_is_counted(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.stats().counters["paced_seconds"] == 0
    monkeypatch.setattr(pacing, "EASY", -1)
    add(store, [(1, 1, 1.0)])
    assert store.stats().counters["paced_seconds"] > 0


class Disk:
    """Room that is looked for, by whom, and what is answered once somebody lets it."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.go = threading.Semaphore(0)

    def exhausted(self) -> None:
        raise AssertionError

    def recovered(self) -> bool:
        self.asked.append(threading.current_thread().name)
        self.go.acquire(timeout=60)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_no_caller_looks_for_room_or_waits_for_who_does(store: EmbeddedStore) -> None:
    """To take the reserve back is 64 MiB of work, and callers are event loops."""
    writer, disk = store._writer, Disk(False, StorageFailed("no"), OSError("no"), True)
    writer._space = disk
    writer.full = True
    for tried in range(4):
        for _ in range(100):  # while the writer looks
            with pytest.raises(StorageFull):
                store.write(workspace=W, writes=[param("1")])
            assert not writer.look_for_room()
        while len(disk.asked) == tried:
            threading.Event().wait(0.001)
        writer._look = False  # of those who asked meanwhile
        disk.go.release()
    while not writer.look_for_room():
        threading.Event().wait(0.001)
    store.write(workspace=W, writes=[param("1")]).result(60)
    assert disk.asked == ["stepwell-writer"] * 4


def test_a_write_cannot_be_withdrawn(store: EmbeddedStore) -> None:
    """It may be durable by then; and nobody else's write suffers when a caller tries."""
    with one_commit(store):
        futures = [store.write(workspace=W, writes=[param("1")]) for _ in range(3)]
        assert not futures[1].cancel()
    for future in futures:
        future.result(60)
    assert store.healthy() == ""


def test_who_is_told_that_it_exists_can_read_it(store: EmbeddedStore) -> None:
    """Also when both came in one commit."""
    seen: list[object] = []

    def make() -> None:
        try:
            seen.append(store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW)).id)
        except AlreadyExists:
            seen.append(store.get_experiment(workspace=W, name="e").id)

    threads = [threading.Thread(target=make) for _ in range(6)]
    with one_commit(store):
        for thread in threads:
            thread.start()
        while store._writer.queued < len(threads):
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(60)
    assert len(seen) == len(threads)
    assert len(set(seen)) == 1

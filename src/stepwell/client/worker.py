"""The way from log() to the spool: a queue that the training appends to, and the one thread that empties it.

The training thread does two things: it looks whether there is room, and appends. No lock, no formatting, no wait.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from stepwell.client import records
from stepwell.client.limits import wrong_name
from stepwell.client.problems import Problems
from stepwell.client.records import Group, Note
from stepwell.client.spool import FRAME_BYTES, Spool
from stepwell.client.values import NoNumber, Pending, Wrong, number

PERIOD: Final = 0.04  # seconds between two looks at the queue: with the write, far below a tenth of a second
ROOM: Final = 1_000_000  # values that wait; more are dropped and counted
_FRAME_VALUES: Final = 10_000
_LOOK: Final = 0.2  # seconds between two looks whether the thread lives
_RETRY: Final = 1.0  # seconds between two tries on a full disk

Row: TypeAlias = tuple[int, int, Mapping[str, Any]]  # time in microseconds, step, values


class _Barrier:
    """In the queue: all before it is to be synced. `whole` is whether it is, once `reached` is set."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.whole = False


class Worker:
    """Empties `queue` into the spool every PERIOD. `taken` counts values that have left the queue."""

    def __init__(self, spool: Spool, problems: Problems) -> None:
        self.queue: deque[Row | Note | _Barrier] = deque()
        self.taken = 0
        self.lost = 0
        self._spool = spool
        self._problems = problems
        self._late: list[Row] = []  # rows with a value that is still on its way
        self._names: dict[str, str] = {}  # metric: what is wrong with its name
        self._failing_since = 0.0
        self._wake = threading.Event()
        self._ending = False
        self.whole = False  # once it has ended: whether all is on the disk
        self._relieving = False
        self._by_hand = threading.RLock()  # of those who do the thread's work where there is none
        self._thread = threading.Thread(target=self._run, name="stepwell-spool", daemon=True)

    def start(self) -> None:
        """Begin. RuntimeError where no thread can be: then `flush`, `relieve` and `join` do its work."""
        self._thread.start()

    def relieve(self) -> bool:
        """Empty the queue here, where no thread does. Whether it is empty."""
        if self._thread.ident is not None:
            return False
        with self._by_hand:
            if self._relieving:  # a signal's handler logs in the midst of it: the loop below comes to that
                return True
            self._relieving = True
            try:
                while self.queue:
                    self._round()
            finally:
                self._relieving = False
        return True

    def flush(self, timeout: float | None) -> bool:
        """Wait until what is in the queue now is synced. Whether it is, within `timeout` seconds if that is given."""
        barrier = _Barrier()
        self.queue.append(barrier)
        self._wake.set()
        self.relieve()
        until = None if timeout is None else time.monotonic() + timeout
        while not barrier.reached.wait(_LOOK if until is None else max(0.0, min(_LOOK, until - time.monotonic()))):
            if not self._thread.is_alive() or (until is not None and time.monotonic() >= until):
                return False
        return barrier.whole

    def stop(self) -> None:
        """Empty the queue once more, close the spool and end."""
        self._ending = True
        self._wake.set()

    def join(self, until: float) -> None:
        """After `stop`: wait for the end, until a moment of the monotonic clock. Then look at `whole` and `lost`."""
        if self._thread.ident is None:
            with self._by_hand:
                self._run()
        else:
            self._thread.join(max(0.0, until - time.monotonic()))
        late = sum(len(item[2]) for item in list(self.queue) if isinstance(item, tuple))
        if late:
            self._lose(late, "another thread logged them while the run was closed")

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(PERIOD)
            self._wake.clear()
            self._round()
        self._round()
        self._settle()
        whole = self._spool.close()
        self._tell_failure()
        self.whole = whole

    def _round(self) -> None:
        try:
            self._empty()
            self._retry()
        except Exception as error:  # noqa: BLE001  this thread must live as long as the training
            self._problems.add(f"the worker met {type(error).__name__}: {error}")

    def _empty(self) -> None:
        rows = self._ripe()
        count = 0
        for item in self._items():
            if isinstance(item, tuple):
                rows.append(item)
                count += len(item[2])
                if count >= _FRAME_VALUES:
                    self._write_rows(rows)
                    rows, count = [], 0
                continue
            self._write_rows(rows)
            rows = []
            if isinstance(item, Note):
                self._write_note(item)
            else:
                try:
                    self._settle()
                    item.whole = self._spool.sync()
                finally:
                    item.reached.set()  # somebody waits
        self._write_rows(rows)

    def _items(self) -> Iterator[Row | Note | _Barrier]:
        """What is in the queue now; more that comes meanwhile is for the next round."""
        for _ in range(len(self.queue)):
            try:
                item = self.queue.popleft()
            except IndexError:  # without a thread: what a handler of signals logged took the rest with it
                return
            if isinstance(item, tuple):
                self.taken += len(item[2])
                yield from _pieces(item)
            else:
                yield item

    def _ripe(self) -> list[Row]:
        """Those of the late rows that are complete."""
        late, self._late = self._late, []
        return late

    def _settle(self) -> None:
        """Wait for what is on its way, and write it."""
        rows = self._ripe()
        for row in rows:
            for value in row[2].values():
                if isinstance(value, Pending):
                    value.wait()
        self._write_rows(rows)

    def _write_rows(self, rows: list[Row]) -> None:
        try:
            self._write_groups(rows)
        except Exception as error:  # noqa: BLE001  a value's own methods may raise anything
            self._lose(sum(len(row[2]) for row in rows), f"{type(error).__name__}: {error}")

    def _write_groups(self, rows: list[Row]) -> None:
        by_names: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            by_names.setdefault(tuple(row[2]), []).append(row)
        groups = [group for names, same in by_names.items() for group in self._groups(names, same)]
        if groups:
            self._write_points(groups)

    def _write_points(self, groups: Sequence[Group]) -> None:
        payload = records.encode_points(groups)
        halves = records.halves(groups) if len(payload) > FRAME_BYTES else None  # long names
        for half in halves or ():
            self._write_points(half)
        if halves is None:
            self._append(payload, sum(len(g.times) * len(g.metrics) for g in groups))

    def _groups(self, names: tuple[str, ...], rows: list[Row]) -> Iterator[Group]:
        if all(self._named(name) for name in names):
            try:
                yield _group(names, rows)
                return
            except (TypeError, OverflowError):
                pass  # a tensor, or something that is no number: one by one
        for row in rows:
            yield from self._single(row)

    def _single(self, row: Row) -> Iterator[Group]:
        time_us, step, values = row
        if any(isinstance(value, Pending) and not value.ready() for value in values.values()):
            self._late.append(row)
            return
        kept: dict[str, float] = {}
        for name, value in values.items():
            if self._named(name):
                try:
                    kept[name] = _final(value)
                except (NoNumber, TypeError, ValueError, RuntimeError) as error:
                    self._problems.add(f"{name}: {error}")
        try:
            yield _group(tuple(kept), [(time_us, step, kept)])
        except (OverflowError, TypeError):
            what = "a step or a time is no integer of 64 bits"
            self._problems.add(what, detail=f"step {step!r}, time_us {time_us!r}")

    def _named(self, name: object) -> bool:
        """Whether this is a metric's name; a problem where it is not."""
        if not isinstance(name, str):
            self._problems.add(f"{name!r} is no name of a metric: names are texts")
            return False
        wrong = self._names.get(name)
        if wrong is None:
            wrong = wrong_name(name)
            if len(self._names) < 100_000:
                self._names[name] = wrong
        if wrong:
            self._problems.add(f"metric {name[:80]!r}: {wrong}")
        return not wrong

    def _write_note(self, note: Note) -> None:
        try:
            payload = records.encode_note(note)
        except (TypeError, ValueError) as error:
            self._problems.add(f"{note.kind}: {error}")
            return
        halves = records.halves(note) if len(payload) > FRAME_BYTES else None
        for half in halves or ():
            self._write_note(half)
        if halves is None:
            self._append(payload, 1, note.kind)

    def _append(self, payload: bytes, count: int, what: str = records.POINTS) -> None:
        if len(payload) > FRAME_BYTES:
            self._lose(count, f"{what} of {len(payload)} bytes in one piece; the limit is {FRAME_BYTES}")
        elif not self._spool.append(payload):
            self._lose(count, "the disk takes nothing, and the memory kept for that is full")
        self._tell_failure()

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        self._problems.add(f"values lost: {why}", count)

    def _retry(self) -> None:
        """On a full disk, now and then."""
        if self._spool.failure and time.monotonic() - self._failing_since >= _RETRY:
            self._failing_since = time.monotonic()
            self._spool.write()

    def _tell_failure(self) -> None:
        if self._spool.failure:
            self._problems.add(f"the spool cannot be written, so values stay in memory: {self._spool.failure}")


def _final(value: Any) -> float:
    """The number of a snapshot. NoNumber."""
    if isinstance(value, Wrong):
        raise NoNumber(value.why)
    return value.value() if isinstance(value, Pending) else number(value)


def _pieces(row: Row) -> Iterator[Row]:
    """The row, in parts that fit into a frame."""
    if len(row[2]) <= _FRAME_VALUES:
        yield row
        return
    values = list(row[2].items())
    for begin in range(0, len(values), _FRAME_VALUES):
        yield (row[0], row[1], dict(values[begin : begin + _FRAME_VALUES]))


def _group(names: tuple[str, ...], rows: list[Row]) -> Group:
    """TypeError, OverflowError: there is something else than numbers in it."""
    columns = zip(*(row[2].values() for row in rows), strict=True)
    return Group(
        names,
        array("q", [row[0] for row in rows]),
        array("q", [row[1] for row in rows]),
        tuple(array("d", column) for column in columns),
    )

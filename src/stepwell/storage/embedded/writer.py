"""The one thread that writes: requests queue, are committed in groups, and are released once the commit is durable and
visible.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter, thread_time
from typing import Any, Final, Protocol

import apsw

from stepwell.core.errors import Busy, Corrupt, StepwellError, StorageFailed, StorageFull
from stepwell.storage.embedded.database import translated
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.pacing import Pace
from stepwell.storage.promise import Promise

GROUP_POINTS: Final = 100_000
GROUP_REQUESTS: Final = 1_024
QUEUE_BYTES: Final = 64 * 2**20
PATIENCE: Final = 0.01  # seconds
GATHERING: Final = 0.005  # seconds
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds, of a commit
_REQUEST_ERRORS: Final = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, apsw.SQLError)
_log = logging.getLogger("stepwell.storage")


@dataclass(slots=True, kw_only=True)
class Request:
    """Something to do inside a group's transaction.

    run: does it; raising a StepwellError undoes it alone. alone: commits in a group of its own, before others that
    wait. essential: the same, and also when the disk is full, since it makes room. committed: called on the writer
    thread once durable, before the caller hears of it.
    """

    run: Callable[[apsw.Connection, Stage], Any]
    points: int = 0
    size: int = 256  # bytes it holds in the queue
    alone: bool = False
    essential: bool = False
    outside: bool = False  # runs outside any transaction (checkpoints); such a request is always alone
    guarded: bool = True  # needs a savepoint: it may fail after it changed a table
    committed: Callable[[Any], None] | None = None
    future: Future[Any] = field(default_factory=Promise)
    result: Any = None
    refusal: Exception | None = None


class Space(Protocol):
    """What to do about a full disk. Asked by the writer thread alone: it may take a while."""

    def exhausted(self) -> None:
        """A write found no room."""
        ...

    def recovered(self) -> bool:
        """Whether there is room again."""
        ...


class Writer:
    """Owns the writing connection."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        new_stage: Callable[[], Stage],
        next_arrival: int,
        space: Space,
        pace: Pace,
        committed: Callable[[apsw.Connection], None],
        undone: Callable[[], None],
    ) -> None:
        """`committed` runs after each commit; `undone` whenever changes were taken back, which others may have seen."""
        self._connection = connection
        self._new_stage = new_stage
        self._space = space
        self._pace = pace
        self._after_commit = committed
        self._undone = undone
        self._queue: deque[Request] = deque()
        self._urgent: deque[Request] = deque()  # alone or essential
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._closing = False
        self._look = False  # whether somebody wants to know if the disk has room again
        self._idle = False  # whether the thread waits for something to do, and nobody has told it of any yet
        self._resting = threading.Event()
        self._overtaken = False  # by an urgent one, just now
        self._siblings = 0  # requests that came while the last group was under way, and that group's own
        self._worked = 0.0  # seconds of processor time that it took
        self._left = False  # whether more were queued than that group could take
        self._awaited = 0  # requests that the thread waits for to be queued; 0: it does not
        self.next_arrival = next_arrival
        self.queued_bytes = 0
        self.full = False
        self.failed = ""
        self.counters = {"commits": 0, "requests": 0, "points": 0, "duplicates": 0}
        self.commit_counts = [0] * (len(BUCKETS) + 1)
        self.commit_seconds = 0.0
        self._thread = threading.Thread(target=self._loop, name="stepwell-writer", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Any]:
        """Queue a request, which cannot be withdrawn. Raises Busy, StorageFull or StorageFailed when it cannot be
        taken. Never waits for the disk.
        """
        with self._lock:
            if self._closing:
                raise StorageFailed("the store is closed")
            if self.failed:
                raise StorageFailed(self.failed)
            if self.full and not request.essential:
                self._want_room()
                raise StorageFull
            if self.queued_bytes + request.size > QUEUE_BYTES and self.queued and not request.essential:
                raise Busy
            urgent = request.alone or request.essential
            (self._urgent if urgent else self._queue).append(request)
            self.queued_bytes += request.size
            if urgent or self._idle or len(self._queue) == self._awaited:
                self._idle = False
                self._resting.clear()
                self._wake.notify()
        return request.future

    def give_way(self) -> None:
        """For who is about to compute for long: until nothing is to be written, PATIENCE at most."""
        if not self._resting.is_set():
            self._resting.wait(PATIENCE)

    def look_for_room(self) -> bool:
        """Whether writes are taken. Where the disk was full the writer looks, soon, whether it has room again."""
        if self.full:
            with self._lock:
                self._want_room()
        return not self.full

    def _want_room(self) -> None:
        self._look = True
        self._wake.notify()

    def close(self) -> None:
        """Finish what is queued and stop; idempotent."""
        with self._lock:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._queue) + len(self._urgent)

    def _loop(self) -> None:
        while True:
            with self._lock:
                only_urgent = self._await()
                look, self._look = self._look, False
                group = self._take(only_urgent=only_urgent)
                ended = self._closing and not group
            if look and self.full:
                self._find_room()
            if ended:
                return
            try:
                self._commit(group)
            except Exception:  # noqa: BLE001 - after a commit: what is durable may not be visible, so nothing more is taken
                _log.exception("a commit could not be published", extra={"action": "commit_failed"})
                self.failed = "internal error after a commit; restart the server"
                _release(group, StorageFailed(self.failed))

    def _await(self) -> bool:
        """Until something is to be done; whether that is urgent requests alone. A pause leaves the processor to who
        moves points into blocks, and no request of theirs waits for its end.
        """
        while not (self._closing or self._look):
            left = self._pace.left() if self._queue and not self.full and not self.failed else 0.0
            if self._urgent or (self._queue and not left):
                self._gather()
                return left > 0
            self._idle = not left
            self._resting.set()
            self._wake.wait(left or None)
            self._resting.clear()
            self._idle = False
        return False

    def _expect(self, group: Sequence[Request], worked: float) -> None:
        """What the next group may wait for; nothing, where more is queued than a group takes."""
        if not group[0].alone:
            self._siblings, self._worked = 0 if self._left else len(group) + len(self._queue), worked

    def _gather(self) -> None:
        """Until as many are queued as clients wrote lately. Clients that wait for their answers come back together, and
        a commit of many costs little more than one of few; who writes alone has no siblings, and nothing to wait for.
        Not longer than twice the work of a commit: what is hoped for is to save one.
        """
        if not self._urgent and len(self._queue) < self._siblings:
            self._awaited, self._siblings = self._siblings, 0  # they are waited for once
            self._wake.wait(min(2 * self._worked, GATHERING))
            self._awaited = 0

    def _find_room(self) -> None:
        try:
            self.full = not self._space.recovered()
        except (StepwellError, OSError) as error:  # it is asked again with the next write
            _log.error("the disk may have room again, but: %s", error, extra={"action": "commit_failed"})

    def _take(self, *, only_urgent: bool) -> list[Request]:
        """Those to be committed now: an urgent one, or many others. They take turns, so that none is kept waiting."""
        if self._urgent and not (self._queue and self._overtaken and not only_urgent):
            self._overtaken = True
            self._siblings = 0  # who was overtaken has waited
            request = self._urgent.popleft()
            self.queued_bytes -= request.size
            return [request]
        self._overtaken = False
        group: list[Request] = []
        points = 0
        while self._queue and len(group) < GROUP_REQUESTS and points <= GROUP_POINTS:
            request = self._queue.popleft()
            self.queued_bytes -= request.size
            points += request.points
            group.append(request)
        self._left = bool(self._queue)
        return group

    def _commit(self, group: Sequence[Request]) -> None:
        group = self._admitted(group)
        if not group:
            return None
        if group[0].outside:
            return self._care(group[0])
        started, worked = perf_counter(), thread_time()
        stage = self._new_stage()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            accepted = [request for request in group if self._run(request, stage)]
            new = stage.journal(self._connection, first_arrival=self.next_arrival)
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            meaning = translated(error)
            if isinstance(meaning, Corrupt):
                return self._one_by_one(group, meaning)
            return self._not_committed(group, error)
        except Corrupt as error:
            return self._one_by_one(group, error)
        except Exception as error:  # noqa: BLE001 - a defect of ours: nobody is told "stored", and the thread lives on
            self._rollback()
            _log.exception("a commit failed", extra={"action": "commit_failed"})
            return _release(group, StorageFailed(f"internal error while writing: {type(error).__name__}"))
        self.next_arrival += new
        stage.publish()
        self._pace.took(new)
        self._measure(perf_counter() - started, group, new, stage.duplicates)
        self._expect(group, thread_time() - worked)
        for request in accepted:
            if request.committed is not None:
                request.committed(request.result)
        _tell(group)
        try:
            self._after_commit(self._connection)
        except apsw.Error as error:  # what was committed is durable; whether writing goes on is another matter
            self._broken(error)
        return None

    def _admitted(self, group: Sequence[Request]) -> Sequence[Request]:
        """Those that may be tried. On a full disk the space that was held back is for what makes room."""
        if self.failed:
            _release(group, StorageFailed(self.failed))
            return ()
        if self.full:
            _release([request for request in group if not request.essential], StorageFull())
            return [request for request in group if request.essential]
        return group

    def _not_committed(self, group: Sequence[Request], error: apsw.Error) -> None:
        """Refuse all, but once the disk has become full: then what makes room is tried again in what was held back."""
        was_full = self.full
        meaning = self._broken(error)
        if isinstance(meaning, StorageFull) and not was_full:
            return self._commit(group)
        return _release(group, meaning)

    def _one_by_one(self, group: Sequence[Request], error: Corrupt) -> None:
        """Damage that one request met refuses that one, not those that happened to be committed with it."""
        self._rollback()
        if len(group) == 1:
            return _release(group, error)
        for request in group:
            self._commit([request])
        return None

    def _care(self, request: Request) -> None:
        try:
            request.future.set_result(request.run(self._connection, self._new_stage()))
        except apsw.BusyError:
            request.future.set_result(None)  # a reader is in the way: care can wait
        except apsw.Error as error:
            meaning = translated(error)
            request.future.set_exception(meaning if isinstance(meaning, Corrupt) else self._broken(error))

    def _run(self, request: Request, stage: Stage) -> bool:
        """Do one request; False when it was refused, and then nothing of it is left."""
        connection, mark = self._connection, stage.mark()
        request.refusal = None
        if request.guarded:
            connection.execute("SAVEPOINT request")
        try:
            request.result = request.run(connection, stage)
        except Exception as error:
            stage.reset(mark)
            if not isinstance(error, StepwellError) and not (request.guarded and _of_request(error)):
                raise  # the transaction cannot go on, and with it the whole group
            self._refuse(request, error)
            return False
        if request.guarded:
            connection.execute("RELEASE request")
        return True

    def _refuse(self, request: Request, error: Exception) -> None:
        if request.guarded:
            self._connection.execute("ROLLBACK TO request")
            self._connection.execute("RELEASE request")
            self._undone()
        if not isinstance(error, StepwellError):
            _log.error("a request could not be written", exc_info=error, extra={"action": "request_failed"})
            error = StorageFailed(f"internal error while writing: {type(error).__name__}")
        request.refusal = error

    def _broken(self, error: apsw.Error) -> StepwellError:
        """The commit did not happen, or nobody knows: say so, and decide whether writing goes on."""
        self._rollback()
        meaning = translated(error)
        if isinstance(meaning, StorageFull):
            self.full = True
            self._space.exhausted()
        else:
            # After a failed fsync the kernel may have dropped the pages: a later fsync would prove nothing.
            self.failed = f"{meaning.message}; restart the server"
            meaning = StorageFailed(self.failed)
        _log.error(meaning.message, extra={"action": "commit_failed"})
        return meaning

    def _rollback(self) -> None:
        self._undone()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as error:
            self.failed = f"a transaction could not be undone: {error}; restart the server"

    def _measure(self, seconds: float, group: Sequence[Request], new: int, duplicates: int) -> None:
        place = 0
        while place < len(BUCKETS) and seconds > BUCKETS[place]:
            place += 1
        self.commit_counts[place] += 1
        self.commit_seconds += seconds
        self.counters["commits"] += 1
        self.counters["requests"] += len(group)
        self.counters["points"] += new
        self.counters["duplicates"] += duplicates


def _of_request(error: Exception) -> bool:
    """Whether an error that is not the domain's lies in what was asked, and the transaction can go on without it."""
    return isinstance(error, _REQUEST_ERRORS) or not isinstance(error, apsw.Error)


def _tell(group: Sequence[Request]) -> None:
    """Refusals too only after the commit: what they rest on may be another request of the group, durable by then."""
    for request in group:
        if request.refusal is None:
            request.future.set_result(request.result)
        else:
            request.future.set_exception(request.refusal)


def _release(group: Sequence[Request], error: StepwellError) -> None:
    for request in group:
        if not request.future.done():
            request.future.set_exception(error)

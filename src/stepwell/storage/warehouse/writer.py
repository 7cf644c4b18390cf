"""Changes of this process, in the order in which they were asked for, many in one transaction. What they are is theirs.

Other processes change the same rows: what a change has looked at it has locked (`database.LOCKED`). Two that make the
same thing meet at a unique index; the later one is done again, and then sees the other.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic, perf_counter
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from psycopg import errors

from stepwell.core.errors import Busy, StepwellError, StorageFailed
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.pacing import Pace
from stepwell.storage.warehouse.database import Connection, Database, told
from stepwell.storage.warehouse.journal import SQL

GROUP: Final = 256  # requests in one transaction
QUEUE: Final = 4096  # requests that wait
GATHERING: Final = 0.01  # seconds for which a transaction waits for more requests at most
_HALF: Final = re.compile("[\ud800-\udfff]")  # of a surrogate pair, which is no text
COUNTED: Final = 5.0  # seconds after which is counted again what other processes may have written to
ATTEMPTS: Final = 5  # at a change that others were in the way of
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds of a commit
T = TypeVar("T")
RunName: TypeAlias = tuple[str, str]  # workspace, run id


class Joining(Protocol):
    """Does changes of one kind, many of them as if they were one."""

    def join(self, connection: Connection, changes: Sequence[Any]) -> Sequence[StepwellError | None]:
        """Do all, in their order; what each of them is refused for, which then changes nothing. Raises anything where
        it cannot be said whose fault it is: then each of them is done alone."""
        ...

    def rolled_back(self) -> None:
        """What was joined last is not stored."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A change on its way, and who waits for it: `run` does it, or whoever joins does with `change`."""

    run: Callable[[Connection], Any] | None = None
    change: Any = None
    runs: Sequence[RunName] = ()
    future: Future[Any] = field(default_factory=Future)


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What is to be told once the transaction is committed."""

    request: Request
    value: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.error is not None:
            self.request.future.set_exception(self.error)
        else:
            self.request.future.set_result(self.value)


class Writer:
    """One thread and one connection that change the database. Any number of threads may submit."""

    def __init__(self, database: Database, *, quotas: Quotas, joining: Joining, pace: Pace) -> None:
        """`quotas` are told what was rolled back, and to count anew what others wrote. `joining` does what is to be
        joined. `pace` says how long the next transaction is put off."""
        self._joining = joining
        self._quotas = quotas
        self._pace = pace
        self._counted = monotonic()
        self.counters = {"commits": 0, "commit_requests": 0}
        self.commit_counts = [0] * (len(BUCKETS) + 1)
        self.commit_seconds = 0.0
        self._database = database
        self._queue: deque[Request] = deque()
        self._wake = threading.Condition(threading.Lock())
        self._closed = False
        self._siblings = 0  # requests of the last group, and those that came while it was under way
        self._lasted = 0.0  # seconds that it took
        self._awaited = 0  # requests that the thread waits for to be queued; 0: it does not
        self._thread = threading.Thread(target=self._work, name="stepwell-writer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def submit(self, run: Callable[[Connection], T], *, runs: Sequence[RunName] = ()) -> Future[T]:
        """Do a change in a transaction of the writing thread; the Future tells its value once it is durable. `runs`:
        those that it will write to, as far as they are known."""
        return self._queued(Request(run=run, runs=runs))

    def join(self, change: Any, *, runs: Sequence[RunName]) -> Future[None]:
        """Do a change together with others of its kind."""
        return self._queued(Request(change=change, runs=runs))

    def _queued(self, request: Request) -> Future[Any]:
        with self._wake:
            if self._closed:
                raise StorageFailed("the store is closed")
            if len(self._queue) == QUEUE:
                raise Busy("too many changes wait to be written; nothing was stored")
            self._queue.append(request)
            if len(self._queue) in (1, self._awaited):  # else the thread knows, or waits for more
                self._wake.notify()
        return request.future

    def close(self) -> None:
        """Do what waits, and end. Idempotent."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _work(self) -> None:
        while group := self._group():
            self._do(group)

    def _group(self) -> list[Request]:
        """What is to be done next, in the order in which it was asked for; nothing at the end."""
        with self._wake:
            while not (self._queue or self._closed):
                self._wake.wait()
            while (left := self._pace.left()) and not self._closed:
                self._wake.wait(left)
            self._gather()
            return [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]

    def _gather(self) -> None:
        """Until as many requests are queued as clients sent lately, but no longer than a transaction takes. Clients
        that wait for their answers come back together, and a transaction of many costs little more than one of few;
        who writes alone has no siblings, and nothing to wait for.
        """
        siblings, self._siblings = min(self._siblings, GROUP), 0  # they are waited for once
        if len(self._queue) < siblings and not self._closed:
            self._awaited = siblings
            self._wake.wait(min(self._lasted, GATHERING))
            self._awaited = 0

    def _do(self, group: Sequence[Request]) -> None:
        begun = perf_counter()
        if monotonic() - self._counted > COUNTED:
            self._counted = monotonic()
            self._quotas.forget()
        outcomes = self._outcomes(group)
        self._siblings = len(group) + len(self._queue)  # before any of them is told, and comes back
        for outcome in outcomes:
            outcome.tell()
        self._lasted = perf_counter() - begun
        self._count(len(group), self._lasted)

    def _count(self, requests: int, seconds: float) -> None:
        self.counters["commits"] += 1
        self.counters["commit_requests"] += requests
        self.commit_seconds += seconds
        self.commit_counts[sum(seconds > bound for bound in BUCKETS)] += 1

    def _outcomes(self, group: Sequence[Request]) -> list[_Outcome]:
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(group)
            except _InTheWay:
                if len(group) > 1:
                    return self._alone(group)
                if attempt == ATTEMPTS - 1:
                    break
            except StepwellError as error:  # of the server, and so of all
                return [_Outcome(request=request, error=error) for request in group]
            except BaseException as error:  # noqa: BLE001  whoever waits must be told, whatever it was
                if len(group) > 1 and isinstance(error, Exception):  # the fault of one
                    return self._alone(group)
                return [_Outcome(request=request, error=error) for request in group]
        busy = Busy("others changed the same again and again; nothing was stored")
        return [_Outcome(request=request, error=busy) for request in group]

    def _alone(self, group: Sequence[Request]) -> list[_Outcome]:
        """Each request in a transaction of its own."""
        return [outcome for request in group for outcome in self._outcomes([request])]

    def _attempt(self, group: Sequence[Request]) -> list[_Outcome]:
        try:
            with self._database.changing() as connection:
                parts = [(joint, list(part)) for joint, part in groupby(group, lambda request: request.run is None)]
                if len(parts) > 1 or not parts[0][0]:  # who joins locks what it needs by itself
                    _lock(connection, {name for request in group for name in request.runs})
                return [
                    outcome
                    for joint, part in parts
                    for outcome in (
                        self._join(connection, part, alone=len(group) == 1) if joint else _each(connection, part)
                    )
                ]
        except BaseException:
            self._joining.rolled_back()
            raise
        finally:
            self._quotas.settled()

    def _join(self, connection: Connection, requests: Sequence[Request], *, alone: bool) -> list[_Outcome]:
        try:
            errors = _careful(lambda conn: self._joining.join(conn, [each.change for each in requests]), connection)
        except (_InTheWay, Busy, StorageFailed):
            raise
        except Exception as error:
            if alone:
                raise
            raise _InTheWay from error
        return [_Outcome(request=each, error=error) for each, error in zip(requests, errors, strict=True)]


class _InTheWay(Exception):
    """Something came between, another process as a rule: all of the transaction is to be done again."""


def _lock(connection: Connection, names: Collection[RunName]) -> None:
    """Lock runs in the order of their keys, so that of two processes with the same runs none waits for the other while
    that waits for it."""
    if len(names) > 1:
        sound = [name for name in names if not any(map(_HALF.search, name))]  # the others are told later
        _careful(lambda locking: SQL.all(locking, "lock_runs", (json.dumps(sound),)), connection)


def _each(connection: Connection, requests: Sequence[Request]) -> list[_Outcome]:
    return [_run(connection, request, request.run) for request in requests if request.run is not None]


def _run(connection: Connection, request: Request, run: Callable[[Connection], Any]) -> _Outcome:
    """Run one request so that, refused, it leaves nothing."""
    connection.execute("SAVEPOINT request")
    try:
        value = _careful(run, connection)
    except _InTheWay:
        raise
    except StepwellError as error:
        if isinstance(error, Busy | StorageFailed):
            raise
        connection.execute("ROLLBACK TO SAVEPOINT request")
        return _Outcome(request=request, error=error)
    connection.execute("RELEASE SAVEPOINT request")
    return _Outcome(request=request, value=value)


def _careful(run: Callable[[Connection], T], connection: Connection) -> T:
    try:
        with told():
            return run(connection)
    except StepwellError as error:
        cause = error.__cause__
        if isinstance(cause, errors.UniqueViolation | errors.DeadlockDetected | errors.SerializationFailure):
            raise _InTheWay from cause
        raise

"""Where blocking work runs: bounded pools, and the bridge that brings results back to the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from stepwell.core import tracing, turns
from stepwell.core.errors import Busy

T = TypeVar("T")
P = ParamSpec("P")


class Bridge:
    """Awaits futures that other threads resolve. A batch resolved at once wakes the loop once, not once for each."""

    def __init__(self) -> None:
        self._done: deque[asyncio.Future[None]] = deque()
        self._woken = False

    async def wait(self, future: Future[T]) -> T:
        """The future's result. Cancelling the wait leaves the future alone."""
        if not future.done():
            loop = asyncio.get_running_loop()
            waiter = loop.create_future()

            def resolved(_: Future[T]) -> None:
                # Append before looking at the flag, and drain clears the flag before it pops: nothing is left behind.
                self._done.append(waiter)
                if not self._woken:
                    self._woken = True
                    loop.call_soon_threadsafe(self._drain)

            future.add_done_callback(resolved)
            await waiter
        return future.result()

    def _drain(self) -> None:
        self._woken = False
        while self._done:
            waiter = self._done.popleft()
            if not waiter.done():  # else nobody waits any more
                waiter.set_result(None)


class Pool:
    """Threads for one kind of work; more than `waiting` unfinished pieces of work are refused with Busy."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"stepwell-{name}")
        self.name = name
        self.threads = threads
        self._limit = threads + waiting
        self.unfinished = 0

    def submit(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Called on the event loop only. What runs acts for whom the task does that called."""
        if self.unfinished >= self._limit:
            raise Busy(f"{self.unfinished} requests wait for a {self.name}; nothing was stored. Try again.")
        self.unfinished += 1
        return self._executor.submit(partial(copy_context().run, fn, *args, **kwargs))

    def close(self) -> None:
        """Wait for what runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _nothing() -> None:
    pass


class Work:
    """The pools of one server. Readers and writers are apart, so that long reads never delay an acknowledgement. A step
    of a read begins with `give_way`, since all threads share Python's lock.
    """

    def __init__(
        self, *, readers: int = 8, writers: int = 8, waiting: int = 1024, give_way: Callable[[], None] = _nothing
    ) -> None:
        self._give_way = give_way
        self.readers = Pool("reader", threads=readers, waiting=waiting)
        self.writers = Pool("writer", threads=writers, waiting=waiting)
        self.doorkeepers = Pool("doorkeeper", threads=1, waiting=waiting)  # credentials, apart from long reads too
        self._bridge = Bridge()

    def read(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Run `fn`, a step of a read, in the reader pool."""
        return self._in(self.readers, self._patiently, fn, *args, **kwargs)

    def write(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Run `fn` in the writer pool."""
        return self._in(self.writers, fn, *args, **kwargs)

    def identify(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Run `fn`, a look-up of a credential."""
        return self._in(self.doorkeepers, fn, *args, **kwargs)

    def durable(self, future: Future[T]) -> Coroutine[Any, Any, T]:
        """The result of a future of the store."""
        return self._bridge.wait(future)

    def _patiently(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._give_way()
        with turns.often:
            return fn(*args, **kwargs)

    async def _in(self, pool: Pool, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        span = tracing.part(pool.name)
        if span is not None:
            with tracing.within(span):
                return await self._done(pool, pool.submit(fn, *args, **kwargs))
        return await self._done(pool, pool.submit(fn, *args, **kwargs))

    async def _done(self, pool: Pool, future: Future[T]) -> T:
        try:
            return await self._bridge.wait(future)
        finally:
            pool.unfinished -= 1

    def close(self) -> None:
        """Wait for what runs in all pools."""
        for pool in (self.readers, self.writers, self.doorkeepers):
            pool.close()

"""Which span the running task is in, so that what it leads to can be told as part of it. Nothing without a tracer.

A span is what somebody does and how long it takes. What becomes of it is not known here: web/otel.py hands it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")


class Span(Protocol):
    """Something that has begun. Any thread may call it."""

    def child(self, name: str) -> Span:
        """A part of it, which begins now."""
        ...

    def end(self, error: BaseException | None = None) -> None:
        """It is over; `error`: what it failed with."""
        ...


_CURRENT: Final[ContextVar[Span | None]] = ContextVar("stepwell_span", default=None)


@contextmanager
def within(span: Span) -> Iterator[None]:
    """What runs in the block, in threads too that take its context over, is part of the span, which ends with it."""
    token = _CURRENT.set(span)
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        _CURRENT.reset(token)
        span.end(error)


def part(name: str) -> Span | None:
    """A part of the current span, which begins now; None: there is no span."""
    current = _CURRENT.get()
    return None if current is None else current.child(name)


def followed(name: str, future: Future[T]) -> Future[T]:
    """The future, as a part of the current span that ends when it resolves."""
    span = part(name)
    if span is not None:

        def resolved(done: Future[Any]) -> None:
            span.end(done.exception())

        future.add_done_callback(resolved)
    return future

"""On whose behalf something is done. Set where a request or a command begins, read where a change is written down.

It is carried by the context of the running task, not by every signature in between: nothing that is done depends on it,
only what the audit log says of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. `via`: the name of a dialect, or one of the two below. The rest is empty where there is none: a server
    that wants no credentials knows of none."""

    via: str
    credential_id: str = ""
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who does something, and when (microseconds UTC)."""

    actor: Actor
    at: int


SERVER: Final = Actor(via="server")  # by itself: what it was set to do
COMMAND: Final = Actor(via="command")  # whoever may open the data directory


def _server() -> Actor:
    return SERVER


_NOTHING_KNOWN: Final = Deed(actor=SERVER, at=0)
_ACTING: Final[ContextVar[Callable[[], Actor]]] = ContextVar("stepwell_acting", default=_server)
_DEED: Final[ContextVar[Deed]] = ContextVar("stepwell_deed", default=_NOTHING_KNOWN)


def begin(who: Callable[[], Actor]) -> None:
    """From now on, in this task, `who()` acts. It is asked when something is written down, which is seldom."""
    _ACTING.set(who)


def carried(run: Callable[P, T], *, at: int) -> Callable[P, T]:
    """`run` for another thread: what it does is done by whoever acts now, at this time."""
    done = Deed(actor=_ACTING.get()(), at=at)

    def on_behalf(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _DEED.set(done)
        try:
            return run(*args, **kwargs)
        finally:
            _DEED.reset(token)

    return on_behalf


def deed() -> Deed:
    """What is being done, inside of what `carried` made."""
    return _DEED.get()

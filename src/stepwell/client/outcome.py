"""How a process ends, as the status of the runs that it leaves open."""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

_STOPPED: Final = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # as shells name them, and handlers of these signals


class Exits:
    """Remembers the code that sys.exit, exit or quit were given in the main thread: the interpreter tells nobody."""

    def __init__(self) -> None:
        self.code: object = None
        self._heard = False

    def hear(self) -> None:
        """From now on, for a run that begins. A code of before was not the end."""
        self.code = None
        if self._heard:
            return
        self._heard = True
        for place, name in ((sys, "exit"), (builtins, "exit"), (builtins, "quit")):
            if hasattr(place, name):  # the latter two are there for people
                setattr(place, name, _Heard(self, getattr(place, name)))


class _Heard:
    """A function that ends the process, and what it is called with."""

    def __init__(self, exits: Exits, end: Callable[..., Any]) -> None:
        self._exits = exits
        self._end = end

    def __call__(self, *given: Any, **named: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            self._exits.code = given[0] if given else named.get("code")
        return self._end(*given, **named)

    def __repr__(self) -> str:
        return repr(self._end)


def of_process(code: object) -> tuple[str, str | None]:
    """The status that this process ends with, and why. code: what it was told to end with."""
    error = sys.exc_info()[1]  # in a worker of multiprocessing
    if error is None and not hasattr(sys, "ps1"):  # at a prompt nothing ends with an error
        error = getattr(sys, "last_value", None) or SystemExit(code)
    return of_error(error)


def of_error(error: BaseException | None) -> tuple[str, str | None]:
    """The status that a training ends with, and why."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "FINISHED", None
    stopped = error.code in _STOPPED if isinstance(error, SystemExit) else isinstance(error, KeyboardInterrupt)
    return ("KILLED" if stopped else "FAILED"), _words(error)


def _words(error: BaseException) -> str:
    """What it says, in characters that the server takes."""
    try:
        words = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  a class of the training's own may fail to say it
        words = type(error).__name__
    return words[:1000].encode(errors="replace").decode().replace("\0", "?")

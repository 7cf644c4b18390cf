"""Work that is done again and again while the server runs, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from stepwell.core.errors import StepwellError

_log: Final = logging.getLogger("stepwell.rounds")


class Rounds:
    """Calls `work` every `seconds` from the start of the `with` block to its end, never twice at once. Where it answers
    an iterator, that is its steps: the end is looked for between them.

    An error is logged, and the next round tries again.
    """

    def __init__(self, name: str, work: Callable[[], object], *, seconds: float) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stepwell-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                steps = self._work()
                if isinstance(steps, Iterator):
                    any(self._ended.is_set() for _ in steps)
            except StepwellError as error:
                _log.warning("%s: %s", self._name, error.message, extra={"action": "round_failed", "round": self._name})
            except Exception:  # noqa: BLE001 - a defect of ours ends one round, not all that would come after it
                _log.exception("%s", self._name, extra={"action": "round_failed", "round": self._name})

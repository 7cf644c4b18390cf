"""How far something is: a line that is rewritten on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import Final, TextIO

_WIDTH: Final = 30
_OFTEN: Final = 0.1  # seconds, on a terminal
_RARELY: Final = 5.0


class Progress:
    """Of bytes, or of `units`. Where it cannot be written any more, nothing is shown, and the work goes on."""

    def __init__(self, out: TextIO, units: str = "") -> None:
        self._out = out
        self._units = units
        self._live = out.isatty()
        self._shown = float("-inf")
        self._open = False
        self._far = (0, 0)

    def note(self, what: str) -> None:
        """As `show`, as far as it was."""
        self.show(*self._far, what)

    def show(self, done: int, total: int, what: str) -> None:
        """`what` is being worked on."""
        self._far = (done, total)
        now = time.monotonic()
        if done < total and now - self._shown < (_OFTEN if self._live else _RARELY):
            return
        self._shown = now
        part = done / total if total else 1.0
        told = f"{part:4.0%} of {f'{total} {self._units}' if self._units else _size(total)}  {what}"
        if not self._live:
            self._write(told + "\n")
        else:
            bar = "█" * round(part * _WIDTH)
            line = f"{bar:░<{_WIDTH}} {told}"[: shutil.get_terminal_size().columns - 1]
            self._write(f"\r\x1b[K{line}")
            self._open = True

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            self._write("\n")
            self._open = False

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:  # full, or nobody reads it
            self._shown = float("inf")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"

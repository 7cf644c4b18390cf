"""What a command prints on: standard output may be closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Final

_INTERRUPTED: Final = 130  # as a shell has it: 128 and the number of SIGINT


def printed(run: Callable[[], int]) -> int:
    """Run a command to the last line that it prints; its exit status. Where nobody reads on, it ends silently: with its
    own status, or, where it ends before it has one, with 0. Interrupted, it says nothing, and the status is 130. What
    cannot be written is one line on stderr, and 1."""
    _prepare()
    try:
        status = _run(run)
    except BrokenPipeError:
        stop_printing()
        return 0
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
    except OSError as error:
        stop_printing()
        print(f"stepwell: standard output: {error.strerror or error}", file=sys.stderr)
        return status or 1
    return status


def _run(run: Callable[[], int]) -> int:
    try:
        return run()
    except SystemExit as ended:  # a parser's: help, or wrongly asked
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED


def _prepare() -> None:
    """A stream that is closed swallows all; what the encoding of another lacks is no reason to stop."""
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  for as long as the process runs


def stop_printing() -> None:
    """From now on standard output leads nowhere. Else Python tries once more at its end to write what is left, says so,
    and ends with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

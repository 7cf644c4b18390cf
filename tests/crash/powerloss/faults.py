"""Which step of the disk is to fail, and how: one for the VFS and the file layer, switched by a test at run time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch


class Step(StrEnum):
    """One kind of thing that a disk is asked to do."""

    WRITE = "write"
    RESIZE = "resize"  # truncate and allocate
    SYNC = "sync"
    CREATE = "create"
    RENAME = "rename"
    UNLINK = "unlink"
    MAKE_FOLDER = "make-folder"
    SYNC_FOLDER = "sync-folder"


class Fault(StrEnum):
    """How it fails."""

    NO_SPACE = "no-space"  # ENOSPC, SQLITE_FULL; nothing is written
    IO_ERROR = "io-error"  # EIO, SQLITE_IOERR_*; nothing is written
    SHORT = "short"  # half of the data is written, then ENOSPC


@dataclass(slots=True, kw_only=True)
class _Rule:
    step: Step
    fault: Fault
    name: str
    skip: int
    times: int | None


class Faults:
    """What is to go wrong. A name is the path below the root; patterns are those of the shell, `*` also matches `/`.

    `capacity` is the size of the disk in bytes, None for the real one: a write that would exceed it does so up to the
    last byte that fits, then fails with no space. `hits` are the steps that failed, in order.
    """

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.hits: list[tuple[Step, str]] = []
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def fail(self, step: Step, fault: Fault, *, name: str = "*", skip: int = 0, times: int | None = 1) -> None:
        """Let steps fail: after `skip` of them went well, the next `times`, or all until `heal` (None)."""
        with self._lock:
            self._rules.append(_Rule(step=step, fault=fault, name=name, skip=skip, times=times))

    def fill_up(self) -> None:
        """From now on the disk is full: what needs new space fails until `heal`."""
        for step in (Step.WRITE, Step.CREATE, Step.MAKE_FOLDER, Step.RESIZE):
            self.fail(step, Fault.NO_SPACE, times=None)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()
            self.capacity = None

    def strike(self, step: Step, name: str) -> Fault | None:
        """Called before each step: how it is to fail, or None. Counts it."""
        with self._lock:
            for rule in self._rules:
                if rule.step is not step or not fnmatch(name, rule.name) or rule.times == 0:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                self.hits.append((step, name))
                return rule.fault
        return None

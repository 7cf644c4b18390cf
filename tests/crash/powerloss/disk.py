"""A disk that remembers everything done to it: the steps that both the VFS and the file layer go through."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EIO, ENOSPC
from pathlib import Path

from crash.powerloss.faults import Fault, Faults, Step
from crash.powerloss.journal import Journal, Parts


class Disk:
    """The journal and the faults of one live folder. Real files serve the running program; the journal says how.

    Every method runs the real operation and records it in one piece, or raises OSError as the fault says and records
    what still happened. Syncs are not passed on to the real disk: nothing here outlives the machine.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        self.journal = Journal()
        self.faults = Faults()
        self.journal.adopt(self.root)

    def parts(self, path: str | Path) -> Parts | None:
        """The parts of an absolute path below the root; None for a path elsewhere."""
        absolute = Path(os.path.normpath(path))
        return absolute.relative_to(self.root).parts if absolute.is_relative_to(self.root) else None

    def create(self, parts: Parts, act: Callable[[], None]) -> int:
        """A new file; its node."""
        self._may(Step.CREATE, parts)
        with self.journal.lock:
            act()
            return self.journal.add(parts)

    def make_folder(self, parts: Parts, act: Callable[[], bool]) -> bool:
        """A new folder, unless `act` says that it was there."""
        self._may(Step.MAKE_FOLDER, parts)
        with self.journal.lock:
            made = act()
            if made:
                self.journal.add(parts, folder=True)
            return made

    def write(self, node: int, parts: Parts, offset: int, data: bytes, act: Callable[[bytes], None]) -> None:
        """Bytes at an offset; after a fault or beyond the capacity only the first of them."""
        with self.journal.lock:
            fault = self.faults.strike(Step.WRITE, "/".join(parts))
            room = self._room(node, offset, len(data))
            if fault is Fault.SHORT:
                room = min(room, len(data) // 2)
            if fault in {Fault.NO_SPACE, Fault.IO_ERROR}:
                room = 0
            if room:
                act(data[:room])
                self.journal.write(node, offset, data[:room])
            if fault is not None or room < len(data):
                raise _error(fault or Fault.NO_SPACE, parts)

    def resize(self, node: int, parts: Parts, size: int, act: Callable[[], None]) -> None:
        """Cut or extend."""
        self._may(Step.RESIZE, parts)
        with self.journal.lock:
            grows = max(0, size - self.journal.size(node))
            if self._room(node, self.journal.size(node), grows) < grows:
                raise _error(Fault.NO_SPACE, parts)
            act()
            self.journal.resize(node, size)

    def sync(self, node: int, parts: Parts) -> None:
        """Make the content so far durable."""
        upto = len(self.journal.operations)
        fault = self.faults.strike(Step.SYNC, "/".join(parts))
        with self.journal.lock:
            self.journal.synced(node, upto, ok=fault is None)
        if fault is not None:
            raise _error(fault, parts)

    def sync_folder(self, parts: Parts) -> None:
        """Make the names so far durable."""
        upto = len(self.journal.operations)
        fault = self.faults.strike(Step.SYNC_FOLDER, "/".join(parts))
        with self.journal.lock:
            self.journal.folder_synced(self.journal.node(parts), upto, ok=fault is None)
        if fault is not None:
            raise _error(fault, parts)

    def rename(self, source: Parts, target: Parts, act: Callable[[], None]) -> None:
        """Move a name."""
        self._may(Step.RENAME, target)
        with self.journal.lock:
            act()
            self.journal.rename(source, target)

    def unlink(self, parts: Parts, act: Callable[[], None]) -> None:
        """Remove a name."""
        self._may(Step.UNLINK, parts)
        with self.journal.lock:
            act()
            self.journal.unlink(parts)

    def _may(self, step: Step, parts: Parts) -> None:
        fault = self.faults.strike(step, "/".join(parts))
        if fault is not None:
            raise _error(fault, parts)

    def _room(self, node: int, offset: int, length: int) -> int:
        """How many of `length` bytes at `offset` fit on the disk."""
        if self.faults.capacity is None:
            return length
        free = max(0, self.faults.capacity - self.journal.used())
        return max(0, min(length, self.journal.size(node) + free - offset))


def _error(fault: Fault, parts: Parts) -> OSError:
    number = EIO if fault is Fault.IO_ERROR else ENOSPC
    return OSError(number, os.strerror(number), "/".join(parts))

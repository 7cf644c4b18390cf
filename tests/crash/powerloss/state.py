"""What a disk holds for certain at one point of a journal, and what is still only in the page cache."""

from __future__ import annotations

from dataclasses import dataclass, field

from crash.powerloss.journal import ROOT_NODE, FolderSync, Mark, Names, Operation, Resize, Slot, Sync, Write


class Content:
    """A file's bytes. `size` may exceed `data`: the rest is zeros, so that a large empty file costs nothing."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes | bytearray = b"", size: int = 0) -> None:
        self.data = bytearray(data)
        self.size = max(size, len(data))

    def copy(self) -> Content:
        return Content(self.data, self.size)

    def apply(self, change: Write | Resize) -> None:
        """Do one write or resize."""
        if isinstance(change, Resize):
            del self.data[change.size :]
            self.size = change.size
            return
        gap = change.offset - len(self.data)
        if gap > 0:
            self.data += bytes(gap)
        self.data[change.offset : change.offset + len(change.data)] = change.data
        self.size = max(self.size, len(self.data))


@dataclass(slots=True)
class Pending:
    """A write or resize that no sync has covered. `doomed`: a sync of it failed, so no later one can cover it."""

    index: int
    change: Write | Resize
    doomed: bool = False


@dataclass(slots=True)
class PendingNames:
    """A change of names that still waits for the sync of these folders."""

    index: int
    change: Names
    waits: set[int]
    doomed: bool = False


class NameTable:
    """Which node each slot leads to. A change never overrides a later one, whichever became durable first."""

    def __init__(self) -> None:
        self.nodes: dict[Slot, int | None] = {}
        self._index: dict[Slot, int] = {}

    def copy(self) -> NameTable:
        table = NameTable()
        table.nodes, table._index = dict(self.nodes), dict(self._index)
        return table

    def apply(self, index: int, change: Names) -> None:
        """Do one change of names."""
        for slot, node in change.slots:
            if self._index.get(slot, -1) < index:
                self._index[slot], self.nodes[slot] = index, node


@dataclass(slots=True)
class DiskState:
    """The state after the first `at` operations. After a failed sync the pages count as clean and are never written
    again: what it should have covered may or may not be on disk until the next sync, and is gone with that one.
    """

    at: int = 0
    durable: dict[int, Content] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)  # rises when durable content changes
    pending: dict[int, list[Pending]] = field(default_factory=dict)
    names: NameTable = field(default_factory=NameTable)
    names_version: int = 0
    pending_names: list[PendingNames] = field(default_factory=list)
    folders: set[int] = field(default_factory=lambda: {ROOT_NODE})
    marks: list[object] = field(default_factory=list)

    def advance(self, operation: Operation) -> None:
        """Go over one more operation."""
        match operation:
            case Write() | Resize():
                self.pending.setdefault(operation.node, []).append(Pending(self.at, operation))
            case Sync():
                self._sync(operation)
            case Names():
                self._rename(operation)
            case FolderSync():
                self._sync_folder(operation)
            case Mark():
                self.marks.append(operation.value)
        self.at += 1

    def _rename(self, change: Names) -> None:
        if change.makes_folder:
            self.folders.update(node for _, node in change.slots if node is not None)
        self.pending_names.append(PendingNames(self.at, change, set(change.folders)))

    def _sync(self, sync: Sync) -> None:
        waiting = self.pending.pop(sync.node, [])
        covered = [pending for pending in waiting if pending.index < sync.upto]
        self.pending[sync.node] = waiting if not sync.ok else waiting[len(covered) :]
        if not sync.ok:
            for pending in covered:
                pending.doomed = True
            return
        content = self.durable.setdefault(sync.node, Content())
        for pending in covered:
            if not pending.doomed:
                content.apply(pending.change)
        self.versions[sync.node] = self.versions.get(sync.node, 0) + bool(covered)

    def _sync_folder(self, sync: FolderSync) -> None:
        left = []
        for pending in self.pending_names:
            if pending.index < sync.upto and sync.folder in pending.waits:
                if sync.ok:
                    pending.waits.discard(sync.folder)
                else:
                    pending.doomed = True
            if pending.waits:
                left.append(pending)
            elif not pending.doomed:
                self.names.apply(pending.index, pending.change)
        self.names_version += len(self.pending_names) - len(left)
        self.pending_names = left

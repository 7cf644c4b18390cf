"""What happened to a disk, in order: writes, resizes, changes of names, syncs, and the marks a test puts between them.

Nothing here judges what survives a power loss; that is `state.py`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ROOT_NODE = 0
Parts: TypeAlias = tuple[str, ...]  # a path below the root, () for the root itself
Slot: TypeAlias = tuple[int, str]  # a name in a folder: (the folder's node, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Bytes put at an offset of a file."""

    node: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """A file cut to `size`, or extended to it with zeros."""

    node: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A file's sync that ended here and covers the operations before `upto`, where it began. Not `ok`: it failed."""

    node: int
    upto: int
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """One atomic change of names: each slot now leads to that node, or to nothing (None).

    It is durable once every one of `folders` was synced, and can be on disk only if operation `after` is.
    """

    slots: tuple[tuple[Slot, int | None], ...]
    folders: frozenset[int]
    after: int | None = None
    makes_folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSync:
    """A folder's sync that ended here and covers the changes of its names before `upto`."""

    folder: int
    upto: int
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that the program under test promised here, such as the acknowledgement of a write."""

    value: object


Operation: TypeAlias = Write | Resize | Sync | Names | FolderSync | Mark


class Journal:
    """The operations since a disk was mounted, and the names and sizes as the running program sees them.

    Hold `lock` around the real operation and its record, so that both have the same order; it may be taken again. A
    file keeps its node number when it is renamed; a new file of the same name has another.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.operations: list[Operation] = []
        self.first = 0  # the first boundary worth a crash: what came before was adopted as durable
        self._live: dict[Slot, int] = {}
        self._sizes: dict[int, int] = {}
        self._titles: dict[int, str] = {ROOT_NODE: "/"}

    def adopt(self, root: Path) -> None:
        """Take what is in the folder `root` as durable, but for links and the shared-memory files of SQLite."""
        with self.lock:
            for path in sorted(root.rglob("*")):
                parts = path.relative_to(root).parts
                if path.is_symlink():
                    continue
                if path.is_dir():
                    self.add(parts, folder=True)
                elif path.is_file() and not path.name.endswith("-shm"):
                    self._adopt_file(parts, path.read_bytes())
            for folder in list(self._titles):
                if folder not in self._sizes:
                    self.folder_synced(folder, len(self.operations), ok=True)
            self.first = len(self.operations)

    def find(self, parts: Parts) -> int | None:
        """The node that a path leads to now."""
        node: int | None = ROOT_NODE
        for part in parts:
            node = None if node is None else self._live.get((node, part))
        return node

    def node(self, parts: Parts) -> int:
        """As `find`, for a path that is known to exist."""
        found = self.find(parts)
        if found is None:
            raise FileNotFoundError("/".join(parts))
        return found

    def size(self, node: int) -> int:
        """The size of a file as the running program sees it."""
        return self._sizes[node]

    def used(self) -> int:
        """Bytes of all files that still have a name."""
        return sum(self._sizes.get(node, 0) for node in self._live.values())

    def add(self, parts: Parts, *, folder: bool = False) -> int:
        """A new file or folder; its node."""
        parent, node = self.node(parts[:-1]), len(self._titles)
        self._titles[node] = "/".join(parts)
        if not folder:
            self._sizes[node] = 0
        slot = (parent, parts[-1])
        self._rebind(Names(slots=((slot, node),), folders=frozenset({parent}), makes_folder=folder))
        return node

    def write(self, node: int, offset: int, data: bytes) -> None:
        """Bytes reached the page cache."""
        self._sizes[node] = max(self._sizes[node], offset + len(data))
        self.operations.append(Write(node=node, offset=offset, data=data))

    def resize(self, node: int, size: int) -> None:
        """A file was cut or extended."""
        self._sizes[node] = size
        self.operations.append(Resize(node=node, size=size))

    def rename(self, source: Parts, target: Parts) -> None:
        """A name moved. Between two folders the new name and the loss of the old one are two steps on disk."""
        node, old = self.node(source), (self.node(source[:-1]), source[-1])
        new = (self.node(target[:-1]), target[-1])
        folders = frozenset({old[0], new[0]})
        if len(folders) == 1:
            self._rebind(Names(slots=((old, None), (new, node)), folders=folders))
            return
        self._rebind(Names(slots=((new, node),), folders=frozenset({new[0]})))
        self._rebind(Names(slots=((old, None),), folders=folders, after=len(self.operations) - 1))

    def unlink(self, parts: Parts) -> None:
        """A name was removed."""
        slot = (self.node(parts[:-1]), parts[-1])
        self._rebind(Names(slots=((slot, None),), folders=frozenset({slot[0]})))

    def synced(self, node: int, upto: int, *, ok: bool) -> None:
        """A sync that began when there were `upto` operations is over."""
        self.operations.append(Sync(node=node, upto=upto, ok=ok))

    def folder_synced(self, folder: int, upto: int, *, ok: bool) -> None:
        """A folder's sync that began when there were `upto` operations is over."""
        self.operations.append(FolderSync(folder=folder, upto=upto, ok=ok))

    def mark(self, value: object) -> None:
        """Note what the program promised at this point."""
        with self.lock:
            self.operations.append(Mark(value=value))

    def describe(self, at: int) -> str:
        """The operation before boundary `at`, for people."""
        if at <= 0:
            return "the beginning"
        match self.operations[at - 1]:
            case Write(node=node, offset=offset, data=data):
                return f"write of {len(data)} bytes at {offset} of {self._titles[node]}"
            case Resize(node=node, size=size):
                return f"resize of {self._titles[node]} to {size}"
            case Sync(node=node, ok=ok):
                return f"{'sync' if ok else 'failed sync'} of {self._titles[node]}"
            case FolderSync(folder=folder, ok=ok):
                return f"{'sync' if ok else 'failed sync'} of folder {self._titles[folder]}"
            case Names(slots=slots):
                return "names: " + ", ".join(f"{name} {'gone' if node is None else 'set'}" for (_, name), node in slots)
            case Mark(value=value):
                return f"mark {value!r}"

    def _adopt_file(self, parts: Parts, data: bytes) -> None:
        node = self.add(parts)
        self.write(node, 0, data)
        self.synced(node, len(self.operations), ok=True)

    def _rebind(self, change: Names) -> None:
        for slot, node in change.slots:
            if node is None:
                self._live.pop(slot, None)
            else:
                self._live[slot] = node
        self.operations.append(change)

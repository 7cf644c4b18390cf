"""The engine's file layer over a recording disk: real files below the live folder, every step in the disk's journal."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from crash.powerloss.disk import Disk
from crash.powerloss.journal import Parts
from stepwell.storage.files import Entry, RealFiles, RealWriting, parts_of


class RecordingFiles:
    """`stepwell.storage.files.Files`, with the journal and the faults of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._real = RealFiles(disk.root)

    @property
    def root(self) -> Path:
        return self._disk.root

    def create(self, name: str) -> RecordingWriting:
        created: list[RealWriting] = []
        parts = parts_of(name)
        node = self._disk.create(parts, lambda: created.append(self._real.create(name)))
        return RecordingWriting(self._disk, node, parts, created[0])

    def open(self, name: str) -> BinaryIO:
        return self._real.open(name)

    def rename(self, source: str, target: str) -> None:
        self._disk.rename(parts_of(source), parts_of(target), lambda: self._real.rename(source, target))

    def unlink(self, name: str) -> None:
        self._disk.unlink(parts_of(name), lambda: self._real.unlink(name))

    def make_folder(self, name: str) -> bool:
        return self._disk.make_folder(parts_of(name), lambda: self._real.make_folder(name))

    def sync_folder(self, name: str) -> None:
        self._disk.sync_folder(parts_of(name))

    def entries(self, name: str) -> tuple[Entry, ...]:
        return self._real.entries(name)

    def entry(self, name: str) -> Entry:
        return self._real.entry(name)

    def free_space(self) -> int:
        capacity = self._disk.faults.capacity
        return self._real.free_space() if capacity is None else max(0, capacity - self._disk.journal.used())


class RecordingWriting:
    """A new file whose writes are recorded."""

    def __init__(self, disk: Disk, node: int, parts: Parts, real: RealWriting) -> None:
        self._disk, self._node, self._parts, self._real = disk, node, parts, real
        self._offset = 0

    def write(self, data: bytes | memoryview) -> None:
        content = bytes(data)
        self._disk.write(self._node, self._parts, self._offset, content, self._real.write)
        self._offset += len(content)

    def allocate(self, size: int) -> None:
        self._disk.resize(self._node, self._parts, size, lambda: self._real.allocate(size))

    def sync(self) -> None:
        self._disk.sync(self._node, self._parts)

    def close(self) -> None:
        self._real.close()

"""The reserve file: disk space held back so that, once the disk is full, purge and flush can still run."""

from __future__ import annotations

from contextlib import suppress

from stepwell.core.errors import StorageFull
from stepwell.storage.files import Files, Kind
from stepwell.storage.publishing import folder_of, mapped, syncing

RESERVE_BYTES = 64 * 2**20


class Reserve:
    """One file of really allocated blocks. Its name is all that a restart needs: the size says whether it is whole.

    Not shared between threads; the writer owns it.
    """

    def __init__(self, files: Files, *, name: str = "reserve", size: int = RESERVE_BYTES) -> None:
        self._files = files
        self._name = name
        self._size = size

    @property
    def held(self) -> bool:
        """Whether the whole reserve is there."""
        with mapped(self._name):
            try:
                entry = self._files.entry(self._name)
            except FileNotFoundError:
                return False
        return entry.kind is Kind.FILE and entry.size >= self._size

    def fill(self) -> bool:
        """Take the reserve from the free space unless held; False when there is no room for it (nothing is kept)."""
        if self.held:
            return True
        self.release()
        try:
            with mapped(self._name):
                self._allocate()
        except StorageFull:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the space back; no error when nothing was held."""
        with mapped(self._name), suppress(FileNotFoundError):
            self._files.unlink(self._name)
            # Blocks may stay taken until the removal of the name is on disk.
            with syncing(self._name):
                self._files.sync_folder(folder_of(self._name))

    def _allocate(self) -> None:
        writing = self._files.create(self._name)
        try:
            writing.allocate(self._size)
            with syncing(self._name):
                writing.sync()
        finally:
            writing.close()
        with syncing(self._name):
            self._files.sync_folder(folder_of(self._name))

"""The one object that a test holds: a live folder whose database and files are recorded, with marks and faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from crash.powerloss.disk import Disk
from crash.powerloss.faults import Faults
from crash.powerloss.images import Choice, CrashImage, image
from crash.powerloss.journal import Journal
from crash.powerloss.recording import RecordingFiles
from crash.powerloss.replay import Check, Report, replay
from crash.powerloss.vfs import RECORDING


class PowerLossDisk:
    """A recorded disk on the existing folder `root`; what is in it already counts as durable.

    Databases below `root` are recorded by whatever way they are opened; hand `disk.files` to whoever stores files.
    Close the connections before the disk.
    """

    def __init__(self, root: Path) -> None:
        self._disk = Disk(root)
        self.files = RecordingFiles(self._disk)
        RECORDING.add(self._disk)

    @property
    def root(self) -> Path:
        """The live folder, links resolved."""
        return self._disk.root

    @property
    def journal(self) -> Journal:
        """What happened so far."""
        return self._disk.journal

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self._disk.faults

    def mark(self, value: object) -> None:
        """Note a promise, for instance an acknowledged write: images from here on carry it in `marks`."""
        self._disk.journal.mark(value)

    def replay(self, check: Check, **options: Any) -> Report:
        """`replay.replay` over everything so far, with its options."""
        return replay(self._disk.journal, check, **options)

    def image(self, choice: Choice, into: Path) -> CrashImage:
        """The disk that a failure named, built in the new folder `into`."""
        return image(self._disk.journal, choice, into)

    def close(self) -> None:
        """Record no more."""
        RECORDING.remove(self._disk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

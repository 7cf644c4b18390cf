"""Engines. Which one serves a place is decided here; nobody else knows that there are several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stepwell.core.clock import Clock
from stepwell.core.model import Copied, Damage
from stepwell.core.store import Store


def open_store(directory: Path, *, clock: Clock) -> Store:
    """Open the store in `directory`, making it when there is none.

    Conflict: another process has it open. Invalid: the directory holds something else, or is of a newer version.
    OSError: it cannot be made or written. StorageFailed, Corrupt.
    """
    from stepwell.storage.embedded import EmbeddedStore  # noqa: PLC0415  engines are loaded when asked for

    return EmbeddedStore(directory, clock=clock)


def restore_store(source: Path, directory: Path) -> Iterator[Copied]:
    """Make the directory of a store out of a copy of one (Maintenance.backup), telling how far it is.

    Invalid: `source` is no copy, or of a newer version. AlreadyExists: `directory` is not empty. Corrupt: the copy is
    damaged; nothing stays in `directory`. StorageFull, StorageFailed.
    """
    from stepwell.storage.embedded import backing, recovery  # noqa: PLC0415  as above

    return backing.restore(source, directory, form=recovery.FORMAT)


def repair_store(directory: Path, *, clock: Clock) -> Iterator[Damage]:
    """Make the store of a directory sound; what was lost, thing by thing. See storage/embedded/repairing.py."""
    from stepwell.storage.embedded import repairing  # noqa: PLC0415  as above

    return repairing.repair(directory, clock=clock)

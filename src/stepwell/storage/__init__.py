"""Engines. Which one serves a place is decided here; nobody else knows that there are several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stepwell.core.clock import Clock
from stepwell.core.model import Copied
from stepwell.core.store import Store


def open_store(place: Path | str, *, clock: Clock) -> Store:
    """Open the store in a directory, making it when there is none, or the warehouse at a URL (`warehouse://...`).

    Conflict: another process has it open. Invalid: the directory holds something else, or is of a newer version; the
    URL is none, or the tables there were not migrated. OSError: it cannot be made or written. Busy: a server does not
    answer. StorageFailed, Corrupt.
    """
    if isinstance(place, str):
        from stepwell.storage.warehouse import Address, WarehouseStore  # noqa: PLC0415  engines are loaded when asked for

        return WarehouseStore(Address.of(place), clock=clock)
    from stepwell.storage.embedded import EmbeddedStore  # noqa: PLC0415  engines are loaded when asked for

    return EmbeddedStore(place, clock=clock)


def migrate_store(url: str) -> list[str]:
    """Bring the tables of the warehouse at a URL up to date; what was done. May run while the store is in use, and at
    several places at once: the others wait. Invalid, Busy, StorageFailed."""
    from stepwell.storage.warehouse import Address, migrate  # noqa: PLC0415  as above

    return migrate(Address.of(url))


def restore_store(source: Path, directory: Path) -> Iterator[Copied]:
    """Make the directory of a store out of a copy of one (Maintenance.backup), telling how far it is.

    Invalid: `source` is no copy, or of a newer version. AlreadyExists: `directory` is not empty. Corrupt: the copy is
    damaged; nothing stays in `directory`. StorageFull, StorageFailed.
    """
    from stepwell.storage.embedded import backing, recovery  # noqa: PLC0415  as above

    return backing.restore(source, directory, form=recovery.FORMAT)

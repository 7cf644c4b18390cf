"""Engines. Which one serves a place is decided here; nobody else knows that there are several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from stepwell.core.clock import Clock, system_clock
from stepwell.core.errors import Conflict, Invalid
from stepwell.core.model import Copied, Damage
from stepwell.core.store import Store

Place: TypeAlias = Path | str  # a directory, or the URL of a warehouse (`warehouse://...`)


def clock_of(place: Place) -> Clock:
    """The clock for the store in a directory, or of the warehouse at a URL: what is told of it is in its time. Give it
    to `open_store` before it is asked. Invalid."""
    if isinstance(place, str):
        found: Clock = _warehouse().SharedClock()
        return found
    return system_clock


def open_store(place: Place, *, clock: Clock, background: bool = True) -> Store:
    """Open the store in a directory, making it when there is none, or the warehouse at a URL.

    Without `background` it tidies up only when asked. Conflict: another process has the directory open. Invalid: the
    directory holds something else, or is of a newer version; the URL is none, or the tables there were not migrated.
    OSError: it cannot be made or written. Busy: a server does not answer. StorageFailed, Corrupt.
    """
    if isinstance(place, str):
        engine = _warehouse()
        opened: Store = engine.WarehouseStore(engine.Address.of(place), clock=clock, background=background)
        return opened
    from stepwell.storage.embedded import EmbeddedStore  # noqa: PLC0415  engines are loaded when asked for

    return EmbeddedStore(place, clock=clock, background=background)


def folder_of(place: Place) -> Path | None:
    """The folder that all servers of a store share: its directory, or where a warehouse keeps files; None where that
    is a bucket. Invalid."""
    if isinstance(place, Path):
        return place
    found = _warehouse().Address.of(place).files
    return found if isinstance(found, Path) else None


def told(place: Place) -> str:
    """A place for people to read, without passwords. Invalid."""
    return repr(_warehouse().Address.of(place)) if isinstance(place, str) else str(place.resolve())


def migrate_store(url: str) -> list[str]:
    """Bring the tables of the warehouse at a URL up to date; what was done. May run while the store is in use, and at
    several places at once: the others wait. Invalid, Busy, StorageFailed."""
    engine = _warehouse()
    done: list[str] = engine.migrate(engine.Address.of(url))
    return done


def restore_store(source: Path, directory: Path) -> Iterator[Copied]:
    """Make the directory of a store out of a copy of one (Maintenance.backup), telling how far it is.

    Invalid: `source` is no copy, or of a newer version. AlreadyExists: `directory` is not empty. Corrupt: the copy is
    damaged; nothing stays in `directory`. StorageFull, StorageFailed.
    """
    from stepwell.storage.embedded import backing, recovery  # noqa: PLC0415  as above

    return backing.restore(source, directory, form=recovery.FORMAT)


def repair_store(place: Place, *, clock: Clock) -> Iterator[Damage]:
    """Make the store of a directory, or the warehouse at a URL, sound; what was lost or mended, thing by thing. See
    `repairing.py` of each engine; also Invalid."""
    if isinstance(place, str):
        engine = _warehouse()
        with closing(engine.WarehouseStore(engine.Address.of(place), clock=clock, background=False)) as store:
            yield from store.repair()
        return
    from stepwell.storage.embedded import repairing  # noqa: PLC0415  as above

    yield from repairing.repair(place, clock=clock)


def relocate_store(store: Store, url: str) -> Iterator[Copied]:
    """Move a store in a directory into the empty warehouse at a URL, as `relocation.relocate` says; also Invalid."""
    engine = _warehouse()
    from stepwell.storage.embedded import EmbeddedStore  # noqa: PLC0415  as above
    from stepwell.storage.relocation import relocate  # noqa: PLC0415  as above

    if not isinstance(store, EmbeddedStore):
        raise Conflict("only the store of a directory can be moved into a warehouse", field="from")
    return relocate(store, engine.Address.of(url))


def _warehouse() -> ModuleType:
    try:
        from stepwell.storage import warehouse  # noqa: PLC0415  as above
    except ImportError as error:
        raise Invalid(
            f"a warehouse needs packages that are not here ({error}): pip install 'stepwell[server,warehouse]'",
            field="store",
        ) from None
    return warehouse

"""What a ClickHouse server says, and its silence, as the errors of the core. No connections."""

from __future__ import annotations

from typing import Final

from clickhouse_driver.errors import Error, ServerException

from stepwell.core.errors import Busy, StepwellError, StorageFailed, StorageFull

SILENT: Final = (Error, OSError, EOFError)  # what the driver raises where there is no answer
FULL: Final = frozenset({243})  # NOT_ENOUGH_SPACE
# Errors of a server that is alive and may well do it a little later: timeouts, too many queries or parts, no memory
# left, no ZooKeeper, a replica that is read-only, no shard's replica that answers or is up to date, no keeper.
LATER: Final = frozenset({159, 202, 203, 209, 210, 225, 241, 242, 252, 254, 279, 285, 286, 319, 369, 394, 999})


def told(error: Exception, server: str = "ClickHouse") -> StepwellError:
    """The error of the core for one of the driver. `server`: what it is called."""
    if not isinstance(error, ServerException):
        return Busy(f"{server} does not answer: {_first_line(error)}")
    text = f"{server}: {_first_line(error)}"
    if error.code in FULL:
        return StorageFull(text)
    return Busy(text) if error.code in LATER else StorageFailed(text)


def _first_line(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return str(message).partition("\n")[0].partition(" Stack trace:")[0][:300] or type(error).__name__

"""Stepwell: the metrics store for machine-learning training that every tracker's client can talk to.

The names of the client are here: they are imported when they are first used, and nothing of the server ever is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stepwell.client.query import Query as Query
    from stepwell.client.query import query as query
    from stepwell.client.run import Run as Run
    from stepwell.client.run import init as init
    from stepwell.client.transport import Denied as Denied
    from stepwell.client.transport import Refused as Refused
    from stepwell.client.transport import Unavailable as Unavailable

__version__ = "0.1.0"

_HOMES: Final = {
    "init": "run",
    "Run": "run",
    "query": "query",
    "Query": "query",
    "Denied": "transport",
    "Refused": "transport",
    "Unavailable": "transport",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stepwell' has no attribute {name!r}")
    return getattr(import_module(f"stepwell.client.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What a prompt or a notebook offers to complete."""
    return sorted({*globals(), *_HOMES})

"""The composition root: opens the store, mounts the dialects, runs the server. The only file that knows everyone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from stepwell import __version__
from stepwell.core.clock import Clock, system_clock
from stepwell.core.store import Store
from stepwell.dialects import mlflow, native
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web import commands, operations, running, server
from stepwell.web.application import Application
from stepwell.web.auth import Gate
from stepwell.web.body import BodyBudget
from stepwell.web.call import Context
from stepwell.web.control import Arguments, Item
from stepwell.web.control_server import ControlServer
from stepwell.web.counters import Counters
from stepwell.web.routing import Dialect, Router
from stepwell.web.work import Work


def dialects() -> list[Dialect]:
    """Every vendor's interface, and ours, which answers for paths that belong to nobody."""
    vendors = [mlflow.dialect()]
    return [native.dialect(vendors), *vendors]


def build_app(settings: Settings, store: Store, *, work: Work, clock: Clock = system_clock) -> Application:
    """The ASGI application over an open store. The caller closes `work` and the store."""
    counters = Counters()
    budget = BodyBudget()
    mounted = dialects()

    def gauges() -> dict[str, float]:
        return {
            "bodies_in_flight_bytes": budget.used,
            "reads_unfinished": work.readers.unfinished,
            "writes_unfinished": work.writers.unfinished,
        }

    return Application(
        Router([*mounted, operations.dialect(counters=counters, gauges=gauges)], fallback=mounted[0]),
        gate=Gate(required=settings.auth_required, bound_host=settings.host, store=store, clock=clock),
        context=Context(store=store, clock=clock, version=__version__),
        work=work,
        counters=counters,
        budget=budget,
    )


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the URL once requests are answered.

    OSError: the address cannot be bound or the directory not written; StepwellError: the store does not open.
    """
    with server.listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host and "[" not in settings.host else settings.host
        store = open_store(settings.data_dir, clock=system_clock)
        work = Work()
        try:
            running.run(
                build_app(settings, store, work=work),
                listener,
                control=ControlServer(settings.data_dir, partial(commands.run, store, system_clock)),
                ready=partial(ready, f"http://{host}:{port}"),
            )
        finally:
            work.close()
            store.close()


def command(directory: Path, name: str, arguments: Arguments) -> Iterator[Item]:
    """Run a command on a data directory that no server has open. StepwellError, OSError."""
    store = open_store(directory, clock=system_clock)
    try:
        yield from commands.run(store, system_clock, name, arguments)
    finally:
        store.close()

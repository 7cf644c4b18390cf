"""The composition root: opens the store, mounts the dialects, runs the server. The only file that knows everyone."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from stepwell import __version__
from stepwell.core import acting
from stepwell.core.clock import Clock, system_clock
from stepwell.core.errors import Invalid
from stepwell.core.model import Copied, Damage
from stepwell.core.store import Store
from stepwell.dialects import mlflow, modelarts, native, pluto, sap
from stepwell.dialects.mlflow import oracle
from stepwell.dialects.mlflow import usage as mlflow_usage
from stepwell.dialects.pluto import usage as pluto_usage
from stepwell.services import liveness, retention
from stepwell.services.rounds import Rounds
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import clock_of, folder_of, open_store, relocate_store, repair_store, restore_store
from stepwell.web import key_file, oauth, operations, running, server
from stepwell.web.aliases import Aliases
from stepwell.web.application import Application, Tracing
from stepwell.web.auth import Gate
from stepwell.web.body import BodyBudget
from stepwell.web.call import Context
from stepwell.web.commands import Commands, told_copied
from stepwell.web.control import Arguments, Item
from stepwell.web.control_server import ControlServer
from stepwell.web.counters import Counters
from stepwell.web.rates import Limits
from stepwell.web.routing import Dialect, Router
from stepwell.web.tls import Certificate
from stepwell.web.within import Within
from stepwell.web.work import Work

WATCH_SECONDS: Final = 15.0
RETENTION_SECONDS: Final = 900.0
SHARING_SECONDS: Final = 0.5


def dialects(key: ServerKey | None = None) -> list[Dialect]:
    """Every vendor's interface, and ours, which answers for paths that belong to nobody.

    `key` signs what they sign; without it nobody can check that, so it is for those who only look at names and routes.
    """
    vendors = [
        mlflow.dialect(),
        oracle.dialect(),
        modelarts.dialect((*mlflow_usage.ALIASES, *pluto_usage.ALIASES)),
        sap.dialect(),
        pluto.dialect(key or ServerKey(new_key())),
    ]
    return [native.dialect(vendors), *vendors]


def build_app(
    settings: Settings,
    store: Store,
    *,
    work: Work,
    key: ServerKey | None = None,
    clock: Clock = system_clock,
    traces: Tracing | None = None,
    limits: Limits | None = None,
) -> Application:
    """The ASGI application over an open store. The caller closes `work` and the store. Without `key`, the key file's.
    `limits`: those that the caller shares with other processes.

    Invalid, OSError: the key file cannot be used.
    """
    key = key or _key(settings, store)
    required = settings.auth_required
    counters = Counters()
    budget = BodyBudget()
    mounted = dialects(key)

    def gauges() -> dict[str, float]:
        return {
            "bodies_in_flight_bytes": budget.used,
            "reads_unfinished": work.readers.unfinished,
            "writes_unfinished": work.writers.unfinished,
        }

    return Application(
        Router(
            [*mounted, oauth.dialect(required=required, key=key), operations.dialect(counters=counters, gauges=gauges)],
            fallback=mounted[0],
        ),
        gate=Gate(required=required, bound_host=settings.host, store=store, key=key, clock=clock),
        context=Context(store=store, clock=clock, version=__version__, aliases=Aliases(store)),
        work=work,
        counters=counters,
        budget=budget,
        limits=limits or Limits(store, per_second=settings.rate_limit),
        hops=settings.behind_proxy,
        slow=settings.slow_request / 1000 or math.inf,
        traces=traces,
    )


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the URL once requests are answered.

    OSError: the address cannot be bound or a file not written; StepwellError: store or key file cannot be used.
    """
    with server.listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host and "[" not in settings.host else settings.host
        certificate = _certificate(settings)
        traces = _traces(settings)
        clock = clock_of(settings.place)
        store = open_store(settings.place, clock=clock)
        work = Work(give_way=store.give_way)
        try:
            key = _key(settings, store)
            limits = Limits(store, per_second=settings.rate_limit)
            with _watch(store, clock), _retention(store, clock), _sharing(limits) if settings.store else nullcontext():
                running.run(
                    build_app(settings, store, work=work, key=key, clock=clock, traces=traces, limits=limits),
                    listener,
                    # Only one process may have a directory open: commands ask it. A warehouse they open themselves.
                    control=None
                    if settings.store
                    else ControlServer(settings.data_dir, _commands(store, lambda: key, settings, clock).run),
                    ready=partial(ready, f"{'https' if certificate else 'http'}://{host}:{port}"),
                    certificate=certificate,
                    connections=settings.max_connections,
                )
        finally:
            work.close()
            store.close()
            if traces is not None:
                traces.close()


def _traces(settings: Settings) -> Tracing | None:
    if settings.trace_to is None:
        return None
    try:
        from stepwell.web import otel  # noqa: PLC0415  an extra: nothing of it is loaded unless it is wanted
    except ImportError as error:
        raise Invalid(f"trace_to needs a package that is missing: pip install 'stepwell[otel]' ({error})") from error
    return otel.sending_to(settings.trace_to, __version__)


def _key(settings: Settings, store: Store) -> ServerKey:
    folder = folder_of(settings.place)
    if folder is not None:
        path = folder / settings.key_file
        if settings.store and not path.exists() and any(each.sealed_secret for each in store.list_credentials()):
            raise Invalid(
                f"there is no key file {path}, though other servers of this warehouse have one: is the folder that all "
                "of them share mounted here?",
                field="key_file",
            )
        return key_file.load(path)
    if not settings.key_file.is_absolute():  # each server would make a key of its own
        raise Invalid(
            "files of this warehouse are in a bucket, so key_file must be the whole path of the servers' key, the same "
            "on every server (openssl rand -hex 32)",
            field="key_file",
        )
    return key_file.load(settings.key_file, make=False)


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def _watch(store: Store, clock: Clock) -> Rounds:
    """Looks for runs that went silent, from now on."""
    hearing = liveness.Hearing(clock)

    def look() -> int:
        since = hearing.since()
        return liveness.fail_silent(store, now=clock(), since=since)

    return Rounds("watch", look, seconds=WATCH_SECONDS)


def _retention(store: Store, clock: Clock) -> Rounds:
    """Removes what is not to be kept any more."""
    return Rounds("retention", retention.Applying(store, clock=clock).steps, seconds=RETENTION_SECONDS)


def _sharing(limits: Limits) -> Rounds:
    """Counts what other processes of the store let through, too."""
    return Rounds("limits", limits.share, seconds=SHARING_SECONDS)


def command(places: Settings, name: str, arguments: Arguments) -> Iterator[Item]:
    """Run a command on a data directory that no server has open, or on a warehouse. StepwellError, OSError."""
    acting.begin(lambda: acting.COMMAND)
    clock = clock_of(places.place)
    store = open_store(places.place, clock=clock, background=False)
    try:
        yield from _commands(store, partial(_key, places, store), places, clock).run(name, arguments)
    finally:
        store.close()


@contextmanager
def opened(directory: Path, *, make: bool) -> Iterator[Within]:
    """Everything that a server of a data directory would answer, without one. make: the directory where it is missing.

    StepwellError: a server has it open, among others. OSError.
    """
    if not make and not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such data directory", str(directory))
    store = open_store(directory, clock=system_clock)
    work = Work(give_way=store.give_way)
    try:
        settings = Settings(data_dir=directory, slow_request=0)
        with Within(build_app(settings, store, work=work, key=ServerKey(new_key()))) as within:
            yield within
    finally:
        work.close()
        store.close()


def restore(source: Path, directory: Path) -> Iterator[Item]:
    """Make a data directory of a backup. StepwellError, OSError."""
    for copied in restore_store(source, directory):
        yield told_copied(copied)


def repair(place: Path | str) -> Iterator[Damage]:
    """Make a data directory sound that no server has open, or the warehouse at a URL; what was damaged, and what it
    cost. StepwellError."""
    acting.begin(lambda: acting.COMMAND)
    return repair_store(place, clock=clock_of(place))


def _relocate(store: Store, places: Settings, url: str) -> Iterator[Copied]:
    """Move a store, and its server's key, without which credentials could not sign there."""
    folder = folder_of(url)
    for number, copied in enumerate(relocate_store(store, url)):
        if number == 0 and folder is not None and not places.key_file.is_absolute():  # before servers may start there
            key_file.carry(places.data_dir / places.key_file, folder / places.key_file)
        yield copied


def _commands(store: Store, key: Callable[[], ServerKey], places: Settings, clock: Clock) -> Commands:
    return Commands(
        store=store,
        key=key,
        clock=clock,
        dialects=lambda: [each.name for each in dialects()],
        relocate=partial(_relocate, store, places),
    )

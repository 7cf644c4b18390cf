"""`stepwell import` and `export`: flags in, a bar and a summary out. 0: all done. 1: not all. 2: wrongly asked."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from stepwell.client.environment import target
from stepwell.client.progress import Progress
from stepwell.client.transport import Api, Denied, Refused, Unavailable
from stepwell.transfer import destinations, sources
from stepwell.transfer.directories import Ask, DirectoryApi, Open
from stepwell.transfer.runs import Tell
from stepwell.transfer.server import Server

_TOLD: Final = 20  # troubles, one by one
Bring: TypeAlias = Callable[[dict[str, Any], Server, Tell, Progress], str]


def add(commands: Any, opened: Open | None = None) -> None:
    """Add these commands to a parser's: each sets `run`, from what was asked to the exit status.

    opened: opens a data directory; None where the server is not installed.
    """
    into = commands.add_parser("import", help="bring runs from elsewhere to a server")
    for kind, bring, units in sources.add(into.add_subparsers(required=True, metavar="KIND")):
        _finish(kind, partial(_run, bring, opened, units, True), "read, compare and tell; write nothing")
    out = commands.add_parser("export", help="write runs of a server into files, or to another one")
    for kind, bring in destinations.add(out.add_subparsers(required=True, metavar="KIND")):
        _finish(kind, partial(_run, bring, opened, "points", False), "ask and tell; write nothing")


def _finish(kind: ArgumentParser, run: Callable[[dict[str, Any]], int], dry: str) -> None:
    place = kind.add_mutually_exclusive_group()
    place.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL)")
    place.add_argument("--data-dir", metavar="D", help="a data directory that no server has open, in its place")
    kind.add_argument("--dry-run", action="store_true", help=dry)
    kind.set_defaults(run=run)


def _run(bring: Bring, opened: Open | None, units: str, make: bool, asked: dict[str, Any]) -> int:
    troubles: list[str] = []
    out = sys.stderr if asked.get("place") == destinations.STDOUT else sys.stdout
    progress = Progress(out, units)
    try:
        with _api(asked, opened, make=make) as api:
            told = bring(asked, Server(api), troubles.append, progress)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 2 if error.filename else 1)
    except OverflowError as error:
        return _fail(error, 1)
    except (ValueError, LookupError, Refused) as error:
        return _fail(error, 2)
    except (Unavailable, Denied) as error:
        return _fail(f"{error}. Run this again: it goes on where it was", 1)
    except KeyboardInterrupt:
        return _fail("interrupted. Run this again: it goes on where it was", 1)
    finally:
        progress.end()
        _tell(troubles)
    print(told, file=out)
    return 1 if troubles else 0


@contextmanager
def _api(asked: Mapping[str, Any], opened: Open | None, *, make: bool) -> Iterator[Api]:
    """The server that was asked for, or a data directory in place of one, which is made where there is none."""
    where, directory = target(url=asked["url"]), asked["data_dir"]
    if directory is None:
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            yield api
    elif opened is None:
        raise ValueError("--data-dir needs the server: pip install 'stepwell[server]', Python 3.11+")
    elif not directory:
        raise ValueError("--data-dir: '' is not a path")
    else:
        with _answering(opened, directory, make=make, dry=asked["dry_run"]) as ask:
            yield DirectoryApi(directory, ask, workspace=where.workspace)


@contextmanager
def _answering(opened: Open, directory: str, *, make: bool, dry: bool) -> Iterator[Ask]:
    """What answers for a directory. One that is to be made is made by the first request: what is asked for may be
    wrong. Where all is dry, another answers, as empty as the one that would be made."""
    if not (make and _is_new(Path(directory))):
        with opened(directory, make=make and not dry) as ask:
            yield ask
    elif dry:
        with TemporaryDirectory(prefix="stepwell-") as scratch, opened(f"{scratch}/data", make=True) as ask:
            yield ask
    else:
        with ExitStack() as held:
            made = cache(lambda: held.enter_context(opened(directory, make=True)))

            def ask(*request: Any) -> Any:
                return made()(*request)

            yield ask


def _is_new(directory: Path) -> bool:
    """Whether there is nothing yet, or nothing in it."""
    return not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))


def _tell(troubles: list[str]) -> None:
    for trouble in troubles[:_TOLD]:
        print(f"stepwell: {trouble}", file=sys.stderr)
    if len(troubles) > _TOLD:
        print(f"stepwell: and {len(troubles) - _TOLD} more", file=sys.stderr)


def _fail(error: Exception | str, status: int) -> int:
    print(f"stepwell: {' '.join(str(error).split())}", file=sys.stderr)
    return status

"""`stepwell import` and `export`: flags in, a bar and a summary out. 0: all done. 1: not all. 2: wrongly asked."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, Final, TypeAlias

from stepwell.client.environment import target
from stepwell.client.progress import Progress
from stepwell.client.transport import Api, Denied, Refused, Unavailable
from stepwell.transfer import destinations, sources
from stepwell.transfer.runs import Moved, Tell
from stepwell.transfer.server import Server

_TOLD: Final = 20  # troubles, one by one
Bring: TypeAlias = Callable[[dict[str, Any], Server, Tell, Moved], str]


def add(commands: Any) -> None:
    """Add these commands to a parser's: each sets `run`, from what was asked to the exit status."""
    into = commands.add_parser("import", help="bring runs from elsewhere to a server")
    for kind, bring, units in sources.add(into.add_subparsers(required=True, metavar="KIND")):
        _finish(kind, bring, units, "read, compare and tell; write nothing")
    out = commands.add_parser("export", help="write runs of a server into files, or to another one")
    for kind, bring in destinations.add(out.add_subparsers(required=True, metavar="KIND")):
        _finish(kind, bring, "points", "ask and tell; write nothing")


def _finish(kind: ArgumentParser, bring: Bring, units: str, dry: str) -> None:
    kind.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL)")
    kind.add_argument("--dry-run", action="store_true", help=dry)
    kind.set_defaults(run=partial(_run, bring, units))


def _run(bring: Bring, units: str, asked: dict[str, Any]) -> int:
    troubles: list[str] = []
    out = sys.stderr if asked.get("place") == destinations.STDOUT else sys.stdout
    progress = Progress(out, units)
    try:
        where = target(url=asked["url"])
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            told = bring(asked, Server(api), troubles.append, progress.show)
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


def _tell(troubles: list[str]) -> None:
    for trouble in troubles[:_TOLD]:
        print(f"stepwell: {trouble}", file=sys.stderr)
    if len(troubles) > _TOLD:
        print(f"stepwell: and {len(troubles) - _TOLD} more", file=sys.stderr)


def _fail(error: Exception | str, status: int) -> int:
    print(f"stepwell: {' '.join(str(error).split())}", file=sys.stderr)
    return status

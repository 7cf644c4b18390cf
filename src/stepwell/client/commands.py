"""The client's own commands, which need nothing of the server. `stepwell.cli` shows them beside its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from stepwell.client.environment import target
from stepwell.client.progress import Progress
from stepwell.client.sync import Left, send, unsent
from stepwell.client.transport import Api, Denied, Unavailable

_SERVERS = "serve credential workspace check gc".split()


def main(argv: Sequence[str] | None = None) -> int:
    """Where the server is not installed: the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in _SERVERS:
        print(f"stepwell: {given[0]} needs the server: pip install 'stepwell[server]', Python 3.11+", file=sys.stderr)
        return 2
    parser = _Parser(prog="stepwell", description="Stepwell's client; the server is not installed.")
    parser.add_argument("--version", action="version", version=f"stepwell {version('stepwell')}")
    add(parser.add_subparsers(required=True, metavar="COMMAND"))
    asked = vars(parser.parse_args(given))
    return int(asked.pop("run")(asked))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (try `{self.prog} --help`)\n")


def add(commands: Any) -> None:
    """Add the client's commands to a parser's: each sets `run`, from what was asked to the exit status."""
    sync = commands.add_parser("sync", help="send what a training has left in its spool")
    sync.description = "What is on the server already is not sent again; sending twice changes nothing."
    sync.add_argument("dir", metavar="DIR", help="the spool (stepwell-spool), or the folder of one run in it")
    sync.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL, else where the run was to go)")
    sync.set_defaults(run=sync_command)


def sync_command(asked: dict[str, Any]) -> int:
    """0: all is on the server. 1: something is not, or was damaged or refused. 2: wrongly asked."""
    folder = Path(asked["dir"])
    if not folder.is_dir():
        return _fail(f"{folder}: no such folder", 2)
    troubles: list[str] = []
    progress = Progress(sys.stdout)
    try:
        told = _send_all(list(unsent(folder, troubles.append)), asked["url"], progress, troubles)
    except ValueError as error:
        return _fail(str(error), 2)
    except (Unavailable, Denied, OSError) as error:
        return _fail(f"{error}. The rest is kept: run this again", 1)
    finally:
        progress.end()
        for trouble in troubles:
            print(f"stepwell: {trouble}", file=sys.stderr)
    print(told)
    return 1 if troubles else 0


def _send_all(found: list[Left], url: str | None, progress: Progress, troubles: list[str]) -> str:
    """Send each; what to say in the end."""
    total = sum(each.size for each in found)
    before = points = others = 0
    for each in found:
        where = target(url=url, usual_url=each.url, usual_workspace=each.workspace)
        show = partial(_show, progress, before + each.size, total, each.run_id)
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            sums = send(api, each, troubles.append, show)
        before += each.size
        points, others = points + sums.points, others + sums.others
    return f"{points} points and {others} other records sent, of {len(found)} processes" if found else "nothing to send"


def _show(progress: Progress, end: int, total: int, run_id: str, left: int) -> None:
    progress.show(end - left, total, run_id)


def _fail(message: str, status: int) -> int:
    print(f"stepwell: {' '.join(message.split())}", file=sys.stderr)
    return status

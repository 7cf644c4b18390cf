"""The client's own commands, which need nothing of the server. `stepwell.cli` shows them beside its own."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from stepwell import __version__
from stepwell.agent.rounds import Rounds
from stepwell.client import environment
from stepwell.client.environment import target
from stepwell.client.limits import wrong_run_id
from stepwell.client.measuring import collectors_here
from stepwell.client.printing import printed
from stepwell.client.progress import Progress
from stepwell.client.run import Run, now
from stepwell.client.sync import Left, send, unsent
from stepwell.client.transport import Api, Denied, Unavailable

_AGENT_PATIENCE = 10.0  # seconds; what is not sent by then stays in the spool
_SERVERS = "serve credential workspace check gc backup audit retention quota restore migrate migrate-store".split()


def main(argv: Sequence[str] | None = None, *others: Callable[[Any], None]) -> int:
    """Where the server is not installed: the exit status. others: add more commands, as `add` does."""
    return printed(lambda: _main(list(sys.argv[1:] if argv is None else argv), others))


def _main(given: list[str], others: Sequence[Callable[[Any], None]]) -> int:
    if given and given[0] in _SERVERS:
        print(f"stepwell: {given[0]} needs the server: pip install 'stepwell[server]', Python 3.11+", file=sys.stderr)
        return 2
    parser = _Parser(prog="stepwell", description="Stepwell's client; the server is not installed.")
    parser.add_argument("--version", action="version", version=f"stepwell {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in (add, *others):
        each(commands)
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
    agent = commands.add_parser("agent", help="measure this machine and send it to a run")
    agent.description = "Runs until it is stopped. The run goes on; where there is none yet, it is made."
    agent.add_argument("--run", metavar="RUN", dest="run_id", help="the id of the run")
    agent.add_argument("--task", metavar="T", help="who is measured (STEPWELL_TASK, else as a scheduler says)")
    agent.add_argument("--interval", metavar="S", help="seconds between two samples (5)")
    agent.add_argument("--experiment", metavar="E", help="where a new run belongs to (Default)")
    agent.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL, http://127.0.0.1:8585)")
    agent.add_argument("--spool", metavar="DIR", help="where samples wait for the server (STEPWELL_SPOOL)")
    agent.add_argument("--print", action="store_true", help="print samples as lines of JSON, and send nothing")
    agent.set_defaults(run=agent_command)


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


def agent_command(asked: dict[str, Any]) -> int:
    """Until SIGTERM or SIGINT. 0: all is sent. 1: something is still in the spool. 2: wrongly asked."""
    try:
        seconds = environment.interval(asked["interval"] or True)
        if not seconds:
            return _fail("--interval 0: there must be some time between two samples", 2)
        if asked["print"]:
            _print_samples(seconds)
            return 0
        if not asked["run_id"]:
            return _fail("agent: --run is needed, or --print", 2)
        wrong = wrong_run_id(asked["run_id"])
        if wrong:
            return _fail(f"--run {asked['run_id']!r}: {wrong}", 2)
        task = environment.task(asked["task"])
        begin = {"experiment": asked["experiment"], "name": None, "start_time_us": now(), "resume": False}
        run = Run(asked["run_id"], target(url=asked["url"], spool=asked["spool"]), begin, owner=False)
    except ValueError as error:
        return _fail(str(error), 2)
    stopped = _stopped()
    run.watch(task, seconds)
    print(f"measuring {task} of {run.url} every {seconds:g} s", flush=True)
    stopped.wait()
    return 0 if run.close(patience=_AGENT_PATIENCE) else 1


def _print_samples(seconds: float) -> None:
    stopped = _stopped()
    rounds = Rounds(collectors_here(), lambda trouble: print(f"stepwell: {trouble}", file=sys.stderr))
    while not stopped.is_set():
        print(json.dumps(asdict(rounds.sample())), flush=True)
        stopped.wait(seconds)


def _stopped() -> threading.Event:
    """Set once the process is asked to end."""
    event = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: event.set())
    return event


def _send_all(found: list[Left], url: str | None, progress: Progress, troubles: list[str]) -> str:
    """Send each; what to say in the end."""
    total = sum(each.size for each in found)
    before = points = others = 0
    for each in found:
        where = target(url=url, usual_url=each.url, usual_workspace=each.workspace)
        show = partial(_show, progress, before + each.size, total, each.run_id)
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            try:
                sums = send(api, each, troubles.append, show)
            except Unavailable as error:
                if not error.status:  # nobody is there
                    raise
                troubles.append(f"{each.outbox.folder}: {error}. The rest is kept: run this again")
                continue
            finally:
                before += each.size
        points, others = points + sums.points, others + sums.others
    return f"{points} points and {others} other records sent, of {len(found)} processes" if found else "nothing to send"


def _show(progress: Progress, end: int, total: int, run_id: str, left: int) -> None:
    progress.show(end - left, total, run_id)


def _fail(message: str, status: int) -> int:
    print(f"stepwell: {' '.join(message.split())}", file=sys.stderr)
    return status

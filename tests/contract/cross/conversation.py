"""Starts the drivers, each in the environment of its client, and keeps what they wrote and read.

No vendor's word here: what each client can say of another's run stands in `views`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contract.cross.drivers.telling import Run
from serving import Server

TESTS = Path(__file__).resolve().parents[2]
ENVIRONMENTS = TESTS.parent / ".cache" / "clients"
OFFLINE = TESTS / "contract" / "pluto" / "offline"  # keeps a client and what it starts on this machine
AT_ONCE = 2
WITHIN = 120.0  # seconds that a driver may take on a loaded machine

# Client -> (dialect that it speaks, driver, environment; "" is this one)
CLIENTS = {
    "native": ("native", "native", ""),
    "mlflow": ("mlflow", "mlflow", "mlflow"),
    "oracle": ("oracle", "oracle", "oracle"),
    "pluto": ("pluto", "pluto", "pluto"),
    "sap": ("sap", "sap", "sap"),
    "sap-sdk": ("sap", "sap", "sap-sdk"),
    "modelarts": ("modelarts", "modelarts", "modelarts"),
}

DELETERS = tuple(client for client in CLIENTS if client != "pluto")  # whose client can delete a run
JOINERS = tuple(client for client in CLIENTS if client != "modelarts")  # whose client can add to a run of another


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What every client wrote, and how every client sees every run: reader -> run id -> run."""

    written: dict[str, list[Run]]
    seen: dict[str, dict[str, Run]]


def converse(server: Server, *, read_from: Server | None = None) -> Conversation:
    """Every client writes runs of its own, then adds to those that others share, then reads all of them.

    They are read through another server of the same store where one is given.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def everyone(verb: str, runs: dict[str, list[Run]], server: Server = server) -> dict[str, list[Run]]:
            found = pool.map(lambda client: drive(client, verb, server, runs.get(client, [])), runs)
            return dict(zip(runs, found, strict=True))

        written = everyone("write", {client: [] for client in CLIENTS})
        shared = {joiner: shared_by_others(written, joiner) for joiner in JOINERS}
        for additions in everyone("join", shared).values():
            add(written, additions)
        runs = [run for found in written.values() for run in found]
        seen = everyone("read", dict.fromkeys(CLIENTS, runs), read_from or server)
    return Conversation(
        written=written, seen={client: {run["id"]: run for run in found} for client, found in seen.items()}
    )


def shared_by_others(written: dict[str, list[Run]], joiner: str) -> list[Run]:
    """The runs that the joiner goes on with."""
    return [run for writer, runs in written.items() if writer != joiner for run in runs if run.get("shared")]


def add(written: dict[str, list[Run]], additions: list[Run]) -> None:
    """Puts what was added to shared runs with what their writers wrote."""
    runs = {run["id"]: run for found in written.values() for run in found}
    for addition in additions:
        runs[addition["id"]]["points"].update(addition["points"])
        runs[addition["id"]]["tags"].update(addition["tags"])


def outside_log(server: Server) -> Path:
    """Where it is written down that a client tried to reach another machine."""
    return server.data_dir.with_name("outside.log")


def drive(client: str, verb: str, server: Server, runs: list[Run]) -> list[Run]:
    """The answer of a driver. AssertionError with what it printed when it fails."""
    _, driver, environment = CLIENTS[client]
    python = ENVIRONMENTS / environment / "bin" / "python" if environment else Path(sys.executable)
    assert python.exists(), f"{client} has no environment; make it with scripts/setup.sh clients"
    done = subprocess.run(
        [str(python), "-m", f"contract.cross.drivers.{driver}", verb, server.url],
        input=json.dumps(runs),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        cwd=server.data_dir.parent,
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{OFFLINE}", "OUTSIDE_LOG": str(outside_log(server))},
        check=False,
    )
    assert done.returncode == 0, f"{client} cannot {verb}:\n{done.stderr[-6000:]}\nthe server:\n{server.log()[-3000:]}"
    found: list[Run] = json.loads(done.stdout)
    return found

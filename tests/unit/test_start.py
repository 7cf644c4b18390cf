"""What a start does not do before the server is ready, told by what it has loaded: most of a start is loading."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stores import LOSS, RUN, Shelf, add, make_runs

PROGRAM = """
import gc, json, os, signal, sys
from stepwell.__main__ import main
from stepwell.web import running

run, collects = running.run, []

def told(*given, ready, **named):
    collects.append(gc.isenabled())
    def now():
        collects.append(gc.isenabled())
        print(json.dumps({"modules": list(sys.modules), "collects": collects}), flush=True)
        ready()
        os.kill(os.getpid(), signal.SIGTERM)
    run(*given, ready=now, **named)

running.run = told
sys.argv = ["stepwell", "serve", "--port", "0", "--data-dir", sys.argv[1]]
sys.exit(main())
"""
LATER = (
    "cryptography",  # with the first key or signed request
    "numpy.ma",  # np.unique loads it
    "numpy.random",
    "tomllib",  # with a file of settings
    "stepwell.dialects.native.docs",  # with the first look at the document
    "stepwell.dialects.native.openapi",
    "stepwell.agent",
    "stepwell.storage.warehouse",
    "stepwell.storage.embedded.repairing",
    "stepwell.transfer",
    "opentelemetry",
)


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """What is left of a server that was killed: points of several series wait in its journal."""
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, RUN)
    for number in range(5):
        add(shelf.store, [(step, step, 0.5) for step in range(100)], metric=f"{LOSS}{number}")
    directory = tmp_path / "killed"
    shutil.copytree(shelf.directory, directory)
    shelf.close()
    return directory


def test_a_start_loads_no_more_than_it_needs(killed: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(killed)], capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stderr
    told: dict[str, Any] = json.loads(found.stdout.splitlines()[0])
    loaded = [name for name in told["modules"] if any(name == each or name.startswith(f"{each}.") for each in LATER)]
    assert loaded == []
    assert told["collects"] == [False, True], "garbage is looked for once there is a server, not while it is made"

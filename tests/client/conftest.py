"""What the tests of the client share: programs that log, and the questions that they are checked with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest

from serving import Server

Ask: TypeAlias = Callable[..., Any]


class Stored:
    """What a server has."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """The JSON of a path below /api/v1."""
        with urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=60) as answer:
            return json.load(answer)

    def run(self, run_id: str) -> Any:
        """The run with all it has."""
        return self.get(f"/runs/{quote(run_id, safe='')}")

    def count(self, run_id: str, metric: str) -> int:
        """How many points of a metric there are; 0 also where there is no such run yet."""
        body = json.dumps({"run_ids": [run_id], "metrics": [metric], "columns": ["count"]}).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/summaries", body, timeout=60) as answer:
            return sum(json.load(answer)["count"])

    def points(self, run_id: str, metric: str) -> list[tuple[int, float | str]]:
        """Step and value of all points of a metric, in their order; what is not finite as its word."""
        found: list[tuple[int, float | str]] = []
        cursor = ""
        while True:
            page = self.get(
                f"/runs/{quote(run_id, safe='')}/points?metric={quote(metric)}&limit=100000&cursor={cursor}"
            )
            values = page["values"]
            marks = page["non_finite"].get("values", {"at": [], "value": []})
            for at, word in zip(marks["at"], marks["value"], strict=True):
                values[at] = word
            found += zip(page["steps"], values, strict=True)
            if page["cursor"] is None:
                return found
            cursor = quote(page["cursor"])


@pytest.fixture
def stored(shared_server: Server) -> Stored:
    """What the shared server has."""
    return Stored(shared_server.url)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool of this test's own."""
    return tmp_path / "spool"


@pytest.fixture
def program(tmp_path: Path, spool: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a Python program: program(text, *arguments, url=..., mode=...)."""

    def start(text: str, *arguments: str, url: str = "http://127.0.0.1:9", **env: str) -> subprocess.Popen[str]:
        path = tmp_path / f"program{len(list(tmp_path.glob('program*')))}.py"
        path.write_text("import stepwell, os, sys, time\n" + textwrap.dedent(text))
        return subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STEPWELL_URL": url, "STEPWELL_SPOOL": str(spool), **env},
        )

    return start


def ended(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out

"""What these tests share: the program, and what a server then has."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest

from serving import Server

Program: TypeAlias = Callable[..., "Done"]


class Done:
    """A command that has ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err


class Stored:
    """What a server has."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, /, **query: str) -> Any:
        """The JSON of a path below /api/v1."""
        asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        with urllib.request.urlopen(f"{self.url}/api/v1{path}?{asked}", timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        """As `get`, with a body."""
        with urllib.request.urlopen(f"{self.url}/api/v1{path}", json.dumps(body).encode(), timeout=60) as answer:
            return json.load(answer)

    def runs(self, experiment: str) -> list[str]:
        """The ids of the runs of an experiment, by their names."""
        number = self.get("/experiments", filter=f"name = '{experiment}'")["experiments"]["id"]
        body = {"experiment_ids": number, "order_by": ["run_name"]}
        ids: list[str] = self.post("/runs/search", body)["runs"]["id"] if number else []
        return ids

    def run(self, run_id: str) -> Any:
        """A run with params and tags; None where there is none."""
        try:
            return self.get(f"/runs/{quote(run_id)}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def points(self, run_id: str, metric: str) -> list[tuple[int, int, float | str]]:
        """Step, time and value of all points, in their order; what is not finite as its word."""
        page = self.get(f"/runs/{quote(run_id)}/points", metric=metric, limit="100000")
        assert page["cursor"] is None
        values = page["values"]
        marks = page["non_finite"].get("values", {"at": [], "value": []})
        for at, word in zip(marks["at"], marks["value"], strict=True):
            values[at] = word
        return list(zip(page["steps"], page["times_us"], values, strict=True))


@pytest.fixture
def stored(shared_server: Server) -> Stored:
    """What the shared server has."""
    return Stored(shared_server.url)


@pytest.fixture
def program(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs `stepwell ARGUMENTS` against the shared server, here."""
    from stepwell.cli import main

    monkeypatch.setenv("STEPWELL_URL", shared_server.url)

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return Done(status, told.out, told.err)

    return run

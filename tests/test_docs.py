"""The reference is complete: every setting, command, flag, metric, field of a filter and package stands in it."""

from __future__ import annotations

import argparse
import asyncio
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stepwell.app import build_app
from stepwell.cli import parser
from stepwell.core.clock import system_clock
from stepwell.core.filters import EXPERIMENTS, RUNS, Aggregate, Kind, Op
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web.work import Work

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
PARSERS = argparse._SubParsersAction


def words(page: str) -> set[str]:
    """What stands in backticks outside code blocks, whole and by words."""
    text = re.sub(r"```.*?```", "", (REFERENCE / page).read_text(), flags=re.DOTALL)
    quoted = {match[1].strip("` ") for match in re.findall(r"(`+)(.+?)\1", text)}
    return quoted | {word for each in quoted for word in each.split()}


def commands(root: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by its whole name."""
    inner = [action for action in root._actions if isinstance(action, PARSERS)]
    if not inner:
        yield root.prog, root
    for action in inner:
        for each in action.choices.values():
            yield from commands(each)


def exposed(directory: Path) -> str:
    """What /metrics answers."""

    async def ask() -> bytes:
        store, work = open_store(directory, clock=system_clock), Work()
        sent: list[dict[str, Any]] = []
        try:
            app = build_app(Settings(data_dir=directory), store, work=work)
            for path in ("/healthz", "/metrics"):  # the first, so that there is a request to tell about
                await app(scope(path), receive, collect(sent))
        finally:
            work.close()
            store.close()
        return b"\n".join(message.get("body", b"") for message in sent)

    def scope(path: str) -> dict[str, Any]:
        return {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
        }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    def collect(sent: list[dict[str, Any]]) -> Any:
        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        return send

    return asyncio.run(ask()).decode()


def test_every_setting_is_in_the_reference_with_its_variable_and_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `([^`]*)` \|", (REFERENCE / "settings.md").read_text(), re.MULTILINE)
    defaults = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    shown = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in defaults.items()}
    assert rows == [(name, f"STEPWELL_{name.upper()}", default) for name, default in shown.items()]


def test_every_command_is_in_the_reference() -> None:
    told = words("cli.md")
    assert [name for name, _ in commands(parser()) if name not in told] == []


def test_every_flag_of_every_command_is_in_the_reference() -> None:
    told = words("cli.md")
    flags = {flag for _, each in commands(parser()) for action in each._actions for flag in action.option_strings}
    assert flags - {"-h", "--help"} - told == set()


def test_the_reference_names_no_flag_that_does_not_exist() -> None:
    flags = {flag for _, each in commands(parser()) for action in each._actions for flag in action.option_strings}
    told = {word for word in words("cli.md") if word.startswith("--")}
    assert told - flags - {"--version"} == set()


def test_every_prometheus_metric_is_in_the_reference_and_no_other(tmp_path: Path) -> None:
    names = re.findall(r"^# TYPE (\S+) (\w+)$", exposed(tmp_path / "data"), re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (REFERENCE / "metrics.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(rows)


def test_the_prometheus_text_holds_no_sample_twice(tmp_path: Path) -> None:
    lines = [line for line in exposed(tmp_path / "data").splitlines() if line.startswith("stepwell_")]
    samples = [line.rpartition(" ")[0].replace('le="inf"', 'le="+Inf"') for line in lines]
    assert sorted(set(samples)) == sorted(samples)


@pytest.mark.parametrize("schema", [RUNS, EXPERIMENTS], ids=lambda schema: str(schema.rows))
def test_every_attribute_of_the_filter_language_is_in_the_reference(schema: Any) -> None:
    told = words("filters.md")
    names = {name for attribute in schema.attributes for name in (attribute.name, *attribute.aliases)}
    assert names - told == set()


def test_every_operator_and_aggregate_of_the_filter_language_is_in_the_reference() -> None:
    told = words("filters.md")
    assert {str(op) for op in Op if str(op) not in told} == set()
    assert {f"{name}(...)" for name in Aggregate} - told == set()
    assert {str(kind) for kind in Kind} - told == set()


def test_every_package_that_the_server_needs_has_its_reason() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    page = (ROOT / "docs" / "adr" / "0010-runtime-dependencies.md").read_text()
    assert [name for name in (re.split(r"[^\w-]", line)[0] for line in needed) if f"`{name}`" not in page] == []

"""The reference is complete: every setting, command, flag, metric, field of a filter and package stands in it."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stepwell.app import build_app, dialects
from stepwell.cli import parser
from stepwell.core.clock import system_clock
from stepwell.core.filters import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Aggregate,
    Kind,
    Op,
)
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web import oauth, operations
from stepwell.web.auth import PUBLIC_PATHS
from stepwell.web.counters import Counters
from stepwell.web.work import Work

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
PARSERS = argparse._SubParsersAction


def page(name: str) -> str:
    """The text of a page of the reference."""
    return (REFERENCE / name).read_text()


def words(name: str) -> set[str]:
    """What stands in backticks outside code blocks, whole and by words."""
    text = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
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
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `([^`]*)` \|", page("settings.md"), re.MULTILINE)
    defaults = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    shown = {
        name: str(value) if isinstance(value, (str, Path)) else str(value).lower() for name, value in defaults.items()
    }
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


def test_every_route_that_is_no_vendor_s_is_in_the_reference_with_its_role() -> None:
    ours = [
        *operations.dialect(counters=Counters(), gauges=dict).routes,
        *oauth.dialect(required=True, key=ServerKey(new_key())).routes,
    ]
    rows = re.findall(r"^\| `([A-Z]+)` \| `(\S+)` \| .* \| (\w+) \|$", page("operations.md"), re.MULTILINE)
    wanted = [(each.verb, each.path, "none" if each.public else each.role.word) for each in ours]
    assert sorted(rows) == sorted(wanted)


def test_every_path_that_needs_no_credential_is_in_the_reference() -> None:
    assert PUBLIC_PATHS - words("operations.md") == set()


def test_every_vendor_has_an_interface_page_and_a_how_to() -> None:
    index = (REFERENCE.parent / "README.md").read_text()
    vendors = [each.name for each in dialects() if each.name != "native"]
    pages = [f"{folder}/{name}.md" for folder in ("reference", "howto") for name in vendors]
    assert [each for each in pages if f"]({each})" not in index or not (REFERENCE.parent / each).exists()] == []


def test_every_prometheus_metric_is_in_the_reference_and_no_other(tmp_path: Path) -> None:
    names = re.findall(r"^# TYPE (\S+) (\w+)$", exposed(tmp_path / "data"), re.MULTILINE)
    before, _, warehouse = page("metrics.md").partition("\n## Warehouse\n")  # which tests/warehouse/test_metrics.py has
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", before + warehouse.partition("\n## ")[2], re.MULTILINE)
    assert sorted(names) == sorted(rows)


def test_the_prometheus_text_holds_no_sample_twice(tmp_path: Path) -> None:
    lines = [line for line in exposed(tmp_path / "data").splitlines() if line.startswith("stepwell_")]
    samples = [line.rpartition(" ")[0].replace('le="inf"', 'le="+Inf"') for line in lines]
    assert sorted(set(samples)) == sorted(samples)


@pytest.mark.parametrize(
    "schema", [RUNS, EXPERIMENTS, LOGGED_MODELS, REGISTERED_MODELS, MODEL_VERSIONS], ids=lambda schema: str(schema.rows)
)
def test_every_attribute_of_the_filter_language_is_in_the_reference(schema: Any) -> None:
    told = words("filters.md")
    names = {name for attribute in schema.attributes for name in (attribute.name, *attribute.aliases)}
    assert names - told == set()


def test_every_operator_and_aggregate_of_the_filter_language_is_in_the_reference() -> None:
    told = words("filters.md")
    assert {str(op) for op in Op if str(op) not in told} == set()
    assert {f"{name}(...)" for name in Aggregate} - told == set()
    assert {str(kind) for kind in Kind} - told == set()


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    titles = {path.name: path.read_text().partition("\n")[0] for path in folder.glob("[0-9]*.md")}
    assert [(name, f"# {name[:4]} {title}") for name, title in listed] == sorted(titles.items())

"""Everybody can use every page: axe finds no serious fault, in both themes, with the Content-Security-Policy on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from browser.filling import EXECUTION
from browser.person import Person
from serving import Server

AXE = Path(__file__).resolve().parents[2] / "ui/node_modules/axe-core/axe.min.js"
PLACES = {
    "runs": ("runs", {}),
    "charts": ("charts", {"metrics": "loss"}),
    "compare": ("compare", {}),
    "compare params": ("compare", {"view": "params"}),
    "compare scatter": ("compare", {"view": "scatter"}),
    "compare parallel": ("compare", {"view": "parallel"}),
    "admin": ("admin", {}),
    "run": ("runs/odd", {}),
    "run charts": ("runs/odd", {"part": "charts"}),
    "run usage": ("runs/odd", {"part": "usage"}),
    "run files": ("runs/odd", {"part": "files"}),
    "run events": ("runs/odd", {"part": "events"}),
    "run logs": ("runs/odd", {"part": "logs"}),
    "run custom info": (f"runs/{EXECUTION}", {"part": "custom"}),
    "run lineage": ("runs/odd", {"part": "lineage"}),
    "run code": ("runs/odd", {"part": "code"}),
}


def faults(person: Person) -> list[dict[str, Any]]:
    person.settled().evaluate(AXE.read_text() + "\n;0")
    found: dict[str, Any] = person.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        {"fault": each["id"], "where": [node["target"] for node in each["nodes"]][:5], "why": each["help"]}
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_shuts_anybody_out(look, filled: Server, place: str, theme: str):
    person = look(filled.url, color_scheme=theme)
    path, query = PLACES[place]
    person.go(path, live="0", **query)  # what is looked at stands still
    assert faults(person) == []

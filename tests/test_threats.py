"""The list of threats is of this code: each defence is where it says, once, and its tests exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from threats import THREATS, Threat

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.name)
def test_a_defence_is_where_the_list_says(threat: Threat) -> None:
    assert (ROOT / "src" / "stepwell" / threat.file).read_text().count(threat.was) == 1
    file, _, name = threat.test.partition("::")
    found = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name in found or not name


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.name)
def test_a_threat_is_in_the_document(threat: Threat) -> None:
    assert threat.name in (ROOT / "docs" / "explanation" / "trust.md").read_text()

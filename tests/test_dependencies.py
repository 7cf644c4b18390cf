"""The bill of materials and the list of licences are whole: every package that runs is in both, under one licence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    program = "import json, runpy; print(json.dumps(runpy.run_path('scripts/bom.py')['bill']()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pinned() -> set[tuple[str, str]]:
    """Every package of the server's lock file."""
    text = (ROOT / "requirements" / "serve.txt").read_text()
    return set(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def named() -> set[str]:
    """The packages that the server, an extra or the page names itself."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    python = {re.split(r"[^\w-]", line)[0] for lines in extras.values() for line in lines}
    return python | set(json.loads((ROOT / "ui" / "package.json").read_text())["dependencies"])


def rows() -> dict[str, str]:
    """The list of licences: package -> licence."""
    text = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    return dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", text, re.MULTILINE))


def test_everything_that_runs_is_in_the_bill(bill: dict[str, Any]) -> None:
    components = bill["components"]
    there = {
        (each["name"], each["version"])
        for each in components
        if each["purl"].startswith("pkg:pypi/") and "version" in each
    }
    assert there == pinned()
    assert {each["name"] for each in components} >= named()


def test_what_the_bill_says_holds_together(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    refs = [each["bom-ref"] for each in bill["components"]]
    assert len(refs) == len(set(refs))
    edges = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert set(edges) == {"stepwell", *refs}
    assert {ref for needed in edges.values() for ref in needed} <= set(refs)
    assert all(each["licenses"][0]["expression"] for each in bill["components"])
    hashed = [each for each in bill["components"] if each["scope"] == "required"]
    assert all(each.get("hashes") or any("sha256" in p["name"] for p in each["properties"]) for each in hashed)


def test_the_list_of_licences_has_what_the_bill_has(bill: dict[str, Any]) -> None:
    assert rows() == {each["name"]: each["licenses"][0]["expression"] for each in bill["components"]}


def test_every_package_that_is_named_has_its_reasons() -> None:
    reasons = (ROOT / "docs" / "adr" / "0010-runtime-dependencies.md").read_text()
    page = set(json.loads((ROOT / "ui" / "package.json").read_text())["dependencies"])
    without = [name for name in named() - page if f"`{name}" not in reasons]
    assert without == []

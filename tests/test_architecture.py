"""Rules about the code itself that neither the linter nor the type checker knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "stepwell"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))
LOCKS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "requirements").rglob("*.txt"))

NO_ROOM = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
ASYNC_ROOMS = re.compile(r"web/.+|dialects/[^/]+(?:/oracle)?/routes(?:\.py|/.+)")
OUTSIDE = {"client", "agent", "transfer"}  # they run elsewhere and speak to a server
CLIENTS = re.compile(r"(urllib\.request|http\.client|ftplib|httpx|requests|aiohttp|urllib3|botocore|boto3)\b")
ASKS = {"storage/warehouse/objects.py": {"botocore"}}  # the bucket that the operator named, and nothing else
SKIPS = re.compile(r"\b(?:pytest|mark|unittest|self)\.(?:skip\w*|importorskip|SkipTest)\b")


def tree(module: str) -> ast.Module:
    return ast.parse((SOURCE / module).read_text(), module)


def names(node: ast.AST) -> set[str]:
    """Every name and attribute that is used in `node`."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
    }


def test_the_rooms_keep_their_walls() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_lives_in_it(module: str) -> None:
    assert ast.get_docstring(tree(module)), f"{module} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_a_concept(module: str) -> None:
    assert not NO_ROOM & set(Path(module).with_suffix("").parts)


@pytest.mark.parametrize("module", [m for m in MODULES if not ASYNC_ROOMS.fullmatch(m)])
def test_only_the_edge_is_asynchronous(module: str) -> None:
    coloured = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert [node.lineno for node in ast.walk(tree(module)) if isinstance(node, coloured)] == []


@pytest.mark.parametrize("module", [m for m in MODULES if Path(m).parts[0] not in OUTSIDE])
def test_the_server_asks_no_address(module: str) -> None:
    imported = {
        name
        for node in ast.walk(tree(module))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    clients = {name.partition(".")[0] for name in imported if CLIENTS.match(name)}
    assert clients == ASKS.get(module, set())
    assert not {"create_connection", "open_connection"} & names(tree(module))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_left_for_later(module: str) -> None:
    assert "NotImplementedError" not in names(tree(module))
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", (SOURCE / module).read_text())


@pytest.mark.parametrize("path", TESTS)
def test_no_test_is_skipped(path: str) -> None:
    code = ast.unparse(ast.parse((ROOT / path).read_text(), path))  # without comments
    assert SKIPS.findall(code) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=sha256:)", text, re.MULTILINE)
    packages = re.split(r"\n(?=\S)", text.strip())
    assert [p.splitlines()[0] for p in packages if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", p, re.DOTALL)] == []


def test_the_lock_asks_for_what_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []  # the client's
    for lock, extra in (("serve", "server"), ("warehouse", "warehouse"), ("s3", "s3")):
        lines = (ROOT / f"requirements/{lock}.in").read_text().splitlines()
        asked = [line for line in lines if not line.startswith(("#", "-c "))]
        assert sorted(asked) == sorted(project["optional-dependencies"][extra])

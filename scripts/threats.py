"""Takes away each defence that tests/threats.py names, in a copy of the project, and says whether its tests notice.

python scripts/threats.py           prints a line for each; the exit status is 1 when one goes unnoticed
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from threats import THREATS, Threat  # noqa: E402  the folder of the tests is no package

FAILED = 1  # what pytest exits with when it ran and tests failed


def copy(target: Path) -> None:
    """The code, its tests and what they look at."""
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)


def status(project: Path, test: str) -> int:
    """With what pytest exits."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", test]
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, timeout=600, check=False)
    return done.returncode


def noticed(project: Path, threat: Threat) -> bool:
    """Whether the tests pass with the defence, and fail without it."""
    file = project / "src" / "stepwell" / threat.file
    whole = file.read_text()
    before = status(project, threat.test)
    file.write_text(whole.replace(threat.was, threat.becomes))
    try:
        return before == 0 and status(project, threat.test) == FAILED
    finally:
        file.write_text(whole)


def main() -> int:
    """1 when a defence can go unnoticed."""
    unnoticed = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy(project)
        for threat in THREATS:
            found = noticed(project, threat)
            unnoticed += not found
            print(f"{'noticed' if found else 'NOT NOTICED':<12} {threat.name}  ({threat.file})", flush=True)
    print(f"{len(THREATS)} defences taken away, {unnoticed} unnoticed")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())

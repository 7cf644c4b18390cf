"""Runs demo/digits.py with the real MLflow client against a server: the one that runs, else one of its own.

STEPWELL_URL names a server. Without it, the one on http://127.0.0.1:8585 is used if it answers, and if none does, one
is started on a free port with a temporary data directory, and stopped when the demo ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / ".cache" / "clients" / "mlflow" / "bin" / "python"
USUAL = "http://127.0.0.1:8585"

sys.path.insert(0, str(ROOT / "tests"))

from serving import Server  # noqa: E402 - shared with the tests, found only after the line above


def answers(url: str) -> bool:
    """Whether a Stepwell server is ready there."""
    try:
        with urlopen(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server that is ready."""
    named = os.environ.get("STEPWELL_URL", "").rstrip("/")
    if named and not answers(named):
        sys.exit(f"demo: STEPWELL_URL is {named}, but no server answers there")
    if named or answers(USUAL):
        yield named or USUAL
        return
    with tempfile.TemporaryDirectory(prefix="stepwell-demo-") as folder, Server(Path(folder) / "data") as server:
        print(f"demo: no server runs on {USUAL}; started one on {server.url} for this demo alone", flush=True)
        yield server.url


def main() -> int:
    """Runs the demo; its exit status."""
    with serving() as url:
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
        env = {**os.environ, **quiet, "STEPWELL_URL": url, "MLFLOW_TRACKING_URI": url}
        return subprocess.run([CLIENT, "demo/digits.py", *sys.argv[1:]], cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

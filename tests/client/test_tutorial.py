"""The tutorial, line by line, as a reader runs it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

from serving import Server

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r'^```(\w+)(?: title="(\S+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
BEFORE = ("make serve\n", ". .venv/bin/activate\n")  # what this test has done already
SLOWLY = ("train.py 0.05", "train.py 0.001")  # half a minute that only somebody who looks on needs


def test_the_tutorial_does_what_it_says(server: Server, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "STEPWELL_URL": server.url, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    printed, run = "", 0
    for language, name, text in BLOCK.findall(TUTORIAL.read_text()):
        if language == "python":
            (tmp_path / name).write_text(text)
        elif language == "text":
            assert printed == text
        elif text not in BEFORE:
            command = text.replace(*SLOWLY)
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            printed, run = done.stdout, run + 1
            if "stepwell runs" in command:
                assert "rate 0.3 " in printed
    assert run >= 5
    with (tmp_path / "line" / "runs.csv").open(newline="") as rows:
        assert sorted(row["name"] for row in csv.DictReader(rows)) == sorted(2 * ["rate 0.01", "rate 0.05", "rate 0.3"])
    assert len(list((tmp_path / "line" / "points").iterdir())) == 6

"""What becomes of a command whose output nobody reads, that has nowhere to print, or that is interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving import Server, binary

STREAMS = {"nobody reads": "{} | true", "closed": "{} >&-", "closed, both": "{} >&- 2>&-", "full": "{} > /dev/full"}
UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])  # whether each line is written as it is printed


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A stopped server, on a directory with something to tell."""
    directory = tmp_path_factory.mktemp("printing") / "data"
    for number in range(3):
        told("workspace", "alias", "sap", str(number), "w", make=directory)
    return Server(directory)


def told(*arguments: str, make: Path | None = None) -> None:
    if make is not None and not make.exists():
        told("credential", "create", "--workspace", "w", "--role", "admin", "--data-dir", str(make))
    place = [] if make is None else ["--data-dir", str(make)]
    subprocess.run([binary(), *arguments, *place], check=True, capture_output=True, timeout=60)


def shell(line: str, *, unbuffered: str) -> tuple[int, str]:
    """The status of the program, and what it says on stderr."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    return done.returncode, done.stderr


@UNBUFFERED
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("command", ["audit", "check", "backup {}"])
def test_a_command_ends_without_a_trace(
    held: Server, tmp_path: Path, command: str, streams: str, unbuffered: str
) -> None:
    copy = tmp_path / "copy"
    line = f"{binary()} {command.format(copy)} --data-dir {held.data_dir}"
    status, err = shell(STREAMS[streams].format(line), unbuffered=unbuffered)
    lines = [line for line in err.splitlines() if "% of" not in line]
    if streams == "full":
        assert (status, lines[-1].endswith(": No space left on device")) == (1, True)
        assert all(line.startswith("stepwell: ") for line in lines)
    else:
        assert (status, lines) == (0, [])
    if command == "backup {}":
        assert (copy / "manifest.json").exists()


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("command", ["--help", "sync {}"])
@pytest.mark.parametrize("alone", [False, True])
def test_so_does_one_that_needs_no_store(tmp_path: Path, command: str, streams: str, *, alone: bool) -> None:
    program = f"{sys.executable} -c 'from stepwell.client.commands import main; exit(main())'" if alone else binary()
    status, err = shell(STREAMS[streams].format(f"{program} {command.format(tmp_path)}"), unbuffered="")
    assert (status, "Traceback" in err, "ignored" in err) == (int(streams == "full"), False, False), err


@pytest.mark.parametrize("streams", ["closed", "closed, both", "full", "nobody reads"])
def test_tables_of_a_server(shared_server: Server, streams: str) -> None:
    line = f"{binary()} runs --url {shared_server.url}"
    status, err = shell(STREAMS[streams].format(line), unbuffered="")
    assert (status, "Traceback" in err, "ignored" in err) == (int(streams == "full"), False, False), err


def test_a_backup_goes_on_where_nobody_watches_it(held: Server, tmp_path: Path) -> None:
    status, _ = shell(f"{binary()} backup {tmp_path}/copy --data-dir {held.data_dir} 2>&1 | true", unbuffered="1")
    assert status == 0
    assert (tmp_path / "copy" / "manifest.json").exists()


@pytest.mark.parametrize("streams", ["closed", "full"])
def test_a_server_serves_whoever_reads_what_it_says(tmp_path: Path, streams: str) -> None:
    script = tmp_path / "program"
    line = STREAMS[streams].format(f'{binary()} "$@"')
    script.write_text(f"#!/bin/bash\nexec {line}\n")
    script.chmod(0o755)
    with Server(tmp_path / "data", program=script) as server:
        assert server.running
        assert server.stop() == 0
    assert "Traceback" not in server.log_file.read_text()

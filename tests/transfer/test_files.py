"""Files of runs, out of a server and back."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from serving import Server
from stepwell.transfer.files import files_named, place_of
from transfer.conftest import Program, Stored

LARGE = bytes(range(256)) * 10_000
FILES = {"weights.bin": LARGE, "models/ä b#/empty": b"", "models/%2e.txt": b"dot"}


def put(stored: Stored, run_id: str, path: str, content: bytes) -> None:
    url = f"{stored.url}/api/v1/runs/{run_id}/artifacts/{quote(path)}"
    urllib.request.urlopen(urllib.request.Request(url, content, method="PUT"), timeout=60).close()


def held(stored: Stored, run_id: str, path: str) -> bytes:
    url = f"{stored.url}/api/v1/runs/{run_id}/artifacts/{quote(path)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


@pytest.fixture
def run_id(stored: Stored) -> str:
    """A run with files, and nothing else."""
    made = f"run {uuid4().hex}"
    stored.post("/runs", {"id": made})
    made = quote(made)
    for path, content in FILES.items():
        put(stored, made, path, content)
    return made.replace("%20", " ")


def test_files_go_out_once_and_come_in_once(program: Program, run_id: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dry = program("export", "csv", out, run_id, "--dry-run")
    assert (dry.status, "3 files of 2.6 MB; 0 are there already, 3 would be written" in dry.out) == (0, True)
    assert not out.exists()
    without = program("export", "csv", out, run_id, "--no-files")
    assert (without.status, "files of" in without.out, (out / "files").exists()) == (0, False, False)
    done = program("export", "csv", out, run_id)
    assert (done.status, done.err) == (0, "")
    assert "3 files of 2.6 MB; 0 are there already, 3 written" in done.out
    (folder,) = (out / "files").iterdir()
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    (folder / "weights.bin").write_bytes(LARGE[:-1] + b"!")  # as long as before
    (folder / "models" / "%2e.txt").unlink()
    again = program("export", "csv", out, run_id)
    assert "3 files of 2.6 MB; 1 are there already, 2 written" in again.out
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    with Server(tmp_path / "data") as server:
        other = Stored(server.url)
        first = program("import", "csv", out, "--url", server.url)
        assert (first.status, first.err) == (0, "")
        assert "3 files of 2.6 MB; 0 are on the server already, 3 sent" in first.out
        assert {path: held(other, quote(run_id), path) for path in FILES} == FILES
        (folder / "models" / "%2e.txt").write_bytes(b"new")
        second = program("import", "csv", out, "--url", server.url)
        assert "3 files of 2.6 MB; 2 are on the server already, 1 sent" in second.out
        assert held(other, quote(run_id), "models/%2e.txt") == b"new"


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b/x.wandb", "a/y.wandb", "c/z.wandb", "c/other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.wandb").mkdir()
    look = os.scandir

    def scandir(place: str) -> object:
        if place.endswith("/b"):
            raise PermissionError(13, "Permission denied", place)
        return look(place)

    monkeypatch.setattr(os, "scandir", scandir)
    told: list[str] = []
    assert files_named(tmp_path, "*.wandb", told.append) == [tmp_path / "a/y.wandb", tmp_path / "c/z.wandb"]
    assert told == [f"{tmp_path / 'b'}: Permission denied"]


def test_a_file_whose_name_is_no_text_costs_no_other(program: Program, run_id: str, tmp_path: Path) -> None:
    assert program("export", "csv", tmp_path, run_id).status == 0
    (folder,) = (tmp_path / "files").iterdir()
    (folder / os.fsdecode(b"\xff")).write_bytes(b"x")
    (folder / "zuletzt").write_bytes(b"y")
    done = program("import", "csv", tmp_path)
    assert (done.status, done.err.count("percent-encoded UTF-8")) == (1, 1)
    assert "5 files of 2.6 MB; 3 are on the server already, 1 sent" in done.out


def test_what_cannot_be_a_file_here_is_named_and_the_rest_comes(
    program: Program, stored: Stored, run_id: str, tmp_path: Path
) -> None:
    (tmp_path / "files").write_text("in the way")
    done = program("export", "csv", tmp_path, run_id)
    assert done.status == 1
    assert done.err.count("\n") == 3
    assert f"run {run_id}, file 'weights.bin': " in done.err
    assert "1 runs with 0 points" in done.out


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", "..", ""])
def test_no_path_leads_out_of_a_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no path within a folder"):
        place_of(tmp_path, path)

"""`stepwell backup` and `stepwell restore`, on a server that is being written to and where none runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serving import Server, binary

pytestmark = pytest.mark.slow  # programs are started again and again


def stepwell(*args: str | Path, status: int = 0) -> str:
    """What a command prints: its output when it succeeds, else what it complains of."""
    done = subprocess.run([binary(), *args], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def write(url: str, first: int, count: int) -> None:
    steps = list(range(first, first + count))
    body = {"series": [{"metric": "loss", "steps": steps, "values": [1 / (step + 1) for step in steps]}]}
    httpx.post(f"{url}/api/v1/runs/first/points", json=body, timeout=60).raise_for_status()


def names_in(copy: Path) -> list[str]:
    return [entry["name"] for entry in json.loads((copy / "manifest.json").read_text())["files"]]


def read(url: str) -> list[int]:
    answer = httpx.get(f"{url}/api/v1/runs/first/points", params={"metric": "loss", "limit": 100_000}, timeout=60)
    assert answer.status_code == 200, answer.text
    return [int(step) for step in answer.json()["steps"]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and a backup of it, `copy`: a run with 500 points and a file."""
    folder = tmp_path_factory.mktemp("original")
    with Server(folder / "data") as server:
        httpx.post(f"{server.url}/api/v1/runs", json={"id": "first"}, timeout=60).raise_for_status()
        write(server.url, 0, 500)
        httpx.put(
            f"{server.url}/api/v1/runs/first/artifacts/notes/a.txt", content=b"kept", timeout=60
        ).raise_for_status()
        stepwell("backup", folder / "copy", "--data-dir", folder / "data")
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """A backup to be changed."""
    return shutil.copytree(original / "copy", tmp_path / "copy")


@contextmanager
def writing(url: str) -> Iterator[list[int]]:
    """Tens of points, one after another, while the block runs; the beginnings of those that were acknowledged."""
    over, acknowledged = threading.Event(), list[int]()

    def go() -> None:
        while not over.is_set():
            write(url, len(acknowledged) * 10, 10)
            acknowledged.append(len(acknowledged) * 10)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield acknowledged
    finally:
        over.set()
        thread.join()


def test_a_backup_under_load_holds_what_was_acknowledged_before_it(tmp_path: Path):
    with Server(tmp_path / "data") as server:
        httpx.post(f"{server.url}/api/v1/runs", json={"id": "first"}, timeout=60).raise_for_status()
        with writing(server.url) as acknowledged:
            while len(acknowledged) < 20:
                time.sleep(0.01)
            before = len(acknowledged)
            assert "everything is in" in stepwell("backup", tmp_path / "copy", "--data-dir", tmp_path / "data")
    stepwell("restore", tmp_path / "copy", "--data-dir", tmp_path / "again")
    assert stepwell("check", "--data-dir", tmp_path / "again") == "no damage found\n"
    with Server(tmp_path / "again") as server:
        found = read(server.url)
    assert found == list(range(len(found))), "a moment that was, without holes"
    assert len(found) >= 10 * before


def test_it_comes_back_whole(copy: Path, tmp_path: Path):
    stepwell("restore", copy, "--data-dir", tmp_path / "again")
    with Server(tmp_path / "again") as server:
        assert read(server.url) == list(range(500))
        assert httpx.get(f"{server.url}/api/v1/runs/first/artifacts/notes/a.txt", timeout=60).content == b"kept"
        write(server.url, 500, 5)
        assert len(read(server.url)) == 505


def test_without_a_server(original: Path, copy: Path, tmp_path: Path):
    stepwell("backup", tmp_path / "second", "--data-dir", original / "data")
    assert names_in(tmp_path / "second") == names_in(copy)
    assert len(names_in(copy)) == 2


@pytest.mark.parametrize(("flags", "there"), [((), 0), (("--with-credentials",), 1)])
def test_credentials_come_along_when_asked_for(tmp_path: Path, flags: tuple[str, ...], there: int):
    data = tmp_path / "data"
    made = json.loads(
        stepwell("credential", "create", "--data-dir", data, "--workspace", "*", "--role", "admin", "--id", "cr_kept")
    )
    stepwell("backup", tmp_path / "copy", "--data-dir", data, *flags)
    content = b"".join(path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file())
    assert (hashlib.sha256(made["secret"].encode()).digest() in content) == bool(there)
    assert b"cr_kept" in content, "the audit log says that there was one"
    assert made["secret"].encode() not in content
    assert not (tmp_path / "copy" / "keys").exists()


def test_nothing_is_written_over(original: Path):
    data, copy = original / "data", original / "copy"
    assert "not empty" in stepwell("backup", copy, "--data-dir", data, status=1)
    assert "not empty" in stepwell("restore", copy, "--data-dir", data, status=1)


@pytest.mark.parametrize("name", ["stepwell.db", "blobs"])
def test_a_damaged_copy_is_not_restored(copy: Path, tmp_path: Path, name: str):
    victim = copy / name if name == "stepwell.db" else next(p for p in (copy / name).rglob("*") if p.is_file())
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    told = stepwell("restore", copy, "--data-dir", tmp_path / "again", status=1)
    assert victim.relative_to(copy).as_posix() in told
    assert list((tmp_path / "again").iterdir()) == []
    victim.unlink()
    assert "manifest says" in stepwell("restore", copy, "--data-dir", tmp_path / "again", status=1)


def test_what_is_no_copy_is_refused(original: Path, copy: Path, tmp_path: Path):
    assert "no backup" in stepwell("restore", original / "data", "--data-dir", tmp_path / "again", status=2)
    assert "no backup" in stepwell("restore", tmp_path / "nothing", "--data-dir", tmp_path / "again", status=2)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 999}))
    assert "newer Stepwell" in stepwell("restore", copy, "--data-dir", tmp_path / "again", status=2)
    outside = [*manifest["files"], {"name": "blobs/../../secret", "size": 1, "sha256": ""}]
    (copy / "manifest.json").write_text(json.dumps({**manifest, "files": outside}))
    assert "names other files" in stepwell("restore", copy, "--data-dir", tmp_path / "again", status=2)
    assert not (tmp_path / "again").exists()


def test_one_file_holds_all_of_it(original: Path, tmp_path: Path):
    file = tmp_path / "copy.zip"
    assert f"everything is in {file}" in stepwell("backup", file, "--data-dir", original / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.zip"]
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist()[-1] == "manifest.json"
        assert set(names_in(original / "copy")) <= set(archive.namelist())
    assert "exists already" in stepwell("backup", file, "--data-dir", original / "data", status=1)
    stepwell("restore", file, "--data-dir", tmp_path / "again")
    assert stepwell("check", "--data-dir", tmp_path / "again") == "no damage found\n"
    with Server(tmp_path / "again") as server:
        assert read(server.url) == list(range(500))


@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_file_is_refused_whole(original: Path, tmp_path: Path, cut: bool):
    file = tmp_path / "copy.zip"
    stepwell("backup", file, "--data-dir", original / "data")
    data = bytearray(file.read_bytes())
    half = len(data) // 2
    data[half:] = b"" if cut else bytes([data[half] ^ 8]) + data[half + 1 :]
    file.write_bytes(data)
    said = stepwell("restore", file, "--data-dir", tmp_path / "again", status=2 if cut else 1)
    assert "damaged" in said or "is not what its manifest says" in said
    assert not list(tmp_path.glob("again/*"))

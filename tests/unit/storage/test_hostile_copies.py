"""A backup that somebody else made: it fills no disk, leaves its directory by no path or link, and costs nothing."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.core.errors import Corrupt, Invalid
from stepwell.storage.embedded import EmbeddedStore, backing
from stores import NOW, RUN, W, add, make_runs

LARGE = 64 << 20  # what a small file claims to hold


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A true backup with one file, as a zip."""
    store = EmbeddedStore(tmp_path / "data", clock=lambda: NOW, background=False)
    try:
        make_runs(store, RUN)
        add(store, [(1, 1, 0.5)])
        writer = store.open_blob(workspace=W, owner=RUN, path="a.txt", at=NOW)
        writer.write(b"content")
        writer.commit()
        list(store.backup(target=tmp_path / "copy.zip"))
    finally:
        store.close()
    return tmp_path / "copy.zip"


def entries(copy: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    with zipfile.ZipFile(copy) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    return found, json.loads(found["manifest.json"])


def write(copy: Path, files: dict[str, bytes], *, links: tuple[str, ...] = ()) -> None:
    """As one zip, compressed as hard as can be; `links` claim to be symbolic links."""
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = ((stat.S_IFLNK if name in links else stat.S_IFREG) | 0o777) << 16
            archive.writestr(info, content)


def restore(copy: Path, target: Path) -> None:
    for _ in backing.restore(copy, target, form=10**6):
        pass


def blob_of(manifest: dict[str, Any]) -> dict[str, Any]:
    [found] = [each for each in manifest["files"] if each["name"].startswith("blobs/")]
    entry: dict[str, Any] = found
    return entry


class Endless(io.RawIOBase):
    """Zeros as long as somebody reads; nobody should for long."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += size
        assert self.given < LARGE, "it is written out however long it is"
        return bytes(size)


def test_no_more_is_written_than_the_manifest_says(tmp_path: Path) -> None:
    assert not backing._write_from(Endless(), tmp_path / "out", most=10)  # type: ignore[arg-type]
    assert (tmp_path / "out").stat().st_size <= 10


def test_a_bomb_is_refused_and_leaves_nothing(copy: Path, tmp_path: Path) -> None:
    files, manifest = entries(copy)
    files[blob_of(manifest)["name"]] = bytes(LARGE)
    write(copy, files)
    assert copy.stat().st_size < LARGE // 100
    with pytest.raises(Corrupt, match="is not what its manifest says"):
        restore(copy, tmp_path / "again")
    assert not list((tmp_path / "again").iterdir())


@pytest.mark.parametrize(
    "name", ["blobs/../../out", "/out", "../out", "blobs/x/../../../out", "keys/server.key", "out"]
)
def test_no_path_leads_out(copy: Path, tmp_path: Path, name: str) -> None:
    files, manifest = entries(copy)
    content = b"from outside"
    told = {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = {
        **files,
        name: content,
        "manifest.json": json.dumps({**manifest, "files": [*manifest["files"], told]}).encode(),
    }
    write(copy, files)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Invalid, match="names other files"):
        restore(copy, tmp_path / "again")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_becomes_a_file(copy: Path, tmp_path: Path) -> None:
    """What a zip says of the kind of a file means nothing: its content is written, into a file that was not there."""
    files, manifest = entries(copy)
    entry = blob_of(manifest)
    target = str(tmp_path / "secret").encode()
    files[entry["name"]] = target
    entry |= {"size": len(target), "sha256": hashlib.sha256(target).hexdigest()}
    files["manifest.json"] = json.dumps(manifest).encode()
    write(copy, files, links=(entry["name"],))
    restore(copy, tmp_path / "again")
    assert not [path for path in everything(tmp_path / "again") if path.is_symlink()]
    assert (tmp_path / "again" / entry["name"]).read_bytes() == target


def everything(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")

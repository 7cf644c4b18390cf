"""The file that holds the server's key."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stepwell.core.errors import Invalid
from stepwell.services.sealing import ServerKey
from stepwell.web import key_file


def code(key: ServerKey) -> bytes:
    return key.code(b"p", b"m")


def test_a_missing_key_is_made_once_for_its_owner_alone(tmp_path: Path):
    path = tmp_path / "data" / "keys" / "server.key"
    made = key_file.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(bytes.fromhex(path.read_text())) == 32
    assert [each.name for each in path.parent.iterdir()] == ["server.key"]
    assert code(key_file.load(path)) == code(made)
    assert code(key_file.load(tmp_path / "other.key")) != code(made)


def test_whoever_is_faster_decides(tmp_path: Path):
    path = tmp_path / "server.key"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(code(key_file.load(path)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["server.key"]


@pytest.mark.parametrize("text", ["", "5eed5eed", "x" * 64, "0" * 63, "0" * 65, "é" * 64, "0" * 2000])
def test_a_file_that_holds_something_else_is_refused_without_showing_it(tmp_path: Path, text: str):
    path = tmp_path / "server.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Invalid, match="does not hold 64 hexadecimal digits") as caught:
        key_file.load(path)
    assert caught.value.field == "key_file"
    assert not text or text not in caught.value.message
    assert path.read_text() == text


def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path):
    path = tmp_path / "server.key"
    path.write_text("0" * 64)
    path.chmod(0o644)
    with pytest.raises(Invalid, match="chmod 600"):
        key_file.load(path)
    path.chmod(0o640)
    key_file.load(path)


def test_servers_without_a_shared_folder_are_given_their_key(tmp_path: Path):
    path = tmp_path / "server.key"
    with pytest.raises(Invalid, match="same") as refused:
        key_file.load(path, make=False)
    assert refused.value.field == "key_file"
    assert not path.exists()
    made = key_file.load(path)
    assert code(key_file.load(path, make=False)) == code(made)


def test_a_place_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        key_file.load(tmp_path / "file" / "server.key")

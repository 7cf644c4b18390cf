"""What a warehouse does not do it refuses, and says what to do instead."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving import binary
from stepwell.core.errors import Conflict
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address
from stores import Shelf

REFUSED: dict[str, tuple[Callable[[Store, Path], object], str]] = {
    "a backup": (lambda store, folder: store.backup(target=folder / "copy"), "warehouse.md"),
}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    yield shelf
    shelf.close()


@pytest.mark.parametrize(("call", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_words(
    shelf: Shelf, tmp_path: Path, call: Callable[[Store, Path], object], words: str
) -> None:
    with pytest.raises(Conflict, match=words):
        call(shelf.store, tmp_path)
    assert shelf.store.list_bounds() == []
    assert not (tmp_path / "copy").exists()


# What is wrong with a place, and the word by which who reads it knows what to do.
UNREACHED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "a database that is not there": ("catalog", lambda url: url.replace("/test_", "/none_"), "does not exist"),
    "a user that is not there": ("catalog", lambda url: url.replace("//postgres@", "//nobody@"), "nobody"),
    "no TLS": ("catalog", lambda url: f"{url}?sslmode=require", "SSL"),
    "a port that nobody listens on": ("catalog", lambda _: "postgresql://127.0.0.1:1/stepwell", "refused"),
    "two such": ("catalog", lambda _: "postgresql://127.0.0.1:1,127.0.0.1:2/stepwell", "port: '1'"),
    "the same of ClickHouse": ("clickhouse", lambda _: "clickhouse://127.0.0.1:1/stepwell", "refused"),
    "a database of ClickHouse": ("clickhouse", lambda url: url.replace("/test_", "/none_"), "doesn't exist"),
}


@pytest.mark.parametrize("command", ["migrate", "check"])
@pytest.mark.parametrize(("part", "wrong", "word"), UNREACHED.values(), ids=UNREACHED)
def test_why_a_server_is_not_reached_is_told_once(
    store: str, command: str, part: str, wrong: Callable[[str], str], word: str
) -> None:
    address = Address.of(store)
    parts = {"clickhouse": address.clickhouse, "catalog": address.catalog}
    parts[part] = wrong(parts[part])
    url = Address(**parts, files=address.files).url
    done = subprocess.run(
        [str(binary()), command, "--store", url], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert word in line

"""What a warehouse does not do it refuses, and says what to do instead."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from serving import binary
from stepwell.core.errors import Conflict, Invalid
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address, migrate
from stores import Shelf
from warehouse.making import make

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


def test_a_server_without_the_folder_of_the_others_does_not_start(store: str, tmp_path: Path) -> None:
    """As where it is not mounted: a key of its own would refuse what the others signed, and files would go nowhere."""
    made = (str(binary()), "credential", "create", "--workspace", "*", "--role", "admin", "--store")
    subprocess.run([*made, store], check=True, capture_output=True, timeout=60)
    here = Address.of(store)
    elsewhere = Address(clickhouse=here.clickhouse, catalog=here.catalog, files=tmp_path / "elsewhere").url
    for command in ([*made, elsewhere], [str(binary()), "serve", "--port", "0", "--store", elsewhere]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode != 0, "mounted" in done.stderr) == (True, True), done.stderr
    assert not list((tmp_path / "elsewhere").rglob("*.key"))


def test_a_database_that_cannot_hold_all_texts_is_refused(
    clickhouse_server: str, postgres_server: str, tmp_path: Path
) -> None:
    made = make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path / "files", migrated=False)
    name = made.catalog.rpartition("/")[2]
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        words = f"CREATE DATABASE {name}_latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(words.encode())
        try:
            with pytest.raises(Invalid, match="UTF8"):
                migrate(Address(clickhouse=made.clickhouse, catalog=f"{made.catalog}_latin", files=tmp_path))
        finally:
            connection.execute(f"DROP DATABASE {name}_latin WITH (FORCE)".encode())

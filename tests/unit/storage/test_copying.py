"""Rows of the catalog from one database into another."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import apsw
import pytest

from stepwell.storage.catalog import copying

ELSEWHERE = {"meta"}  # of the file itself


def database(script: str) -> Any:
    connection = apsw.Connection(":memory:")
    connection.execute(script)
    return connection


def catalog(engine: str, file: str) -> str:
    return files(f"stepwell.storage.{engine}").joinpath(file).read_text("utf-8")


def test_no_table_of_the_catalog_is_forgotten():
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", catalog("embedded", "catalog.sql")))
    assert tables - ELSEWHERE == set(copying.TABLES)


@pytest.mark.parametrize("table", copying.TABLES)
def test_a_table_has_the_same_columns_in_both_engines(table: str):
    sqlite = copying.columns(database(catalog("embedded", "catalog.sql")), table)
    [body] = re.findall(
        rf"CREATE TABLE {table} \((.*?)^\)", catalog("warehouse", "migrations/0001_catalog.sql"), re.M | re.S
    )
    there = set(re.findall(r'^    "?([a-z]\w*)', body, re.M))
    assert set(sqlite) <= there
    assert set(copying.TABLES[table]) <= set(sqlite)


def test_pages_hold_each_row_once_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copying, "PAGE", 3)
    here = database("CREATE TABLE tag (run_key, name, value)")
    rows = [(run, name, f"{run}{name}\0\x01") for run in range(4) for name in "abc"]
    copying.put(here, "tag", ["run_key", "name", "value"], reversed(rows))
    pages = list(copying.pages(here, "tag", ["run_key", "name", "value"]))
    assert [row for page in pages for row in page] == rows
    assert [len(page) for page in pages] == [3, 3, 3, 3]
    after = list(copying.pages(here, "tag", ["run_key", "name", "value"], after=(2, "b")))
    assert [row for page in after for row in page] == rows[8:]


def test_a_checksum_tells_every_difference():
    names = ["run_key", "name", "value"]
    contents: list[list[Any]] = [
        [(1, "a", "x"), (1, "b", "y")],
        [(1, "b", "y"), (1, "a", "x")],
        [(1, "a", "x"), (1, "b", b"y")],
    ]
    tables = [database("CREATE TABLE tag (run_key, name, value)") for _ in contents]
    for here, rows in zip(tables, contents, strict=True):
        copying.put(here, "tag", names, rows)
    first, same, other = (copying.checksum(here, "tag", names) for here in tables)
    assert first == same
    assert (first[0], other[0]) == (2, 2)
    assert first != other

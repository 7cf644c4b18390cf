"""Files: all of an owner's, however deep they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.clock import system_clock
from stepwell.core.model import NewRun, RunWrite
from stepwell.core.store import Store
from stepwell.services import artifacts, ingest
from stepwell.storage import open_store

OF_RUN = {"workspace": "w", "owner": "r"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data", clock=system_clock)
    made = NewRun(id="r", name="r", origin="test", at=1)
    ingest.write(opened, workspace="w", write=RunWrite(run_id="r", make=made, at=1)).result()
    yield opened
    opened.close()


def test_a_walk_finds_every_file_once_folder_by_folder(store: Store):
    paths = ["b", "a/z", "a/b/c", "a/a", "c/d/e/f"]
    for path in paths:
        writer = artifacts.begin(store, **OF_RUN, path=path, now=7)
        writer.write(path.encode())
        writer.commit()
    found = list(artifacts.walk(store, **OF_RUN))
    assert [each.path for each in found] == ["b", "a/a", "a/z", "a/b/c", "c/d/e/f"]
    assert [each.size for each in found] == [len(each.path) for each in found]


def test_a_walk_of_nothing_finds_nothing(store: Store):
    assert list(artifacts.walk(store, **OF_RUN)) == []

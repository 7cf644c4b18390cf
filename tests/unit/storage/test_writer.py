"""The thread that writes: what a group's requests are told, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepwell.core.errors import Conflict, StorageFailed
from stepwell.core.model import RunWrite
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.embedded.writer import Request
from stores import NOW, RUN, W, add, make_runs, read_rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    yield store
    store.close()


@contextmanager
def one_commit(store: EmbeddedStore) -> Iterator[None]:
    """What is written meanwhile waits, and is one group."""
    begun, go = threading.Event(), threading.Event()

    def run(connection: object, stage: object) -> None:
        begun.set()
        go.wait(60)

    future = store._writer.submit(Request(run=run, alone=True, outside=True))
    begun.wait(60)
    yield
    go.set()
    future.result(60)


def param(value: str) -> RunWrite:
    return RunWrite(run_id=RUN, params={"p": value}, at=NOW)


def broken(connection: object, stage: object) -> None:
    raise ZeroDivisionError


def test_a_refusal_rests_on_nothing_that_is_taken_back(store: EmbeddedStore) -> None:
    """The second is refused for what the first stores; the third takes both back."""
    with one_commit(store):
        first, second = (store.write(workspace=W, writes=[param(value)]) for value in "12")
        third = store._writer.submit(Request(run=broken, guarded=False))
    for future in (first, second, third):
        with pytest.raises(StorageFailed, match="ZeroDivisionError"):
            future.result(60)
    store.write(workspace=W, writes=[param("2")]).result(60)


def test_a_refusal_is_alone(store: EmbeddedStore) -> None:
    with one_commit(store):
        first, second = (store.write(workspace=W, writes=[param(value)]) for value in "12")
    first.result(60)
    with pytest.raises(Conflict, match="param 'p'"):
        second.result(60)
    add(store, [(1, 1, 1.0)])
    assert len(read_rows(store)) == 1

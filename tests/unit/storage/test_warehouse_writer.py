"""The writer of a warehouse puts what clients ask for at once into one transaction. Transactions are counted here, and
there is no database.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, cast

import pytest

from stepwell.core.errors import Busy, StorageFailed
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.pacing import HEAD_POINTS, Pace
from stepwell.storage.warehouse import writer
from stepwell.storage.warehouse.database import Connection, Database
from stepwell.storage.warehouse.writer import Writer

AT_ONCE = 3


class Kept:
    """A database and those who join, of which only the sizes of the transactions are known. `begun`: one has begun;
    `goes_on`: it may end."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.begun = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """As Database."""
        yield cast("Connection", None)

    def join(self, connection: Connection, changes: Sequence[Any]) -> list[None]:
        """As Joining."""
        self.groups.append(len(changes))
        self.begun.set()
        assert self.goes_on.wait(60)
        return [None for _ in changes]

    def rolled_back(self) -> None:
        """As Joining."""


def opened(kept: Kept, pace: Pace | None = None) -> Writer:
    quotas = Quotas(count_points=lambda connection, workspace: 0)
    return Writer(cast("Database", kept), quotas=quotas, joining=kept, pace=pace or Pace(lambda: 0))


def asked(changing: Writer) -> Future[None]:
    return changing.join("something", runs=())


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def changing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Each transaction takes half a minute, if the clock is asked."""
    monkeypatch.setattr(writer, "perf_counter", itertools.count(step=30).__next__)
    changing = opened(kept)
    yield changing
    changing.close()


@pytest.fixture
def several(changing: Writer, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Some clients wrote at once, and the writer is patient from now on."""
    monkeypatch.setattr(writer, "GATHERING", 0.0)
    kept.goes_on.clear()
    futures = [asked(changing)]
    assert kept.begun.wait(60)
    futures += [asked(changing) for _ in range(AT_ONCE)]
    kept.goes_on.set()
    for future in futures:
        future.result(60)
    assert kept.groups == [1, AT_ONCE]
    kept.groups.clear()
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    return changing


def test_clients_that_come_back_together_are_one_transaction(several: Writer, kept: Kept) -> None:
    for _ in range(3):
        first, *others = [asked(several) for _ in range(AT_ONCE - 1)]
        with pytest.raises(TimeoutError):
            first.result(0.05)
        for future in (first, *others, asked(several)):
            future.result(60)
    assert kept.groups == [AT_ONCE, AT_ONCE, AT_ONCE]


def test_who_writes_alone_waits_for_nobody(changing: Writer, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    for _ in range(3):
        asked(changing).result(10)
    assert kept.groups == [1, 1, 1]


def test_who_comes_back_at_once_is_one_client(changing: Writer, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    kept.goes_on.clear()
    first, again = asked(changing), Future[Future[None]]()
    first.add_done_callback(lambda _: again.set_result(asked(changing)))
    kept.goes_on.set()
    again.result(10).result(10)
    assert kept.groups == [1, 1]


def test_who_does_not_come_back_is_waited_for_once(several: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHERING", 0.05)
    asked(several).result(10)
    monkeypatch.setattr(writer, "GATHERING", 60.0)
    asked(several).result(10)


def test_nobody_is_waited_for_beyond_a_whole_group(several: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GROUP", 1)
    asked(several).result(10)


def test_a_pause_makes_one_transaction_of_what_comes_meanwhile(kept: Kept) -> None:
    pace = Pace(lambda: HEAD_POINTS)
    pace.took(1)
    assert pace.left() > 0
    changing = opened(kept, pace)
    waiting = [asked(changing) for _ in range(AT_ONCE)]
    with pytest.raises(TimeoutError):
        waiting[0].result(0.05)
    changing.close()  # waits for no pause
    for future in waiting:
        future.result(0)
    assert kept.groups == [AT_ONCE]


def test_the_end_does_what_waits(several: Writer, kept: Kept) -> None:
    waiting = asked(several)
    several.close()
    waiting.result(0)
    assert kept.groups == [1]
    several.close()
    with pytest.raises(StorageFailed):
        asked(several)


def test_a_full_queue_takes_nothing_more(changing: Writer, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUE", 2)
    kept.goes_on.clear()
    futures = [asked(changing)]
    assert kept.begun.wait(60)
    futures += [asked(changing) for _ in range(2)]
    with pytest.raises(Busy):
        asked(changing)
    assert changing.queued == 2
    kept.goes_on.set()
    for future in futures:
        future.result(60)

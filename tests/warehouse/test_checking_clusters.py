"""What a check says of a warehouse on a cluster of ClickHouse; and that a repair reaches each shard and replica."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stepwell.cli import main
from stepwell.core.errors import Busy
from stepwell.storage.warehouse import WarehouseStore
from stepwell.storage.warehouse.points import ClickHouse
from stores import LOSS, RUN, Shelf, add, make_runs, read_rows, rows_told, selector
from warehouse.clusters import Cluster, cluster
from warehouse.making import make_on
from warehouse.places import TIGHT
from warehouse.servers import Process, temporary_folder
from warehouse.test_checking import LONG, OTHER, assert_sound, move, repaired, rows, said, trim
from warehouse.test_server_faults import until

SERIES = 2  # of each run: keys follow each other, and a key says the shard
pytestmark = [pytest.mark.slow, pytest.mark.long]


class Ships:
    """A cluster with a warehouse on it, whose points ClickHouse alone has."""

    def __init__(self, running: Cluster, postgres: str, files: Path) -> None:
        self.cluster = running
        self.address = make_on(running, postgres=postgres, files=files)
        self.database = self.address.clickhouse.rpartition("/")[2].partition("?")[0]
        self.store = self.open()
        make_runs(self.store, RUN, OTHER)

    def open(self) -> WarehouseStore:
        return WarehouseStore(self.address, clock=Shelf.clock, background=False, sizes=TIGHT)

    @property
    def replicas(self) -> list[Process]:
        return [each for shard in self.cluster.replicas for each in shard]

    def told(self, server: Process, statement: str) -> list[tuple[int, ...]]:
        """What one replica answers by itself, without those that it could ask."""
        with closing(ClickHouse(f"clickhouse://{server.address}:{server.port}/{self.database}", size=1)) as alone:
            width = statement.partition(" FROM ")[0].count(",") + 1
            columns = alone.select(statement, {}, [np.int64] * width)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def lose(self, table: str, which: str) -> None:
        """Rows go from all replicas as nothing of ours would do it."""
        count = f"SELECT count() FROM {table}_local WHERE {which}"
        assert any(self.told(each, count) != [(0,)] for each in self.replicas)
        self.store._clickhouse.run(f"ALTER TABLE {table} DELETE WHERE {which}")
        until(lambda: all(self.told(each, count) == [(0,)] for each in self.replicas), "the loss on all")

    def assert_alike(self) -> None:
        """The replicas of a shard have the same points and the same sums, and all series are summed up."""
        statements = [
            "SELECT DISTINCT run, series, step, time, value_key FROM points_local",
            "SELECT DISTINCT run, series, level, tile, number, made, count, mean FROM nodes_local",
            "SELECT run, series, max(end_step), max(checked) FROM tilings_local GROUP BY run, series",
        ]
        for statement in statements:
            until(partial(self.alike, statement), f"the same on all replicas: {statement}")
            found = [{row[1] for row in self.told(shard[0], statement)} for shard in self.cluster.replicas]
            assert all(found), "each shard has some"
            assert len(set.union(*found)) >= 2 * SERIES

    def alike(self, statement: str) -> bool:
        """Whether the replicas of each shard answer the same."""
        return all(
            len({frozenset(self.told(each, statement)) for each in shard}) == 1 for shard in self.cluster.replicas
        )


@pytest.fixture(scope="module", params=[1, 2], ids=["replicas", "shards"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with temporary_folder() as folder, cluster(folder, shards=request.param) as running:
        yield running


@pytest.fixture
def ships(fleet: Cluster, postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ships]:
    found = Ships(fleet, postgres_server, tmp_path / "files")
    with closing(found.store) as store:
        for number, run in itertools.product(range(SERIES), (RUN, OTHER)):
            add(store, rows(LONG), run, labels=rank(number))
        move(store)
        trim(store, monkeypatch)
        # ClickHouse 18.16 changes no part that is the last one with a quorum; this is another, of each shard.
        make_runs(store, "last")
        for number in range(SERIES):
            add(store, rows(1), "last", labels=rank(number))
        store.flush()
        yield found


def rank(number: int) -> tuple[tuple[str, str], ...]:
    return (("rank", str(number)),)


def places(kind: str, *runs: str) -> set[str]:
    return {f"{kind} of series {LOSS!r} rank='{number}' of run {run}" for run in runs for number in range(SERIES)}


def answers(store: WarehouseStore) -> bool:
    """Whether ClickHouse is asked again: a server that has just started does not know yet whether it is behind."""
    try:
        return read_rows(store, selector(RUN)) != []
    except Busy:
        return False


def assert_without(store: WarehouseStore, step: int) -> None:
    """All is sound, and of each series just the point at a step is gone."""
    assert_sound(store)
    left = rows_told(row for row in rows(LONG) if row[0] != step)
    for number, run in itertools.product(range(SERIES), (RUN, OTHER)):
        assert read_rows(store, selector(run, labels=rank(number))) == left


def test_a_sound_cluster_is_left_as_it_is(ships: Ships) -> None:
    assert_sound(ships.store)
    ships.assert_alike()


def test_points_that_are_gone_are_told_of_and_sums_made_anew_on_all(ships: Ships) -> None:
    ships.lose("points", "step = 5")
    wanted = places("summary", RUN, OTHER) | places("sums", RUN, OTHER)
    assert set(said(ships.store)) == wanted
    assert set(repaired(ships.store)) == wanted
    assert_without(ships.store, 5)
    ships.assert_alike()


def test_the_command_mends_a_cluster(ships: Ships, capsys: pytest.CaptureFixture[str]) -> None:
    ships.lose("points", "step = 5")
    for flags, status in (([], 1), (["--repair"], 0)):
        assert main(["check", *flags, "--store", ships.address.url]) == status
        *lines, _ = capsys.readouterr().out.splitlines()
        assert {line.partition(": ")[0] for line in lines} >= places("summary", RUN, OTHER)
    assert main(["check", "--store", ships.address.url]) == 0
    assert_without(ships.store, 5)


def test_sums_that_do_not_fit_are_made_anew_on_all(ships: Ships) -> None:
    ships.lose("nodes", "level = 1 AND number = 0")
    wanted = places("sums", RUN, OTHER)
    assert set(said(ships.store)) == wanted
    assert set(repaired(ships.store)) == wanted
    assert_sound(ships.store)
    ships.assert_alike()


def test_what_the_journal_has_still_is_put_back_on_all(ships: Ships) -> None:
    for number in range(SERIES):
        add(ships.store, rows(3, first=LONG), labels=rank(number))
    ships.store.flush()
    for number in range(SERIES):
        add(ships.store, rows(1, first=LONG + 3), labels=rank(number))
    ships.store.flush()
    ships.lose("points", f"step >= {LONG} AND step < {LONG + 3}")
    wanted = places("points", RUN)
    assert {place: cost.partition(" ")[0] for place, cost in said(ships.store).items()} == dict.fromkeys(wanted, "3")
    assert set(repaired(ships.store)) == wanted
    assert_sound(ships.store)
    ships.assert_alike()


def test_a_replica_that_is_away_gets_what_was_repaired(ships: Ships) -> None:
    ships.lose("points", "step = 5")
    wanted = places("summary", RUN, OTHER) | places("sums", RUN, OTHER)
    gone = ships.replicas[0]
    gone.kill()
    try:
        assert set(said(ships.store)) == wanted
        assert set(repaired(ships.store)) == wanted
        assert_without(ships.store, 5)
    finally:
        gone.start()
    until(lambda: answers(ships.store), "an answer")
    assert_without(ships.store, 5)
    for other in ships.cluster.replicas[0][1:]:
        other.kill()
    try:
        until(lambda: answers(ships.store), "an answer")
        assert_without(ships.store, 5)
    finally:
        for other in ships.cluster.replicas[0][1:]:
            other.start()
    until(lambda: answers(ships.store), "an answer")


def test_without_a_shard_nothing_is_taken_for_lost(ships: Ships, capsys: pytest.CaptureFixture[str]) -> None:
    for each in ships.cluster.replicas[-1]:
        each.kill()
    try:
        for flags in ([], ["--repair"]):
            assert main(["check", *flags, "--store", ships.address.url]) == 1
            shown = capsys.readouterr()
            assert shown.out == ""
            assert "ClickHouse" in shown.err
    finally:
        for each in ships.cluster.replicas[-1]:
            each.start()
    until(lambda: answers(ships.store), "an answer")
    assert_sound(ships.store)

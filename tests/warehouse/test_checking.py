"""What a check says of a warehouse whose points were damaged behind its back, and what a repair makes of that."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.cli import main
from stepwell.core import acting
from stepwell.core.audit import AuditQuery
from stepwell.core.bounds import Kept
from stepwell.core.errors import Corrupt
from stepwell.core.model import EVERYTHING
from stepwell.storage.warehouse import WarehouseStore
from stores import NOW, RUN, Row, Shelf, W, add, make_runs, read_rows, rows_told, selector
from warehouse.places import Names, servers
from warehouse.servers import wait_until

OTHER = "r2"
LONG = 18
LABELS = (("rank", "1"),)


@pytest.fixture(params=["warehouse"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine=request.param)
    make_runs(shelf.store, RUN, OTHER)
    yield shelf
    shelf.close()


# With sizes that a few points reach.
tight = pytest.mark.parametrize("shelf", ["tight warehouse"], indirect=True)


@pytest.fixture
def store(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> WarehouseStore:
    """With three series that ClickHouse alone has."""
    assert isinstance(shelf.store, WarehouseStore)
    add(shelf.store, rows(LONG))
    add(shelf.store, rows(3), labels=LABELS)
    add(shelf.store, rows(7), OTHER)
    move(shelf.store)
    trim(shelf.store, monkeypatch)
    return shelf.store


def rows(count: int, *, first: int = 0) -> list[Row]:
    return [(step, NOW + step, step / 7) for step in range(first, first + count)]


def move(store: WarehouseStore) -> None:
    """To ClickHouse, and sum up what is long."""
    store.flush()
    store._roller.roll()


def trim(store: WarehouseStore, patch: pytest.MonkeyPatch) -> None:
    """As when what was moved was kept long enough."""
    with patch.context() as now:
        now.setattr(store._mover, "_kept", -1)
        while store._mover.trim():
            pass


def lose(store: WarehouseStore, table: str, which: str) -> None:
    """Rows go from ClickHouse as nothing of ours would do it."""
    before = of(store, f"SELECT count() FROM {table} WHERE {which}")
    assert before
    store._clickhouse.run(f"ALTER TABLE {table} DELETE WHERE {which}")
    wait_until(lambda: of(store, f"SELECT count() FROM {table} WHERE {which}") == 0)


def of(store: WarehouseStore, statement: str) -> int:
    return int(store._clickhouse.select(statement, {}, [int])[0][0])


def change(store: WarehouseStore, table: str, which: str, **added: int) -> None:
    """Columns of one row have another number afterwards."""
    (names,) = store._clickhouse.select(
        f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table}'", {}, [str]
    )
    found = store._clickhouse.select(f"SELECT {', '.join(names)} FROM {table} WHERE {which}", {}, [int] * len(names))
    assert len(found[0]) == 1
    lose(store, table, which)
    columns = {str(name): column + added.get(str(name), 0) for name, column in zip(names, found, strict=True)}
    store._clickhouse.insert(table, columns)


def catalog(store: WarehouseStore, statement: str) -> None:
    with store._database.changing() as connection:
        connection.execute(statement)


def key(store: WarehouseStore, number: int) -> int:
    """Of a series, in the order in which they were made."""
    with store._database.snapshot() as connection:
        return int(connection.execute("SELECT key FROM series ORDER BY key").fetchall()[number][0])


def said(store: WarehouseStore) -> dict[str, str]:
    return {each.place: each.cost for each in store.check()}


def repaired(store: WarehouseStore) -> dict[str, str]:
    return {each.place: each.cost for each in store.repair()}


def assert_sound(store: WarehouseStore) -> None:
    """Nothing is damaged, and what is said of every series is what is read of it."""
    assert said(store) == repaired(store) == {}
    for run in (RUN, OTHER):
        for info in store.list_series(workspace=W, run_id=run):
            found = read_rows(store, selector(run, info.metric, info.labels))
            assert info.summary.count == len(found)
            assert (info.summary.first.step, info.summary.last.step) == (found[0][0], found[-1][0])
            buckets = store.read_buckets(
                workspace=W, selectors=[selector(run, info.metric, info.labels)], window=EVERYTHING, budget=3
            )
            assert int(buckets[0].count.sum()) == len(found)


def points_searched(store: WarehouseStore, run: str) -> list[int]:
    """How many points a search takes the metric for; nothing where the run has none."""
    with store._database.snapshot() as connection:
        found = connection.execute(
            "SELECT run_metric.count FROM run_metric JOIN run ON run.key = run_metric.run_key WHERE run.id = ?", (run,)
        ).fetchall()
    return [int(count) for (count,) in found]


def test_a_sound_warehouse_is_left_as_it_is(store: WarehouseStore) -> None:
    assert_sound(store)
    add(store, rows(3, first=LONG))  # waits
    assert_sound(store)
    move(store)
    assert_sound(store)


def test_points_that_are_gone_are_told_of_and_summaries_made_anew(store: WarehouseStore) -> None:
    lose(store, "points", f"series = {key(store, 2)} AND step IN (0, 6)")
    place = "summary of series 'loss' of run r2"
    cost = said(store)[place]
    assert "it says 7 points from step 0" in cost
    assert "; 5 points from step 1 (" in cost
    assert cost.endswith(": 2 are lost")
    assert repaired(store) == {place: f"{cost}; made anew of the points"}
    assert read_rows(store, selector(OTHER)) == rows_told(rows(5, first=1))
    assert_sound(store)
    add(store, rows(7), OTHER)  # whoever has them may send them again
    assert read_rows(store, selector(OTHER)) == rows_told(rows(7))
    assert_sound(store)


def test_values_that_changed_are_told_of(store: WarehouseStore) -> None:
    """As many points, with the same ends and extremes: their mean is another."""
    change(store, "points", f"series = {key(store, 2)} AND step = 3", value_key=10**15)
    assert list(said(store)) == ["summary of series 'loss' of run r2"]
    assert list(repaired(store)) == ["summary of series 'loss' of run r2"]
    assert_sound(store)


@tight
def test_of_a_long_series_sums_are_made_anew_too(store: WarehouseStore) -> None:
    lose(store, "points", f"series = {key(store, 0)} AND step = 5")
    places = ["summary of series 'loss' of run r1", "sums of series 'loss' of run r1"]
    assert list(said(store)) == list(repaired(store)) == places
    assert_sound(store)
    assert len(read_rows(store, selector(labels=()))) == LONG - 1


@tight
@pytest.mark.parametrize(
    ("level", "column"),
    [(1, "count"), *(pytest.param(*each, marks=pytest.mark.long) for each in ((0, "max_value"), (2, "mean")))],
)
def test_sums_that_do_not_fit_are_made_anew(store: WarehouseStore, level: int, column: str) -> None:
    tile = of(store, f"SELECT max(tile) FROM nodes WHERE series = {key(store, 0)}")
    change(
        store, "nodes", f"series = {key(store, 0)} AND level = {level} AND tile = {tile} AND number = 0", **{column: 1}
    )
    place = "sums of series 'loss' of run r1"
    assert list(said(store)) == [place]
    assert list(repaired(store)) == [place]
    assert of(store, f"SELECT count() FROM nodes WHERE series = {key(store, 0)}")
    assert_sound(store)


def test_what_the_journal_has_still_is_put_back(shelf: Shelf) -> None:
    store = shelf.store
    assert isinstance(store, WarehouseStore)
    add(store, rows(9))
    add(store, rows(4), labels=LABELS)
    store.flush()
    add(store, rows(3, first=9))  # this waits, and is no damage
    lose(store, "points", "step < 2")
    told = {place: cost.partition(" ")[0] for place, cost in said(store).items()}
    assert told == {"points of series 'loss' of run r1": "2", "points of series 'loss' rank='1' of run r1": "2"}
    assert all("put back from the journal" in cost for cost in repaired(store).values())
    assert of(store, "SELECT count() FROM points") == 13
    assert_sound(store)


def test_a_series_without_points_has_no_summary(store: WarehouseStore) -> None:
    lose(store, "points", f"series IN ({key(store, 1)}, {key(store, 2)})")
    told = repaired(store)
    assert set(told) == {"summary of series 'loss' rank='1' of run r1", "summary of series 'loss' of run r2"}
    assert all("; no points are there: " in cost for cost in told.values())
    assert_sound(store)
    assert [(each.labels, each.summary.count) for each in store.list_series(workspace=W, run_id=RUN)] == [((), LONG)]
    assert store.list_series(workspace=W, run_id=OTHER) == []
    assert points_searched(store, RUN) == [LONG]
    assert points_searched(store, OTHER) == []


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM summary WHERE series_key = {}",
        "UPDATE summary SET body = set_byte(body, 9, get_byte(body, 9) # 1) WHERE series_key = {}",
    ],
)
def test_summaries_that_are_gone_or_damaged_are_made_of_the_points(store: WarehouseStore, damage: str) -> None:
    catalog(store, damage.format(key(store, 2)))
    cost = said(store)["summary of series 'loss' of run r2"]
    assert "; 7 points from step 0 (0.0) to step 6 (" in cost
    assert list(repaired(store)) == ["summary of series 'loss' of run r2"]
    assert_sound(store)
    assert points_searched(store, OTHER) == [7]


def test_what_of_the_journal_cannot_be_read_is_set_aside(shelf: Shelf, store: WarehouseStore) -> None:
    add(store, rows(2, first=7), OTHER)
    catalog(store, "UPDATE journal SET payload = set_byte(payload, 15, get_byte(payload, 15) # 1)")
    again = shelf.reopen()  # another process remembers nothing of it
    assert isinstance(again, WarehouseStore)
    store = again
    with pytest.raises(Corrupt):
        store.flush()
    told = said(store)
    (place,) = (place for place in told if place.startswith("journal of run r2 from arrival "))
    assert told[place].startswith("2 points that were acknowledged cannot be read, as all of the run; ")
    assert told["run r2"].startswith("its series cannot be compared: ")
    summary = "summary of series 'loss' of run r2"
    told = repaired(store)
    assert set(told) == {place, summary}
    assert ": 2 are lost" in told[summary]
    assert_sound(store)
    assert read_rows(store, selector(OTHER)) == rows_told(rows(7))


def test_what_was_moved_is_not_lost_with_its_row_of_the_journal(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, rows(2, first=7), OTHER)
    store.flush()
    catalog(store, "UPDATE journal SET payload = set_byte(payload, 15, get_byte(payload, 15) # 1)")
    (told,) = repaired(store).values()
    assert told.startswith("2 points that ClickHouse was given; ")
    trim(store, monkeypatch)
    assert_sound(store)
    assert read_rows(store, selector(OTHER)) == rows_told(rows(9))


@tight
def test_what_is_hidden_and_what_is_purged_is_no_damage(store: WarehouseStore) -> None:
    kept = Kept(since=NOW + 4)
    assert sum(each.points for each in store.expire_points(workspace=W, experiment_id=0, kept=kept)) == 4 + 2 + 4
    assert_sound(store)
    store.purge_runs(workspace=W, run_ids=[OTHER])
    assert_sound(store)


def test_a_repair_beside_writers_loses_nothing(shelf: Shelf, store: WarehouseStore) -> None:
    """What is written meanwhile is in the summaries that are made anew."""
    lose(store, "points", f"series = {key(store, 2)} AND step = 0")
    other = shelf.borrow(shelf.directory)
    ended = threading.Event()
    written = itertools.count(7)

    def write() -> None:
        while not ended.is_set():
            add(other, rows(1, first=next(written)), OTHER)
            other.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(2):
            assert set(repaired(store)) <= {"summary of series 'loss' of run r2"}
            assert said(store) == {}
    finally:
        ended.set()
        thread.join()
    assert read_rows(store, selector(OTHER)) == rows_told(rows(next(written) - 1, first=1))
    assert_sound(store)


def test_a_repair_is_noted(store: WarehouseStore) -> None:
    lose(store, "points", f"series = {key(store, 2)} AND step = 0")
    acting.begin(lambda: acting.COMMAND)
    repaired(store)
    (entry,) = store.read_audit(query=AuditQuery(action="store", limit=10)).items
    assert (entry.action, entry.details) == ("store.repair", {"damaged": "1"})


def test_the_command_names_the_damage_and_mends_it(
    shelf: Shelf, store: WarehouseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(store, "points", f"series = {key(store, 2)} AND step = 0")
    names = Names(*(shelf.directory / "databases").read_text().split())
    place = ("--store", servers().address(names, shelf.directory / "files").url)

    def told(*flags: str) -> tuple[int, list[str]]:
        return main(["check", *flags, *place]), capsys.readouterr().out.splitlines()

    status, (line, last) = told()
    assert (status, last) == (1, "1 places are damaged")
    assert line.startswith("summary of series 'loss' of run r2: it says 7 points")
    assert told("--repair") == (
        0,
        [f"{line}; made anew of the points", "1 places were damaged; what each had is told beside it"],
    )
    assert told() == told("--repair") == (0, ["no damage found"])

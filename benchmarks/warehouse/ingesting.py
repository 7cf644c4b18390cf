"""Points through two Stepwell processes, beside what clickhouse-driver alone inserts in the same blocks."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import psycopg
from asking import Asking, Row
from clickhouse_driver import Client
from fleet import Databases, Used, null, serving

from stepwell.core.clock import system_clock
from stepwell.core.model import NewRun, PointBatch, RunWrite
from stepwell.core.series import I64, INT64_MAX, value_keys
from stepwell.storage.warehouse import Address, WarehouseStore
from stepwell.storage.warehouse.packing import pack
from stepwell.storage.warehouse.points import clusters
from stepwell.storage.warehouse.points.hosts import Place

INSERT = "INSERT INTO points (run, series, step, time, value_key, occurrence, age) VALUES"
RAW = "application/vnd.stepwell.points"
WRITERS = 8  # connections, half of them to each process, each with a run of its own
ROUNDS = 3  # of driver, null mode and Stepwell, one after another; the median ratio counts
TARGET = 0.8
START = 1_790_000_000_000_000
# Points of a block, and of a round. A block is what a client sends, waits for, and may forget then. The more points,
# the more of what ClickHouse merges later is counted: of few large blocks hardly anything.
SIZES = {1_000: 240_000, 10_000: 1_600_000, 100_000: 25_600_000}
# What an insert of ours into a cluster says: an answer when two replicas have it.
QUORUM = {**clusters.SETTINGS, **clusters.QUORUM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The points of one series in one request."""

    step: I64
    time: I64
    value: np.ndarray

    @classmethod
    def of(cls, number: int, size: int) -> Block:
        """The block of this number of a run: steps one after another, times that jitter by some milliseconds."""
        rng = np.random.default_rng(number)
        step = np.arange(number * size, (number + 1) * size, dtype=np.int64)
        return cls(
            step=step,
            time=START + step * 100_000 + rng.integers(0, 5_000, size),
            value=rng.normal(size=size).astype(np.float32).astype(np.float64),
        )

    def body(self) -> bytes:
        """A request of the native interface, in its binary form."""
        head = json.dumps({"series": [{"metric": "loss", "rows": len(self.step)}]}).encode()
        head += b" " * (-len(head) % 8)
        columns = (self.step, self.value, self.time)
        return len(head).to_bytes(8, "little") + head + b"".join(column.tobytes() for column in columns)

    def batch(self) -> PointBatch:
        """What the store is given."""
        none = np.zeros(len(self.step), np.int64)
        return PointBatch(series=(("loss", ()),), which=none, step=self.step, time=self.time, value=self.value)

    def columns(self, run: int) -> list[np.ndarray]:
        """What the table of points has, as our own insert makes it."""
        size = len(self.step)
        arrival = run * 100_000_000 + self.step
        same = (np.full(size, run, np.int64), np.full(size, run, np.int64))
        return [*same, self.step, self.time, value_keys(self.value), np.zeros(size, np.int64), INT64_MAX - arrival]


def ingest(databases: Databases, tiny: bool) -> Iterator[Row]:
    """Processor time of a point, and the ratio of points for each second of it. A server without a replica."""
    for size in SIZES:
        blocks = _blocks(size, tiny)
        rounds = [_round(databases, blocks) for _ in range(1 if tiny else ROUNDS)]
        yield from _rows(size, rounds)
    yield from _later(databases, tiny)


def quorum(databases: Databases, tiny: bool) -> Iterator[Row]:
    """The same where a point is acknowledged when it is in two places: the driver's in two replicas of ClickHouse, ours
    in PostgreSQL, and then in two replicas too."""
    for size in SIZES:
        blocks = _blocks(size, tiny)
        points = WRITERS * sum(len(block.step) for block in blocks)
        rounds = [
            (
                _driver(databases, databases.warehouse(), blocks).over(points),
                _stepwell(databases, databases.warehouse(), blocks).over(points),
            )
            for _ in range(1 if tiny else ROUNDS)
        ]
        what = f"blocks of {size:,} points"
        for who, used in zip(("driver alone", "two processes"), zip(*rounds, strict=True), strict=True):
            yield Row(part="quorum", what=f"{what}: {who}, us a point", found=str(_median(used)))
        ratio = statistics.median(driver.whole / stepwell.whole for driver, stepwell in rounds)
        yield _against(ratio, part="quorum", what=what, wanted=TARGET)


def _blocks(size: int, tiny: bool) -> list[Block]:
    """Of each writer."""
    return [Block.of(number, size) for number in range(max(SIZES[size] // size // WRITERS // (10 if tiny else 1), 2))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Microseconds of processor time for each point."""

    driver: Used
    floor: Used
    parsing: Used
    stepwell: Used


def _round(databases: Databases, blocks: Sequence[Block]) -> Round:
    points = WRITERS * sum(len(block.step) for block in blocks)
    return Round(
        driver=_driver(databases, databases.warehouse(), blocks).over(points),
        floor=_floor(databases, databases.warehouse(), blocks).over(points),
        parsing=_parsing(databases, blocks).over(points),
        stepwell=_stepwell(databases, databases.warehouse(), blocks).over(points),
    )


class _Watch:
    """Counts processor time of this process while it is on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._begun = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._begun


def _driver(databases: Databases, address: Address, blocks: Sequence[Block]) -> Used:
    """clickhouse-driver alone: the same blocks into the same table, each inserted when the one before it was."""
    client, watch = _client(databases, address), _Watch()
    before = databases.used(lambda: watch.seconds)
    for columns in _columns(blocks):
        with watch:
            client.execute(INSERT, columns, columnar=True, settings=QUORUM if databases.clustered else None)
    databases.settle()
    client.disconnect()
    return databases.used(lambda: watch.seconds) - before


def _floor(databases: Databases, address: Address, blocks: Sequence[Block]) -> Used:
    """The least that an acknowledgement by PostgreSQL can cost: each block's bytes, packed as ours are, in a commit of
    its own, and the points in ClickHouse later, in blocks of a million."""
    client, watch = _client(databases, address), _Watch()
    words = "INSERT INTO journal (run_key, first_arrival, count, payload) VALUES (1, %b, 1, %b)"
    with psycopg.connect(address.catalog, autocommit=True) as connection:
        before = databases.used(lambda: watch.seconds)
        for number, columns in enumerate(_columns(blocks)):
            payload = pack([columns[place] for place in (1, 2, 3, 4, 5)])
            with watch:
                connection.execute(words, (number, payload))
        given = _columns(blocks)
        while some := list(islice(given, max(1_000_000 // len(blocks[0].step), 1))):
            whole = [np.concatenate(column) for column in zip(*some, strict=True)]
            with watch:
                client.execute(INSERT, whole, columnar=True)
        databases.settle()
        used = databases.used(lambda: watch.seconds) - before
    client.disconnect()
    return used


def _columns(blocks: Sequence[Block]) -> Iterator[list[np.ndarray]]:
    """Of each block of each writer."""
    return (block.columns(run) for block in blocks for run in range(WRITERS))


def _client(databases: Databases, address: Address) -> Client:
    """Connected to a server."""
    database, port = Place.of(address.clickhouse).database, databases.first.port
    client = Client.from_url(f"clickhouse://127.0.0.1:{port}/{database}?use_numpy=true")
    client.execute("SELECT 1")
    return client


def _parsing(databases: Databases, blocks: Sequence[Block]) -> Used:
    with null() as server:
        return _sent(databases, [server], blocks, settled=lambda: True)


def _stepwell(databases: Databases, address: Address, blocks: Sequence[Block]) -> Used:
    """Two processes; what is acknowledged is moved to ClickHouse too before the clock stops."""
    with psycopg.connect(address.catalog, autocommit=True) as connection, serving(address, count=2) as servers:
        used = _sent(databases, servers, blocks, settled=lambda: not _waiting(connection))
        _check(connection, WRITERS * sum(len(block.step) for block in blocks))
    return used


def _sent(
    databases: Databases, servers: Sequence[Asking], blocks: Sequence[Block], *, settled: Callable[[], bool]
) -> Used:
    bodies = [block.body() for block in blocks]
    connections = [server.another() for _, server in zip(range(WRITERS), cycle(servers), strict=False)]
    for number, connection in enumerate(connections):
        connection.ask("POST", "/api/v1/runs", json.dumps({"id": f"r{number}"}).encode())

    def send(number: int) -> None:
        for body in bodies:
            connections[number].ask("POST", f"/api/v1/runs/r{number}/points", body, Content_Type=RAW)

    def cpu() -> float:
        return sum(server.cpu() for server in servers)

    before = databases.used(cpu)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(send, range(WRITERS)))
    while not settled():
        time.sleep(0.1)
    databases.settle()
    return databases.used(cpu) - before


def _waiting(connection: psycopg.Connection[tuple[int, ...]]) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT 1 FROM journal WHERE moved_at IS NULL)").fetchone()
    return row is None or bool(row[0])


def _check(connection: psycopg.Connection[tuple[int, ...]], points: int) -> None:
    row = connection.execute("SELECT sum(count) FROM run_metric").fetchone()
    if row is None or row[0] != points:
        raise RuntimeError(f"{points} points were acknowledged, and the summaries count {row}")


def _rows(size: int, rounds: Sequence[Round]) -> Iterator[Row]:
    def middle(of: Callable[[Round], float]) -> float:
        return statistics.median(of(each) for each in rounds)

    def used(of: Callable[[Round], Used]) -> Used:
        return _median([of(each) for each in rounds])

    what = f"blocks of {size:,} points"
    yield Row(part="ingest", what=f"{what}: driver alone, us a point", found=str(used(lambda r: r.driver)))
    floor = used(lambda r: r.floor)
    yield Row(part="ingest", what=f"{what}: driver and bare commits to PostgreSQL, us a point", found=str(floor))
    yield Row(part="ingest", what=f"{what}: two processes, us a point", found=str(used(lambda r: r.stepwell)))
    parsing = middle(lambda r: r.parsing.ours)
    yield Row(part="ingest", what=f"{what}: of it HTTP and parsing (null mode)", found=f"{parsing:.2f}")
    ratio = middle(lambda r: r.driver.whole / r.stepwell.whole)
    yield _against(ratio, part="ingest", what=what)
    alone = middle(lambda r: r.driver.ours / r.stepwell.ours)
    yield Row(
        part="ingest", what=f"{what}: per core of the Stepwells, against the driver's own", found=f"{alone:.2f} x"
    )


def _median(used: Sequence[Used]) -> Used:
    """Of each part by itself."""
    return Used(
        ours=statistics.median(each.ours for each in used),
        postgres=statistics.median(each.postgres for each in used),
        clickhouse=statistics.median(each.clickhouse for each in used),
    )


def _against(ratio: float, *, part: str, what: str, wanted: float | None = None) -> Row:
    told = f"{what}: points per core of all servers and clients, against the driver's"
    if wanted is None:
        return Row(part=part, what=told, found=f"{ratio:.2f} x")
    return Row(part=part, what=told, found=f"{ratio:.2f} x", wanted=f"{wanted} x", holds=ratio >= wanted)


def _later(databases: Databases, tiny: bool) -> Iterator[Row]:
    """What is done behind the acknowledgement: points are summed up for charts, which is a part of what was measured
    above, and dropped from PostgreSQL five minutes after their move, which comes on top of it."""
    address, points = databases.warehouse(), 160_000 if tiny else 1_600_000
    blocks = [Block.of(number, 10_000) for number in range(points // 10_000 // WRITERS)]
    with closing(WarehouseStore(address, clock=system_clock, background=False, kept=0)) as store:
        for number in range(WRITERS):
            made = NewRun(id=f"r{number}", name="", origin="native", at=START)
            store.write(workspace="default", writes=[RunWrite(run_id=made.id, make=made, at=START)]).result()
        writes = [
            RunWrite(run_id=f"r{number}", points=block.batch(), at=START)
            for block in blocks
            for number in range(WRITERS)
        ]
        for future in [store.write(workspace="default", writes=[write]) for write in writes]:
            future.result()
        steps = {
            "moving to ClickHouse": store.flush,
            "summing up for charts": store._roller.roll,  # noqa: SLF001  a server does it by itself
            "dropping what was moved": lambda: _repeat(store._mover.trim),  # noqa: SLF001
        }
        for what, step in steps.items():
            before = databases.used(time.process_time)
            step()
            used = databases.used(time.process_time) - before
            yield Row(part="ingest", what=f"{what}, us a point", found=str(used.over(points)))


def _repeat(more: Callable[[], bool]) -> None:
    while more():
        pass

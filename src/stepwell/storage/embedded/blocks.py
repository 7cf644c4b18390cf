"""Rows of the tables of blocks: headers, payloads, nodes; and a cache of what was decoded. No reading order."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, islice, pairwise
from typing import Final, Generic, NamedTuple, TypeVar

import apsw
import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, Points
from stepwell.storage.embedded import codec, nodes
from stepwell.storage.embedded.nodes import NodeTable
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.pieces import Row
from stepwell.storage.embedded.statements import POINTS as SQL

T = TypeVar("T")
POINTS: Final = 8192  # of a full block
TOGETHER: Final = 32_768  # points of several blocks that are made at once: their columns fit the processor's cache
NODES_FROM: Final = 1024  # points; a smaller block is decoded as fast as its nodes
CACHE_BYTES: Final = 48 * 2**20
_POINT_BYTES: Final = 40
_NODE_BYTES: Final = 20 * 8
_HEADER_BYTES: Final = 600  # of memory, about


class Header(NamedTuple):
    """What is known of a block, or a tile (tiles.py), without opening it."""

    series_key: int
    id: int
    length: int  # points; of a tile all that are below it
    min_step: int
    max_step: int
    min_time: int
    max_time: int
    min_arrival: int
    max_arrival: int
    parent: int = 0  # id of the tile that stands for it
    level: int = 0  # of a tile, 1 and more


class Encoded(NamedTuple):
    """A block on its way into the database; the id of the header is not given yet (0)."""

    header: Header
    data: bytes
    nodes: bytes | None


class Blocks:
    """Reading of blocks. Threads share it; each brings its own connection."""

    def __init__(self, packer: Packer) -> None:
        self._packer = packer
        self._lock = threading.Lock()
        self._points: _Cache[Points] = _Cache(CACHE_BYTES)
        self._nodes: _Cache[NodeTable] = _Cache(CACHE_BYTES)  # by block; fine ones by its negative
        self._below: _Cache[list[Header]] = _Cache(CACHE_BYTES // 8)
        self.opened = 0  # payloads decoded since the start
        self.bytes_read = 0

    def points(self, connection: apsw.Connection, header: Header, *, keep: bool = True) -> Points:
        """All points of a block in key order; `keep`: others may ask for them. Raises Corrupt, naming the block."""
        with self._lock:
            found = self._points.get(header.id)
        if found is None:
            payload = self._payload(connection, "block_data", header)
            found = _decoded(lambda: codec.decode(payload, self._packer), header)
            if not says(header, found):
                raise Corrupt(f"block {header.id} of series {header.series_key} does not hold what its header says")
            if keep:
                with self._lock:
                    self._points.put(header.id, found, len(found) * _POINT_BYTES)
        return found

    def nodes(self, connection: apsw.Connection, header: Header) -> NodeTable:
        """The nodes of a block or a tile in key order. Raises Corrupt, naming it."""
        return self._kept(header.id, lambda: self._load_nodes(connection, header))

    def fine(self, connection: apsw.Connection, header: Header) -> NodeTable:
        """The same of nodes.FINE points each, made of the points of a block."""
        return self._kept(-header.id, lambda: nodes_of(self.points(connection, header), nodes.FINE))

    def _kept(self, number: int, make: Callable[[], NodeTable]) -> NodeTable:
        with self._lock:
            found = self._nodes.get(number)
        if found is None:
            found = make()
            with self._lock:
                self._nodes.put(number, found, len(found) * _NODE_BYTES)
        return found

    def below(self, connection: apsw.Connection, tile: Header) -> list[Header]:
        """What a tile stands for, one level down, which never changes as long as the tile is there. Raises Corrupt
        unless it adds up.
        """
        with self._lock:
            found = self._below.get(tile.id)
        if found is None:
            found = children(connection, tile)
            with self._lock:
                self._below.put(tile.id, found, len(found) * _HEADER_BYTES)
        return found

    def _load_nodes(self, connection: apsw.Connection, header: Header) -> NodeTable:
        if header.length < NODES_FROM and not header.level:
            return nodes_of(self.points(connection, header))
        # What a tile holds are nodes and nothing else.
        payload = self._payload(connection, "block_data" if header.level else "block_nodes", header)
        found = _decoded(lambda: nodes.decode(payload, self._packer), header)
        if not describes(header, found):
            raise Corrupt(f"the nodes of block {header.id} of series {header.series_key} are not those of the block")
        return found

    def _payload(self, connection: apsw.Connection, query: str, header: Header) -> bytes:
        row = SQL.one(connection, query, (header.id,))
        if row is None or not isinstance(row[0], bytes):
            raise Corrupt(f"block {header.id} of series {header.series_key} has no content")
        self.opened += 1
        self.bytes_read += len(row[0])
        return bytes(row[0])


def having(steps: I64, min_time: int, max_time: int, points: Points) -> Points:
    """The points that have one of the steps (sorted) within the times."""
    near = (points.time >= min_time) & (points.time <= max_time)
    near &= (points.step >= steps[0]) & (points.step <= steps[-1])
    some = points.take(near)
    return some.take(np.isin(some.step, steps))


def headers(connection: apsw.Connection, series_keys: Iterable[int]) -> list[Header]:
    """The roots of the series: headers of blocks that no tile stands for, and of tiles that no other stands for."""
    return [header_from(row) for key in series_keys for row in SQL.all(connection, "headers", (key,))]


def header_from(row: Sequence[object]) -> Header:
    """The header of a row. Raises Corrupt when not all of it are numbers, which the page of a table cannot tell."""
    if {int} != set(map(type, row)):
        raise Corrupt(f"the header of block {row[1]} of series {row[0]} is damaged")
    return Header(*row)  # type: ignore[arg-type]  # numbers all


def headers_of_many(connection: apsw.Connection, series_keys: Iterable[int]) -> list[Header]:
    """The same in one statement, in no order."""
    return [header_from(row) for row in SQL.all(connection, "headers_of_many", (json.dumps(list(series_keys)),))]


def children(connection: apsw.Connection, tile: Header) -> list[Header]:
    """What a tile stands for, one level down. Raises Corrupt unless it adds up."""
    found = [header_from(row) for row in SQL.all(connection, "headers_below", (tile.series_key, tile.id))]
    if sum(header.length for header in found) != tile.length:
        raise Corrupt(f"what is below tile {tile.id} of series {tile.series_key} does not hold the points it counts")
    return found


def nodes_of(points: Points, width: int | None = None) -> NodeTable:
    """Nodes of points in key order; `width`: points of each, else nodes.WIDTH."""
    if not len(points):
        return NodeTable.of(Buckets.empty())
    return NodeTable.of(Buckets.of(points, np.append(np.arange(0, len(points), width or nodes.WIDTH), len(points))))


def encode(series_key: int, points: Points, packer: Packer) -> list[Encoded]:
    """Points in key order as full blocks and a rest."""
    return encode_many([series_key], [points], packer)[0]


def encode_many(series_keys: Sequence[int], parts: Sequence[Points], packer: Packer) -> list[list[Encoded]]:
    """The same for several series: of short ones many cost little more than one."""
    found: list[list[Encoded]] = []
    begin = points = 0
    for end, part in enumerate(parts, 1):
        points += len(part)
        if points >= TOGETHER or end == len(parts):
            found += _encode_some(series_keys[begin:end], parts[begin:end], packer)
            begin, points = end, 0
    return found


def _encode_some(series_keys: Sequence[int], parts: Sequence[Points], packer: Packer) -> list[list[Encoded]]:
    cuts, counts = [0], []
    for part in parts:
        begin, end = cuts[-1], cuts[-1] + len(part)
        cuts += [*range(begin + POINTS, end, POINTS), end] if len(part) else []
        counts.append(-(-len(part) // POINTS))
    if len(cuts) == 1:
        return [[] for _ in parts]
    points, edges = Points.concat(list(parts)), np.array(cuts)
    headers = _headers(np.repeat(series_keys, counts), points, edges)
    datas = codec.encode_many(points, edges, packer)
    encoded = map(Encoded, headers, datas, _encoded_nodes(points, cuts, packer))
    return [list(islice(encoded, count)) for count in counts]


def _encoded_nodes(points: Points, cuts: Sequence[int], packer: Packer) -> list[bytes | None]:
    """The nodes of each block between two cuts, made in one pass over all; None for a small one."""
    starts = [
        range(start, end, nodes.WIDTH) if end - start >= NODES_FROM else range(start, start + 1)
        for start, end in pairwise(cuts)
    ]
    if all(len(each) == 1 for each in starts):
        return [None for _ in starts]
    table = NodeTable.of(Buckets.of(points, np.array([*chain.from_iterable(starts), len(points)])))
    ends = list(accumulate(map(len, starts)))
    return [
        nodes.encode(table.part(end - len(each), end), packer) if len(each) > 1 else None
        for each, end in zip(starts, ends, strict=True)
    ]


def _headers(series_keys: I64, points: Points, edges: I64) -> list[Header]:
    starts, lasts = edges[:-1], edges[1:] - 1
    columns = (
        series_keys,
        np.zeros(len(starts), np.int64),
        np.diff(edges),
        points.step[starts],
        points.step[lasts],
        np.minimum.reduceat(points.time, starts),
        np.maximum.reduceat(points.time, starts),
        np.minimum.reduceat(points.arrival, starts),
        np.maximum.reduceat(points.arrival, starts),
    )
    return list(map(Header, *(column.tolist() for column in columns)))


def encode_one(series_key: int, point: Row) -> Encoded:
    """The block of a series of one point."""
    step, time, value, occurrence, arrival = point
    header = Header(series_key, 0, 1, step, step, time, time, arrival, arrival)
    return Encoded(header, codec.encode_one(step, time, value, occurrence, arrival), None)


def header_of(series_key: int, points: Points) -> Header:
    """The header of a block with these points (in key order); its id is not given yet."""
    step, time, arrival = points.step, points.time, points.arrival
    numbers = step[0], step[-1], time.min(), time.max(), arrival.min(), arrival.max()
    return Header(series_key, 0, len(points), *map(int, numbers))


def says(header: Header, points: Points) -> bool:
    """Whether a header is that of these points, wherever it stands."""
    return header_of(header.series_key, points)._replace(id=header.id, parent=header.parent) == header


def describes(header: Header, found: NodeTable) -> bool:
    """Whether nodes are those of a block, as far as its header tells."""
    rows = found.numbers
    return bool(
        len(found)
        and int(rows[nodes.COUNT].sum()) == header.length
        and rows[nodes.FIRST_STEP, 0] == header.min_step
        and rows[nodes.LAST_STEP, -1] == header.max_step
        and rows[nodes.MIN_TIME].min() == header.min_time
        and rows[nodes.MAX_TIME].max() == header.max_time
    )


def insert(connection: apsw.Connection, encoded: Sequence[Encoded]) -> list[int]:
    """Put blocks in: two statements for each, one more for nodes. Answers the ids that they were given."""
    ids = [block_id for (block_id,) in SQL.each(connection, "add_block_data", ((each.data,) for each in encoded))]
    named = list(zip(ids, encoded, strict=True))
    SQL.each(connection, "add_block_nodes", ((id_, each.nodes) for id_, each in named if each.nodes is not None))
    SQL.each(connection, "add_block", ((each.header.series_key, id_, *each.header[2:]) for id_, each in named))
    return ids


def delete(connection: apsw.Connection, gone: Sequence[Header]) -> None:
    """Take blocks out. What is below a tile stays."""
    SQL.each(connection, "drop_block", ((header.series_key, header.parent, header.id) for header in gone))
    SQL.each(connection, "drop_block_data", ((header.id,) for header in gone))
    SQL.each(connection, "drop_block_nodes", ((header.id,) for header in gone))


def _decoded(decode: Callable[[], T], header: Header) -> T:
    try:
        return decode()
    except Corrupt as error:
        raise Corrupt(f"block {header.id} of series {header.series_key}: {error.message}") from error


class _Cache(Generic[T]):
    """Least recently used items up to a number of bytes. The caller holds the lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._items: OrderedDict[int, tuple[T, int]] = OrderedDict()

    def get(self, key: int) -> T | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: int, item: T, size: int) -> None:
        if key in self._items:
            return
        self._items[key] = (item, size)
        self._size += size
        while self._size > self._limit:
            self._size -= self._items.popitem(last=False)[1][1]

"""The bytes of blocks and nodes: the exact layout, the sizes that were promised, and what is refused."""

import threading
import zlib

import numpy as np
import pytest

from point_strategies import bucket_rows, identities, points_of
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import rank_edges
from stepwell.core.errors import Corrupt
from stepwell.core.series import Points
from stepwell.storage.embedded import blocks, codec, columns, nodes
from stepwell.storage.embedded.packing import (
    Packer,
    Reader,
    unpack_ints,
    unpack_values,
    widened,
)

PACKER = Packer()


def pack_ints(numbers, packer):
    return columns.pack_ints(numbers, np.array([0, len(numbers)]), packer)[0]


def pack_values(values, packer):
    return columns.pack_values(values, np.array([0, len(values)]), packer)[0]


FULL = 8192
NAN, INF = float("nan"), float("inf")


def typical(values, *, arrival=1):
    """A training's points: steps 0, 1, 2, ..., about a second apart to the millisecond, logged beside others."""
    n = len(values)
    jitter = np.random.default_rng(7).integers(-20, 21, n)
    return Points(
        step=np.arange(n),
        time=(1_750_000_000_000 + np.arange(n) * 1000 + jitter) * 1000,
        value=np.asarray(values, np.float64),
        occurrence=np.zeros(n, np.int64),
        arrival=5_000_000 + np.arange(n) * arrival,
    )


def random_values(n, seed=3):
    return np.random.default_rng(seed).normal(size=n)


def float32_born(n):
    return random_values(n).astype(np.float32).astype(np.float64)


def size_per_point(points):
    payload = codec.encode(points, PACKER)
    assert identities(codec.decode(payload, PACKER)) == identities(points)
    return len(payload) / len(points)


def whole_payload(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_the_bytes_of_a_block_of_one_point():
    payload = codec.encode(points_of([(3, -2, 1.5)], [300]), PACKER)
    assert payload == whole_payload(
        b"\xb1\x01"  # a block, version 1; one point
        b"\x02\x02\x09\x00\x03"  # lengths
        b"\x00\x06"  # step: constant, zigzag 3
        b"\x00\x03"  # time: constant, zigzag -2
        b"\x03\x00\x00\x00\x00\x00\x00\xf8\x3f"  # value: one float64
        b"\x00\xd8\x04"  # arrival: constant, zigzag 300
    )


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, 5e-324, -INF, NAN, -NAN])
@pytest.mark.parametrize("number", [0, 1, -1, 63, -65, 2**63 - 1, -(2**63)])
def test_one_point_alone_is_the_block_that_any_number_makes(number, value):
    columns = [np.array([n], np.int64) for n in (number, -1 - number, abs(number) % 7, 300)]
    step, time, occurrence, arrival = columns
    points = Points(step=step, time=time, value=np.array([value]), occurrence=occurrence, arrival=arrival)
    alone = codec.encode_one(number, -1 - number, value, abs(number) % 7, 300)
    assert alone == codec.encode(points, PACKER)
    assert identities(codec.decode(alone, PACKER)) == identities(points)


def test_the_bytes_of_a_block_of_four_points():
    rows = [(10, 7_000, 0.5), (20, 9_000, 1.5), (30, 14_000, 2.5), (40, 14_000, 3.5)]
    payload = codec.encode(points_of(rows), PACKER)
    assert payload == whole_payload(
        b"\xb1\x04"
        b"\x03\x09\x05\x00\x03"
        b"\x10\x14\x14"  # step: order 1, width 0: first 10, base 10
        b"\x41\x00\xe8\x07\x00\x07\x09\x0e\x0e"  # time: order 0 with divisor, width 1: base 0, 1000, one raw plane
        b"\x02\x01\x10\x0a\x14"  # value: one decimal: first 5, stride 10
        b"\x10\x00\x02"  # arrival: first 0, stride 1
    )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.1], 3),
        ([NAN, NAN], 3),
        ([-0.0, -0.0], 3),
        ([1.0, 2.0, 4.0], 2),
        ([0.9231, 0.9317, 0.944], 2),
        ([0.0, -0.0], 1),
        ([1.5, NAN, INF, -INF], 1),
        ([float(np.float32(0.1)), float(np.float32(0.2)), float(np.float32(3e38))], 1),
        ([0.1, NAN], 0),
        ([1e308, 1.0], 0),
        ([5e-324, 1 / 3], 0),
        ([2.0**60, 1 / 3], 0),
    ],
)
def test_values_are_told_by_the_smallest_exact_kind(values, kind):
    values = np.array(values)
    body = pack_values(values, PACKER)
    assert body[0] == kind
    back = unpack_values(memoryview(body), len(values), PACKER)
    assert back.view(np.int64).tolist() == values.view(np.int64).tolist()


def test_every_nan_becomes_the_one_nan():
    odd = np.array([0x7FF0000000000001, 0xFFF8000000000000 - 2**64, 0x7FF8000000000000], np.int64).view(np.float64)
    for values in (odd, np.append(odd, 0.1), np.append(odd, 0.5)):
        back = unpack_values(memoryview(pack_values(values, PACKER)), len(values), PACKER)
        assert back.view(np.int64)[:3].tolist() == [0x7FF8000000000000] * 3


def test_even_a_signalling_nan_of_another_writer_becomes_the_one_nan():
    bits = np.array([0x7F800001, 0xFFC00000, 0x80000000], np.uint32)
    assert widened(bits).view(np.uint64).tolist() == [0x7FF8000000000000, 0x7FF8000000000000, 0x8000000000000000]


@pytest.mark.parametrize(
    ("name", "points", "most"),
    [
        ("float32-born, jittered times", typical(float32_born(FULL)), 4.3),
        ("random float64, jittered times", typical(random_values(FULL)), 8.0),
        ("logged beside 16 others", typical(random_values(FULL), arrival=17), 8.0),
        ("counted", typical(np.arange(FULL)), 0.9),
        ("four digits", typical(np.round(random_values(FULL), 4)), 2.9),
        ("one value", typical(np.full(FULL, 0.1)), 0.9),
        ("150 points", typical(random_values(150)), 9.0),
        ("16 points", typical(random_values(16)), 13.0),
        ("one point", typical(random_values(1)), 34.0),
    ],
)
def test_blocks_are_as_small_as_promised(name, points, most):
    assert size_per_point(points) <= most, name


class Counting(Packer):
    """Counts what is compressed."""

    def __init__(self):
        super().__init__()
        self.frames = 0

    def compress(self, raw):
        self.frames += 1
        return super().compress(raw)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        (random_values(500), 2 * 8 + 2),  # two ways of the eight bytes of a value, one of the two of a time
        (np.round(random_values(500), 3), 2 * 2 + 2),
        (np.sqrt(np.arange(500)), 7 + 2),
    ],
)
def test_a_short_block_is_not_packed_in_every_way_to_find_the_smallest(values, most):
    packer = Counting()
    codec.encode(typical(values), packer)
    assert 0 < packer.frames <= most


def test_many_short_blocks_are_weighed_together(monkeypatch):
    calls = 0
    real = columns._Residuals.of

    def of(*given):
        nonlocal calls
        calls += 1
        return real(*given)

    monkeypatch.setattr(columns._Residuals, "of", staticmethod(of))
    made = [typical(random_values(20, seed=seed)) for seed in range(50)]
    blocks.encode_many([1], made[:1], PACKER)
    alone, calls = calls, 0
    found = blocks.encode_many(list(range(50)), made, PACKER)
    assert calls == alone
    assert [identities(codec.decode(one.data, PACKER)) for (one,) in found] == [identities(points) for points in made]


def test_what_chooses_the_way_of_a_long_column_packs_nothing():
    packer = Counting()
    codec.encode(typical(np.sqrt(np.arange(FULL))), packer)
    assert packer.frames == 7 + 2, "the bytes of a value, and of a time, once"


def test_a_column_that_goes_on_evenly_is_looked_at_in_one_way(monkeypatch):
    """As arrival numbers do: ten of a request, and on to the next request."""
    orders = []
    real = columns._Residuals.of

    def of(numbers, edges, order):
        orders.append(order)
        return real(numbers, edges, order)

    monkeypatch.setattr(columns._Residuals, "of", staticmethod(of))
    for count in (500, FULL):
        numbers = np.arange(count) // 10 * 8000 + np.arange(count) % 10
        body = pack_ints(numbers, PACKER)
        assert unpack_ints(memoryview(body), count, PACKER).tolist() == numbers.tolist()
        assert len(body) < count // 4
    assert orders == [1, 1, 1]


def test_nodes_of_many_blocks_are_made_in_one_pass(monkeypatch):
    made = [typical(random_values(count, seed=count)) for count in (1100, 900, 3000, 1024, 1)]
    alone = [blocks.encode(number, points, PACKER)[0].nodes for number, points in enumerate(made)]
    passes = 0
    real = Buckets.of

    def of(points, edges):
        nonlocal passes
        passes += 1
        return real(points, edges)

    monkeypatch.setattr(Buckets, "of", staticmethod(of))
    assert [one.nodes for (one,) in blocks.encode_many(range(5), made, PACKER)] == alone
    assert passes == 1
    assert [nodes is None for nodes in alone] == [False, True, False, False, True]


def test_nodes_are_as_small_as_promised():
    points = typical(float32_born(FULL))
    buckets = Buckets.of(points, np.arange(0, FULL + 1, nodes.WIDTH))
    payload = nodes.encode(nodes.NodeTable.of(buckets), PACKER)
    assert len(payload) / FULL <= 0.35
    assert str(bucket_rows(nodes.decode(payload, PACKER).buckets())) == str(bucket_rows(buckets))


@pytest.mark.parametrize("time", [0, 1, 999, 1000, -1, -1000, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("other", [0, 1, 1000, -(2**63)])
def test_nodes_keep_times_of_any_fineness(time, other):
    points = points_of([(0, other, 1.0), (1, time, 2.0), (2, other, 0.0), (3, other, 0.5)])
    buckets = Buckets.of(points, np.array([0, 2, 4]))
    payload = nodes.encode(nodes.NodeTable.of(buckets), PACKER)
    assert bucket_rows(nodes.decode(payload, PACKER).buckets()) == bucket_rows(buckets)


@pytest.mark.parametrize("count", [1, codec.MAX_POINTS])
def test_the_smallest_and_the_largest_block(count):
    points = typical(random_values(count))
    payload = codec.encode(points, PACKER)
    assert identities(codec.decode(payload, PACKER)) == identities(points)


@pytest.mark.parametrize("count", [0, codec.MAX_POINTS + 1])
def test_a_block_of_no_or_too_many_points_is_refused(count):
    with pytest.raises(ValueError, match=f"1 to 65536 points, not {count}"):
        codec.encode(typical(np.zeros(count)), PACKER)


def test_no_nodes_and_too_many_are_refused():
    with pytest.raises(ValueError, match="1 to 65536 nodes, not 0"):
        nodes.encode(nodes.NodeTable.of(Buckets.empty()), PACKER)
    points = typical(np.zeros(65_537))
    with pytest.raises(ValueError, match="not 65537"):
        nodes.encode(nodes.NodeTable.of(Buckets.of(points, rank_edges(65_537, 65_537))), PACKER)


def test_columns_that_are_not_asked_for_are_not_read():
    body = bytearray(codec.encode(typical(random_values(100)), PACKER)[:-4])
    body[-1] ^= 255  # the arrival column, under a checksum that is right again
    damaged = whole_payload(bytes(body[:-6]) + b"\xff" * 6)
    assert codec.decode(damaged, PACKER, columns=("step", "value")).step.tolist() == list(range(100))
    with pytest.raises(Corrupt):
        codec.decode(damaged, PACKER)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xb1",
        b"\xb2\x01\x00\x00\x09\x00\x00" + bytes(9),  # another version
        b"\xb1\x00\x00\x00\x00\x00\x00",  # no points
        b"\xb1\x81\x80\x04\x00\x00\x00\x00\x00",  # 65,537 points
        b"\xb1\x01\x00\x00\x09\x00\x00" + bytes(8),  # shorter than it says
        b"\xb1\x01\x00\x00\x09\x00\x00\x03" + bytes(9),  # longer
        b"\xb1\x01\x00\x00\x00\x00\x00",  # without values
        b"\xb1\x01\x00\x00\x01\x00\x00\x04",  # values of an unknown kind
        b"\xb1\x01\x00\x00\x03\x00\x00\x02\x0a\x00",  # ten decimals
        b"\xb1\x01" + b"\xff" * 12,  # a length that never ends
    ],
)
def test_a_block_that_is_none_is_corrupt(body):
    with pytest.raises(Corrupt):
        codec.decode(whole_payload(body), PACKER)


@pytest.mark.parametrize(
    "body",
    [
        b"\x09\x00",  # nine bytes a number
        b"\x30\x00\x00\x00\x00",  # order 3
        b"\x80\x00",  # a bit of the future
        b"\x10\x00",  # no base
        b"\x00\x80",  # half a number
        b"\x00" + b"\xff" * 9 + b"\x02",  # 65 bits
        b"\x00\x00\x00",  # a byte too many
        b"\x01\x00\x00\x07",  # a plane that is too short
        b"\x01\x00\x03abc",  # a frame that is none
        b"\x01\x00" + bytes([len(PACKER.compress(b"abc"))]) + PACKER.compress(b"abc"),  # a frame of another length
        b"\x01\x00" + bytes([len(PACKER.compress(b"abcdef"))]) + PACKER.compress(b"abcdef"),
        b"\x01\x00\x0a\xe0" + b"\x7f" * 9,  # a frame that claims to hold exabytes
        b"\x01\x00\x01",  # a constant plane without its byte
    ],
)
def test_a_column_that_is_none_is_corrupt(body):
    with pytest.raises(Corrupt):
        unpack_ints(memoryview(body), 4, PACKER)


def test_nodes_that_are_none_are_corrupt():
    good = nodes.encode(nodes.NodeTable.of(Buckets.of(typical([1.0, 2.0]), np.array([0, 1, 2]))), PACKER)
    for at, byte in ((0, 0xB1), (1, 3), (2, 0x10), (2, 2), (3, 0)):
        body = bytearray(good[:-4])
        body[at] = byte
        with pytest.raises(Corrupt):
            nodes.decode(whole_payload(bytes(body)), PACKER)


def test_nodes_too_random_to_compress_are_stored_as_they_are():
    random = np.random.default_rng(5)

    def noise():
        return random.integers(-(2**63), 2**63 - 1, 1)

    def samples():
        return type(one.first)(step=noise(), time=noise(), value=random.normal(size=1))

    one = Buckets.of(typical([1.0]), np.array([0, 1]))
    names = ("count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")
    counts = {name: noise() for name in names}
    ends = {name: samples() for name in ("first", "last", "min", "max")}
    finite = counts["count"] - counts["nan_count"] - counts["pos_inf_count"] - counts["neg_inf_count"]
    buckets = Buckets(finite_count=finite, mean=random.normal(size=1), m2=random.random(1) * np.pi, **counts, **ends)
    payload = nodes.encode(nodes.NodeTable.of(buckets), PACKER)
    assert payload[2] & 2
    assert bucket_rows(nodes.decode(payload, PACKER).buckets()) == bucket_rows(buckets)
    with pytest.raises(Corrupt):
        nodes.decode(whole_payload(payload[:-5]), PACKER)


def test_one_packer_serves_many_threads():
    points = typical(random_values(FULL))
    payload = codec.encode(points, PACKER)
    found = []

    def work():
        for _ in range(20):
            found.append(codec.encode(points, PACKER) == payload)
            found.append(codec.decode(payload, PACKER).value.tolist() == points.value.tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 160


def test_a_reader_refuses_to_go_past_the_end():
    reader = Reader(memoryview(b"abc"))
    assert bytes(reader.take(3)) == b"abc"
    reader.done()
    with pytest.raises(Corrupt):
        reader.take(1)


def test_zeros_take_no_bytes():
    assert pack_ints(np.zeros(100, np.int64), PACKER) == b""
    assert unpack_ints(memoryview(b""), 3, PACKER).tolist() == [0, 0, 0]

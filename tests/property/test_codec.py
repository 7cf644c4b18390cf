"""Blocks and nodes come back bit by bit, whatever they hold; and no damaged byte is ever read as a number."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from point_strategies import bucket_rows, columns, edges_of, identities, series, value_columns
from stepwell.core.buckets import Buckets
from stepwell.core.errors import Corrupt
from stepwell.core.series import Points, value_keys
from stepwell.storage.embedded import codec, nodes
from stepwell.storage.embedded import columns as column_packing
from stepwell.storage.embedded.packing import (
    Packer,
    Reader,
    fold,
    unfold,
    unpack_ints,
    unpack_values,
    varint,
    zigzag,
)

PACKER = Packer()


def pack_ints(numbers, packer):
    return column_packing.pack_ints(numbers, np.array([0, len(numbers)]), packer)[0]


def pack_values(values, packer):
    return column_packing.pack_values(values, np.array([0, len(values)]), packer)[0]


COLUMN_SETS = st.sets(st.sampled_from(codec.COLUMNS))


@given(columns())
def test_integers_come_back(numbers: Any) -> None:
    assert unpack_ints(memoryview(pack_ints(numbers, PACKER)), len(numbers), PACKER).tolist() == numbers.tolist()


@given(columns(min_size=3, max_size=30), st.integers(600, 2000))
def test_long_integer_columns_come_back(numbers: Any, size: int) -> None:
    numbers = np.resize(numbers, size)
    assert unpack_ints(memoryview(pack_ints(numbers, PACKER)), size, PACKER).tolist() == numbers.tolist()


@given(value_columns())
def test_values_come_back_bit_by_bit(values: Any) -> None:
    back = unpack_values(memoryview(pack_values(values, PACKER)), len(values), PACKER)
    assert back.dtype == np.float64
    assert value_keys(back).tolist() == value_keys(values).tolist()
    assert back.view(np.int64).tolist() == back.copy().view(np.int64).tolist()


@given(value_columns(min_size=2, max_size=30), st.integers(600, 2000))
def test_long_value_columns_come_back_bit_by_bit(values: Any, size: int) -> None:
    values = np.resize(values, size)
    back = unpack_values(memoryview(pack_values(values, PACKER)), size, PACKER)
    assert value_keys(back).tolist() == value_keys(values).tolist()


@given(columns())
def test_folding_is_undone_in_every_width(numbers: Any) -> None:
    assert unfold(fold(numbers)).tolist() == numbers.tolist()
    for size in (1, 2, 4):
        small = numbers.astype(f"i{size}")
        assert unfold(fold(small.astype(np.int64)).astype(f"u{size}")).tolist() == small.tolist()


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_come_back(number: int) -> None:
    assert Reader(memoryview(zigzag(number))).signed() == number
    assert Reader(memoryview(varint(number + 2**63))).varint() == number + 2**63


@given(st.lists(columns(), min_size=1, max_size=6))
def test_integers_packed_together_come_back(found: Any) -> None:
    edges = np.append(0, np.cumsum([len(each) for each in found]))
    bodies = column_packing.pack_ints(np.concatenate(found), edges, PACKER)
    back = [unpack_ints(memoryview(body), len(each), PACKER) for body, each in zip(bodies, found, strict=True)]
    assert [each.tolist() for each in back] == [each.tolist() for each in found]


@given(st.lists(value_columns(), min_size=1, max_size=6))
def test_values_packed_together_come_back(found: Any) -> None:
    edges = np.append(0, np.cumsum([len(each) for each in found]))
    bodies = column_packing.pack_values(np.concatenate(found), edges, PACKER)
    back = [unpack_values(memoryview(body), len(each), PACKER) for body, each in zip(bodies, found, strict=True)]
    assert [value_keys(each).tolist() for each in back] == [value_keys(each).tolist() for each in found]


@given(series(min_size=1, max_size=80), COLUMN_SETS)
def test_blocks_come_back(points: Points, wanted: set[str]) -> None:
    payload = codec.encode(points, PACKER)
    assert identities(codec.decode(payload, PACKER)) == identities(points)
    part = codec.decode(memoryview(payload), PACKER, columns=wanted)
    for name in codec.COLUMNS:
        column, full = getattr(part, name), getattr(points, name)
        assert len(column) == len(points)
        if name not in wanted:
            assert np.isnan(column).all() if name == "value" else not column.any()
        elif name == "value":
            assert value_keys(column).tolist() == value_keys(full).tolist()
        else:
            assert column.tolist() == full.tolist()


@given(st.data(), series(min_size=1, max_size=80))
def test_nodes_come_back(data: st.DataObject, points: Points) -> None:
    buckets = Buckets.of(points, data.draw(edges_of(len(points))))
    back = nodes.decode(nodes.encode(nodes.NodeTable.of(buckets), PACKER), PACKER).buckets()
    assert str(bucket_rows(back)) == str(bucket_rows(buckets))  # as text, NaN equals itself


@settings(max_examples=15)
@given(st.data(), series(min_size=1, max_size=30))
def test_no_flipped_byte_and_no_cut_is_read(data: st.DataObject, points: Points) -> None:
    buckets = Buckets.of(points, data.draw(edges_of(len(points))))
    flip = data.draw(st.integers(1, 255))
    for payload, decode in (
        (codec.encode(points, PACKER), codec.decode),
        (nodes.encode(nodes.NodeTable.of(buckets), PACKER), nodes.decode),
    ):
        for at in range(len(payload)):
            damaged = bytearray(payload)
            damaged[at] ^= flip
            with pytest.raises(Corrupt):
                decode(bytes(damaged), PACKER)
            with pytest.raises(Corrupt):
                decode(payload[:at], PACKER)
        with pytest.raises(Corrupt):
            decode(payload + b"\x00", PACKER)


@settings(max_examples=200)
@given(st.data(), series(min_size=1, max_size=30))
def test_bytes_with_a_right_checksum_and_wrong_content_raise_nothing_but_corrupt(
    data: st.DataObject, points: Points
) -> None:
    buckets = Buckets.of(points, data.draw(edges_of(len(points))))
    for payload, decode in (
        (codec.encode(points, PACKER), codec.decode),
        (nodes.encode(nodes.NodeTable.of(buckets), PACKER), nodes.decode),
    ):
        body = bytearray(payload[:-4])
        for _ in range(data.draw(st.integers(1, 3))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        try:
            found = decode(bytes(body) + zlib.crc32(body).to_bytes(4, "little"), PACKER)
        except Corrupt:
            continue
        assert len(found) >= 1

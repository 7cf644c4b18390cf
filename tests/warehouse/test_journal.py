"""The bytes of the journal: what is written comes back, damage is seen."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Corrupt
from stepwell.core.series import Points, values_of
from stepwell.storage.warehouse import journal
from stepwell.storage.warehouse.points import Rows

INT64 = st.integers(-(2**63), 2**63 - 1)


def rows_of(table: list[tuple[int, int, int, int, int]]) -> Rows:
    series, step, time, keys, occurrence = np.array(table, np.int64).reshape(-1, 5).T
    points = Points(
        step=step, time=time, value=values_of(keys), occurrence=occurrence, arrival=np.zeros(len(step), np.int64)
    )
    return Rows(run=np.full(len(step), 7, np.int64), series=series, points=points)


ONE = rows_of([(1, 2, 3, 4, 0), (1, 3, 3, -5, 1)])


@given(
    table=st.lists(st.tuples(INT64, INT64, INT64, st.integers(-(2**62), 2**62), INT64), min_size=1, max_size=5),
    first=st.integers(0, 2**62),
)
def test_points_come_back_with_their_arrivals(table: list[tuple[int, int, int, int, int]], first: int) -> None:
    rows = rows_of(table)
    found = journal.decode(journal.encode(rows, run_key=7, first_arrival=first), run_key=7, first_arrival=first)
    for ours, theirs in zip(rows.identities(), found.identities(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found.run.tolist() == [7] * len(table)
    assert found.points.arrival.tolist() == list(range(first, first + len(table)))


def test_every_damaged_byte_is_seen() -> None:
    payload = journal.encode(ONE, run_key=7, first_arrival=5)
    for at in range(len(payload)):
        if at in (1, 2, 3):  # nothing is there
            continue
        damaged = bytearray(payload)
        damaged[at] ^= 1
        with pytest.raises(Corrupt):
            journal.decode(bytes(damaged), run_key=7, first_arrival=5)


def test_what_is_cut_short_is_seen() -> None:
    payload = journal.encode(ONE, run_key=7, first_arrival=5)
    for length in range(len(payload)):
        with pytest.raises(Corrupt):
            journal.decode(payload[:length], run_key=7, first_arrival=5)


def test_rows_of_the_first_version_are_read() -> None:
    """Their columns stand there as they are."""
    body = np.stack(ONE.identities()).astype("<i8").tobytes()
    sealed = struct.pack("<qqI", 7, 5, 2)
    payload = struct.pack("<BxxxII", 1, 2, zlib.crc32(body, zlib.crc32(sealed))) + body
    found = journal.decode(payload, run_key=7, first_arrival=5)
    for ours, theirs in zip(ONE.identities(), found.identities(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found.points.arrival.tolist() == [5, 6]


@pytest.mark.parametrize(("run_key", "first_arrival"), [(8, 5), (7, 6)])
def test_bytes_of_another_row_are_seen(run_key: int, first_arrival: int) -> None:
    payload = journal.encode(ONE, run_key=7, first_arrival=5)
    with pytest.raises(Corrupt):
        journal.decode(payload, run_key=run_key, first_arrival=first_arrival)

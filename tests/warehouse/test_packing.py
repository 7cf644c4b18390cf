"""Columns in few bytes: what was packed comes back, however far its numbers lie apart; other bytes are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stepwell.core.errors import Corrupt
from stepwell.storage.warehouse import packing

NEAR = st.integers(0, 70_000)
ANY = st.integers(-(2**63), 2**63 - 1)
HEAD = 17  # bytes of a column before its numbers


@given(
    columns=st.integers(1, 50).flatmap(
        lambda count: st.lists(
            st.one_of(*(arrays.arrays(np.int64, count, elements=each) for each in (NEAR, ANY))), max_size=4
        )
    )
)
def test_columns_come_back(columns: list[np.ndarray]) -> None:
    count = len(columns[0]) if columns else 1
    found = packing.unpack(packing.pack(columns), count=count, columns=len(columns))
    for ours, theirs in zip(columns, found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("column", "width"),
    [
        (np.arange(1000), 0),
        (np.arange(1000) // 2, 1),
        (np.arange(1000) ** 2, 2),
        (np.arange(1000) ** 3, 4),
        (np.arange(1000) ** 6, 8),
    ],
)
def test_the_nearer_numbers_are_the_fewer_bytes_they_take(column: np.ndarray, width: int) -> None:
    differences = 1000 if width == packing.WHOLE else 999
    assert len(packing.pack([column])) == HEAD + differences * width


@pytest.mark.parametrize("damaged", [b"\x03" + bytes(60), b"\x01" + bytes(60), bytes(3), bytes(18)])
def test_other_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(Corrupt):
        packing.unpack(damaged, count=10, columns=1)

"""Journal payloads: back exactly, or Corrupt."""

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepwell.core.errors import Corrupt
from stepwell.storage.embedded.journal import Compressor

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(hnp.arrays(np.int64, st.tuples(st.just(5), st.integers(1, 60)), elements=INT64))
def test_a_payload_comes_back(columns: np.ndarray) -> None:
    compressor = Compressor()
    assert (compressor.decode(compressor.encode(columns, first_arrival=7), first_arrival=7) == columns).all()


@pytest.mark.parametrize("count", [1, 31, 32, 1000])
@pytest.mark.parametrize("repeated", [False, True])
def test_small_and_large_payloads_come_back(count: int, repeated: bool) -> None:
    columns = np.arange(5 * count, dtype=np.int64).reshape(5, count) * 1_000_003
    columns[4] = np.arange(count) if repeated else 0
    compressor = Compressor()
    payload = compressor.encode(columns, first_arrival=7)
    assert (compressor.decode(payload, first_arrival=7) == columns).all()
    assert len(payload) <= 12 + count * 8 * 5


@pytest.mark.parametrize("count", [1, 200])
def test_every_flipped_byte_is_noticed(count: int) -> None:
    columns = np.zeros((5, count), np.int64)
    columns[1] = np.arange(count)
    compressor = Compressor()
    payload = compressor.encode(columns, first_arrival=7)
    for place in range(len(payload)):
        damaged = bytearray(payload)
        damaged[place] ^= 0x40
        with pytest.raises((Corrupt, zstandard.ZstdError)):
            compressor.decode(bytes(damaged), first_arrival=7)


def test_a_truncated_payload_is_noticed() -> None:
    compressor = Compressor()
    payload = compressor.encode(np.ones((5, 40), np.int64), first_arrival=7)
    for length in range(len(payload)):
        with pytest.raises((Corrupt, zstandard.ZstdError)):
            compressor.decode(payload[:length], first_arrival=7)


def test_the_payload_of_another_row_is_noticed() -> None:
    compressor = Compressor()
    payload = compressor.encode(np.ones((5, 40), np.int64), first_arrival=7)
    with pytest.raises(Corrupt):
        compressor.decode(payload, first_arrival=8)

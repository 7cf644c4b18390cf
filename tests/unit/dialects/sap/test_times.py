"""RFC 3339 texts and microseconds: there and back, at the edges, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Invalid
from stepwell.dialects.sap import times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-1439, 1439),
    st.text("0123456789", max_size=12),
)
def test_what_python_says(moment: datetime, offset: int, fraction: str) -> None:
    local = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    text = local.isoformat().replace("+00:00", "Z")
    if fraction:
        text = f"{text[:19]}.{fraction}{text[19:]}"
    expected = (local - EPOCH) // timedelta(microseconds=1) + int(f"{fraction}000000"[:6])
    assert times.parse(text, "t") == expected


@given(st.integers(times.FIRST, times.LAST))
def test_there_and_back(time: int) -> None:
    text = times.text(time)
    assert len(text) == len("2026-01-02T03:04:05.123456Z")
    assert times.parse(text, "t") == time


def test_the_edges() -> None:
    assert times.text(times.FIRST) == "0001-01-01T00:00:00.000000Z"
    assert times.text(times.LAST) == "9999-12-31T23:59:59.999999Z"
    edges = np.array([times.FIRST - 1, times.FIRST, times.LAST, times.LAST + 1], np.int64)
    assert times.expressible(edges).tolist() == [False, True, True, False]


def test_a_leap_second_is_the_next_second() -> None:
    assert times.parse("2016-12-31T23:59:60.25Z", "t") == times.parse("2017-01-01T00:00:00.25Z", "t")
    assert times.parse("2016-12-31T15:59:60-08:00", "t") == times.parse("2017-01-01T00:00:00Z", "t")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yesterday", "is no RFC 3339 time"),
        ("2026-02-30T00:00:00Z", "is no time"),
        ("2026-01-01T12:00:60Z", "last minute of a UTC day"),
        ("0001-01-01T00:00:00+00:01", "outside the years 1 to 9999"),
        ("x" * 1000, r"\(1000 characters\)"),
    ],
)
def test_what_is_refused_names_its_field(text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told) as caught:
        times.parse(text, "metrics[3].timestamp")
    assert caught.value.field == "metrics[3].timestamp"
    assert caught.value.message.startswith("metrics[3].timestamp: ")

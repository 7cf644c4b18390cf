"""RFC 3339 texts from and to integer microseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.errors import Invalid
from stepwell.core.series import I64
from stepwell.dialects.sap.rules import shown

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
_TEXT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)
FIRST: Final = -62_135_596_800 * _SECOND  # the beginning of the year 1
LAST: Final = 253_402_300_800 * _SECOND - 1  # the end of the year 9999


def parse(text: str, field: str) -> int:
    """Microseconds of an RFC 3339 text; what is finer is cut off, towards the past. A leap second is the next second.

    Invalid, naming `field`: another form, a day or hour that does not exist, outside the years 1 to 9999.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Invalid(
            f"{field}: {shown(text)} is no RFC 3339 time such as 2026-01-31T23:59:59.5Z or 2026-01-31T23:59:59+02:00",
            field=field,
        )
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    offset = 60 * (60 * int(hours) + int(minutes)) * (-1 if sign == "-" else 1) if sign else 0
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{field}: {shown(text)} is no time: {error}", field=field) from None
    whole = (moment - _EPOCH) // timedelta(seconds=1) - offset
    if leap and whole % 86_400 != 86_399:
        raise Invalid(
            f"{field}: {shown(text)} is no time: only the last minute of a UTC day can have a second 60", field=field
        )
    found = (whole + leap) * _SECOND + int(f"{fraction or ''}000000"[:6])
    if not FIRST <= found <= LAST:
        raise Invalid(f"{field}: {shown(text)} is outside the years 1 to 9999 (UTC)", field=field)
    return found


def texts(times: I64) -> list[str]:
    """Times from FIRST to LAST as the clients read them: six digits of a fraction, then Z."""
    found: NDArray[np.str_] = np.datetime_as_string(times.view("datetime64[us]"), unit="us")
    return [f"{text}Z" for text in found.tolist()]


def text(time: int) -> str:
    """One time."""
    return texts(np.array((time,), np.int64))[0]


def expressible(times: I64) -> NDArray[np.bool_]:
    """Which times have a text."""
    return (times >= FIRST) & (times <= LAST)

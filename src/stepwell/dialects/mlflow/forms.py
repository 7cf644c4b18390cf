"""Which forms of a value a field of a request may take, and the sentence that says why another one may not.

README.md, "Number forms", is the same rule for people. Nothing here knows which fields there are, or reads JSON.
"""

from __future__ import annotations

import math
import re
from typing import Final

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
EXACT: Final = 2**53  # below, a JSON number with a point names one integer; from here on it may have been rounded
SHOWN: Final = 60  # characters of a refused value in its message

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Unreadable(Exception):
    """A request that does not say what its endpoint needs. `field` is a path such as metrics[3].timestamp, or ''."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Token(str):
    """NaN, Infinity or -Infinity, written bare: not JSON, but what several clients send."""

    __slots__ = ()


def text(value: object, path: str) -> str:
    """A JSON string, of characters only."""
    if not isinstance(value, str) or isinstance(value, Token):
        raise refused(value, path, "a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unreadable(f"Invalid value for parameter '{path}' supplied: half of a surrogate pair", path) from None
    return value


def integer(value: object, path: str) -> int:
    """A JSON integer, a number with a point that is integral (12.0), or digits in a string, within int64."""
    number = None
    if isinstance(value, str) and not isinstance(value, Token) and _INTEGER.fullmatch(value):
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        number = int(value)
    if number is None:
        raise refused(value, path, "an integer")
    if not INT64_MIN <= number <= INT64_MAX:
        raise refused(value, path, "an integer of 64 bits")
    return number


def double(value: object, path: str) -> float:
    """A JSON number in a double's range, true, false, NaN and the infinities bare or quoted, a number in a string."""
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        if not _JSON_NUMBER.fullmatch(value):
            raise refused(value, path, "a number")
    elif not isinstance(value, int | float):
        raise refused(value, path, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise refused(value, path, "a number that a double can hold")
    return number


def flag(value: object, path: str) -> bool:
    """true or false, bare or in a string."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, Token) and value in ("true", "false"):
        return value == "true"
    raise refused(value, path, "true or false")


def word(value: object, path: str) -> str | int:
    """A name of an enumeration or its number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return text(value, path)


def refused(value: object, path: str, wanted: str) -> Unreadable:
    """The error for a value in a form that its field does not take."""
    return Unreadable(f"Invalid value {_shown(value)} for parameter '{path}' supplied: expected {wanted}", path)


def missing(path: str) -> Unreadable:
    """The error for a field that is absent, null or empty though the endpoint needs it."""
    return Unreadable(f"Missing value for required parameter '{path}'.", path)


def _shown(value: object) -> str:
    match value:
        case True | False:
            return str(value).lower()
        case dict():
            return "of type object"
        case list():
            return "of type array"
        case Token():
            return value
        case str():
            told = value.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair cannot be sent
            return f'"{told}"' if len(told) <= SHOWN else f'"{told[:SHOWN]}..."'
        case int() if abs(value) >= 10**SHOWN:
            return f"of more than {SHOWN} digits"
        case _:
            return str(value)

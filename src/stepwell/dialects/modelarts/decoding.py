"""From bytes and query strings to the shapes of wire.py, and what is said when that fails. No endpoints here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from stepwell.core.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)
_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<place>.*)`)?", re.DOTALL)
_NAMED: Final = re.compile(r"`(?P<name>[^`]+)`$")


class BadBody(Invalid):
    """The body is not a JSON object."""


class BadQuery(Invalid):
    """An argument of the query string cannot be read."""


def body(content: bytes, shape: type[T]) -> T:
    """The message in a JSON body. BadBody, or Invalid with the field's place."""
    try:
        content.decode()  # the decoder does not look into fields that it skips
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        raise _misshaped(error, "", Invalid) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody(f"The request body is not JSON: {error}") from None
    except RecursionError:
        raise BadBody("The request body is nested too deeply.") from None


def part(value: Any, shape: type[T], *, inside: str) -> T:
    """What is understood of a part of a message. Invalid."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _misshaped(error, inside, Invalid) from None


def query(arguments: Mapping[str, str], shape: type[T]) -> T:
    """The message in query arguments; an empty one is the same as none. BadQuery."""
    try:
        return msgspec.convert({name: text for name, text in arguments.items() if text}, shape, strict=False)
    except msgspec.ValidationError as error:
        raise _misshaped(error, "", BadQuery) from None


def encode(answer: Any) -> bytes:
    """The JSON of an answer or of a part of one."""
    return msgspec.json.encode(answer)


def _misshaped(error: msgspec.ValidationError, inside: str, kind: type[Invalid]) -> Invalid:
    found = _PLACE.fullmatch(str(error))
    assert found is not None, "the pattern fits every text"
    what, place = found["what"], found["place"] or ""
    if what.startswith("Object"):
        named = _NAMED.search(what)
        place = ".".join(name for name in (place, named["name"] if named else "") if name)
    place = ".".join(name for name in (inside, place) if name)
    return kind(what, field=place or "body")

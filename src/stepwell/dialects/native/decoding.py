"""From bytes and query arguments to the shapes of `wire`.

Strict: an unknown field, a wrong type, a number out of range is Invalid and named by its place. Only bare NaN and
Infinity tokens, which JSON does not have and many writers send, are read all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import inspect

from stepwell.core.errors import Invalid

_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<place>.*)`)?", re.DOTALL)
_NAMED: Final = re.compile(r"`(?P<name>[^`]+)`$")


class Decoder:
    """Reads one shape, from a body or from a query string. Immutable; for any thread."""

    def __init__(self, shape: type[msgspec.Struct], *, name: str = "the body") -> None:
        """`name`: of what is read, in messages."""
        self._shape = shape
        self._name = name
        self._decoder = msgspec.json.Decoder(shape)
        info = inspect.type_info(shape)
        assert isinstance(info, inspect.StructType)
        self._lists = frozenset(f.name for f in info.fields if isinstance(f.type, inspect.ListType))

    def body(self, body: bytes) -> Any:
        """The message in a JSON body; an empty body is an object without fields."""
        try:
            return self._decoder.decode(body or b"{}")
        except msgspec.ValidationError as error:
            raise _misshaped(error, self._name) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if b"NaN" not in body and b"Infinity" not in body:
                raise _malformed(error, self._name) from None
        return self._convert(_parse(body, self._name), strict=True)

    def query(self, arguments: Iterable[tuple[str, str]]) -> Any:
        """The message in query arguments. Only fields that are lists may be given twice."""
        found: dict[str, Any] = {}
        for name, value in arguments:
            if name in self._lists:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise Invalid(f"{name}: given twice", field=name)
            else:
                found[name] = value
        return self._convert(found, strict=False)

    def _convert(self, value: Any, *, strict: bool) -> Any:
        try:
            return msgspec.convert(value, self._shape, strict=strict)
        except msgspec.ValidationError as error:
            raise _misshaped(error, self._name) from None
        except UnicodeEncodeError:  # where a number is wanted; other texts are looked at by those who keep them
            raise Invalid("a text holds half of a surrogate pair, which is no character") from None


def _parse(body: bytes, name: str) -> Any:
    try:
        return json.loads(body.decode(), parse_float=_double)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _malformed(error, name) from None
    except ValueError:  # what is left of them: more digits than an integer is read from
        raise Invalid(f"{name} holds an integer of thousands of digits") from None


def _double(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Invalid(f"the number {text[:40]} is larger than a 64-bit float can be")
    return value


def _misshaped(error: msgspec.ValidationError, name: str) -> Invalid:
    """The place in the message, as a path of fields, and what is wrong there."""
    found = _PLACE.fullmatch(str(error))
    assert found is not None, "the pattern fits every text"
    what, place = found["what"], found["place"] or ""
    if what.startswith("Object"):  # ... missing required field `x`, ... contains unknown field `x`
        named = _NAMED.search(what)
        place = ".".join(part for part in (place, named["name"] if named else "") if part)
    return Invalid(f"{place}: {what}" if place else f"{name}: {what}", field=place or None)


def _malformed(error: Exception, name: str) -> Invalid:
    if isinstance(error, RecursionError):
        return Invalid(f"{name} is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Invalid(f"{name} is not UTF-8 text: byte {error.start} cannot be read")
    return Invalid(f"{name} is not JSON: {error}")

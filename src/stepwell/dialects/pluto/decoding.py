"""From bytes or query arguments to the shapes of wire.py, and the report on what does not fit.

A report is a list of issues, each with the path of the field, as the vendor's validator gives it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from stepwell.core.errors import Invalid

T = TypeVar("T")

_PLACE: Final = re.compile(r" - at `(key in )?\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_NESTED: Final = 64  # levels of arrays and objects in a body


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What is wrong with one field: where, which kind of mistake, and a sentence."""

    path: tuple[str | int, ...]
    code: str
    message: str


class BadFields(Invalid):
    """A field of the request does not fit."""

    def __init__(self, issue: Issue) -> None:
        place = ".".join(map(str, issue.path))
        super().__init__(f"{place}: {issue.message}" if place else issue.message, field=place or None)
        self.issue = issue


class BadJson(Invalid):
    """The request body is not JSON."""


class Reader(Generic[T]):
    """Reads one shape. Immutable after it is made; for any thread."""

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._decoder = msgspec.json.Decoder(shape)
        self._names = frozenset(field.encode_name for field in msgspec.structs.fields(shape))  # type: ignore[arg-type]

    def body(self, body: bytes) -> T:
        """The message in a JSON body. BadJson, BadFields."""
        check_nesting(body)
        try:
            body.decode()  # the decoder does not look into fields that it skips
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise BadFields(issue_of(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadJson(f"Malformed JSON in request body: {error}") from None

    def query(self, arguments: Mapping[str, str]) -> T:
        """The message in query arguments: numbers as text. BadFields."""
        known = {name: value for name, value in arguments.items() if name in self._names}
        try:
            return msgspec.convert(known, self._shape, strict=False)
        except msgspec.ValidationError as error:
            raise BadFields(issue_of(error)) from None


def issue_of(error: msgspec.ValidationError) -> Issue:
    """The decoder's sentence, taken apart."""
    text = str(error)
    place = _PLACE.search(text)
    path = tuple(_path(place["path"])) if place else ()
    message = text[: place.start()] if place else text
    if missing := _MISSING.match(message):
        return Issue(path=(*path, missing[1]), code="invalid_type", message="Required")
    return Issue(path=path, code="invalid_type" if "got `" in message else "custom", message=message)


def refused(field: str, message: str) -> BadFields:
    """A value that has the right form but is none of those allowed: what the vendor's validator finds.

    What it cannot see, since it depends on other fields or on what is stored, is an Invalid with a sentence.
    """
    return BadFields(Issue(path=(field,), code="custom", message=message))


def check_nesting(body: bytes) -> None:
    """BadJson for a body that nests deeper than anything asked for. Cheap: most bodies have few brackets at all."""
    if body.count(b"[") + body.count(b"{") <= _NESTED:
        return
    depth = 0
    for sign in _BRACKETS.findall(_TEXT.sub(b"", body)):
        depth += 1 if sign in b"[{" else -1
        if depth > _NESTED:
            raise BadJson(f"The request body nests more than {_NESTED} levels")


def _path(text: str) -> list[str | int]:
    return [name or (int(place) if place.isdigit() else place) for name, place in _STEP.findall(text)]


def json_object(text: str | None, field: str) -> dict[str, Any] | None:
    """The object in a JSON string; None for none, and for an empty string. Invalid: no JSON, or no object."""
    value = json_value(text, field)
    if value is None or isinstance(value, dict):
        return value
    raise Invalid(f"Invalid {field} JSON: expected an object", field=field)


def json_value(text: str | None, field: str) -> Any:
    """The value in a JSON string, NaN and infinities as null; an empty one says nothing. Invalid: it is not JSON."""
    if not text:
        return None
    try:
        data = text.encode()
        check_nesting(data)
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError:
            return _with_tokens(text)
    except (BadJson, ValueError, RecursionError, UnicodeEncodeError):
        raise Invalid(f"Invalid {field} JSON", field=field) from None


def _with_tokens(text: str) -> Any:
    """What Python's json writes for floats that JSON has no number for is no JSON; a null takes their place."""
    return json.loads(text, parse_constant=lambda _: None, parse_float=double)


def double(text: str) -> float:
    """The number of a JSON text. ValueError: it is larger than a float can be, and so would be taken for infinite."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is larger than a 64-bit float can be")
    return value

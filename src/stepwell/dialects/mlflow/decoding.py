"""From bytes or query arguments to the shapes of wire.py: a fast strict decoder, and a patient one for when it refuses.

The patient one takes the other number forms (forms.py) and names the field it cannot read. Both refuse the same things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import numpy as np
from msgspec import inspect

from stepwell.dialects.mlflow import forms
from stepwell.dialects.mlflow.forms import Token, Unreadable

T = TypeVar("T")
Read = Callable[[Any, str], Any]

DEPTH: Final = 64  # levels of arrays and objects in a body
_SHORT: Final = 4_096  # bytes, below which numpy takes longer to begin than to count
_LONG_INTEGER = re.compile(r"-?[0-9]{400,}")


class Reader(Generic[T]):
    """Reads one shape. Immutable after it is made; for any thread."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(shape)
        self._info = cast("inspect.StructType", inspect.type_info(shape))
        self._lists = tuple(f.name for f in self._info.fields if isinstance(f.type, inspect.ListType))
        self._patient = _struct(self._info)
        self._lists_of_query = frozenset(self._lists)

    def body(self, body: bytes) -> T:
        """The message in a JSON body. Unreadable: not JSON (and where), not an object, too deep, or a field."""
        try:
            message = self._decoder.decode(body)
            if not body.isascii():
                body.decode()  # the fast decoder does not look into fields that it skips
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return cast("T", self._patient(parse(body), ""))
        # Fields that nobody asked for may nest; counting brackets is cheap, and only what looks odd is read again.
        opened = _brackets(body)
        if opened > DEPTH and opened > DEPTH + sum(len(getattr(message, name)) for name in self._lists):
            self._patient(parse(body), "")
        return message

    def query(self, arguments: Mapping[str, Sequence[str]]) -> T:
        """The message in query arguments: name -> its values. A repeated one is a list, or its last value counts."""
        found: dict[str, Any] = {
            name: list(values) if name in self._lists_of_query else values[-1]
            for name, values in arguments.items()
            if values
        }
        return cast("T", self._patient(found, ""))


def _brackets(body: bytes) -> int:
    """How many arrays and objects begin in it, at most: brackets in texts count too."""
    if len(body) < _SHORT:
        return body.count(b"[") + body.count(b"{")
    # One pass, five times as fast as `count`, which stops at each; [ and { differ in one bit.
    return int(np.count_nonzero((np.frombuffer(body, np.uint8) | 0x20) == ord("{")))


def parse(body: bytes) -> Any:
    """The value of a JSON text, with Token for bare NaN and infinities. Unreadable names the place of the mistake."""
    try:
        return json.loads(body.decode(), parse_constant=Token)
    except UnicodeDecodeError as error:
        raise Unreadable(f"The request body is not UTF-8 text: byte {error.start} cannot be read.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} (character {error.pos})"
        raise Unreadable(f"The request body is not valid JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise _too_deep("") from None
    except ValueError:  # an integer of thousands of digits
        found = _LONG_INTEGER.search(body.decode())
        place = f" at character {found.start()}" if found else ""
        raise Unreadable(f"The request body holds an integer of too many digits{place}.") from None


def _struct(info: inspect.StructType) -> Read:
    shape = info.cls
    reads = {field.name: _reader(field.type) for field in info.fields}
    required = tuple(field.name for field in info.fields if field.required)

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            if path:
                raise forms.refused(value, path, "an object")
            raise Unreadable("The request body must be a JSON object.")
        prefix = f"{path}." if path else ""
        found: dict[str, Any] = {}
        for name, item in value.items():
            if name in reads:
                if item is not None:  # null means absent
                    found[name] = reads[name](item, prefix + name)
            elif isinstance(item, dict | list):
                _check_depth(item, prefix + name)
        for name in required:
            if name not in found:
                raise forms.missing(prefix + name)
        return shape(**found)

    return read


def _reader(info: inspect.Type) -> Read:
    match info:
        case inspect.StructType():
            return _struct(info)
        case inspect.ListType():
            return _list(_reader(info.item_type))
        case inspect.StrType():
            return forms.text
        case inspect.IntType():
            return forms.integer
        case inspect.FloatType():
            return forms.double
        case inspect.BoolType():
            return forms.flag
        case inspect.UnionType():
            kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
            return forms.word if len(kinds) > 1 else _reader(kinds[0])
    raise TypeError(f"no reader for {info}")


def _list(item: Read) -> Read:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise forms.refused(value, path, "an array")
        return [item(each, f"{path}[{i}]") for i, each in enumerate(value)]

    return read


def _check_depth(value: Any, path: str) -> None:
    """Refuse a value that nobody asked for when it nests too deeply; level by level, so that depth costs no stack."""
    level, depth = [value], path.count(".") + path.count("[") + 1
    while level:
        depth += 1
        if depth > DEPTH:
            raise _too_deep(path)
        inner = [each for item in level for each in (item.values() if isinstance(item, dict) else item)]
        level = [each for each in inner if isinstance(each, dict | list)]


def _too_deep(path: str) -> Unreadable:
    place = f" in '{path}'" if path else ""
    return Unreadable(f"The request body nests more than {DEPTH} levels{place}.", path)

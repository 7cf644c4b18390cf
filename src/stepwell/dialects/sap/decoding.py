"""From the bytes of a PATCH to the shapes of wire.py. What cannot be read is refused by the name of its field."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from stepwell.core.errors import Invalid
from stepwell.dialects.sap import wire

_DECODER: Final = msgspec.json.Decoder(wire.MetricResource)
_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


def metric_resource(body: bytes) -> wire.MetricResource:
    """The message in a body. Invalid: it is not JSON, not UTF-8, nested too deeply, or a field is missing or wrong."""
    try:
        found = _DECODER.decode(body)
        if not body.isascii():
            body.decode()  # the decoder does not look into fields that it skips
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"the request body is not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise Invalid("the request body nests too deeply") from None
    return found


def _refused(text: str) -> Invalid:
    match = _PLACE.fullmatch(text)
    assert match is not None
    what, path = match["what"], match["path"] or ""
    missing = _MISSING.fullmatch(what)
    if missing is not None:
        field = f"{path}.{missing[1]}" if path else missing[1]
        return Invalid(f"{field} is missing", field=field)
    if not path:
        return Invalid(f"the request body is not a metric resource: {what.replace('`', '')}")
    return Invalid(f"{path}: {what.replace('`', '')}", field=path)

"""How an endpoint gets its message out of a request, and how it answers. No endpoints here."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from stepwell.core.errors import Invalid
from stepwell.dialects.mlflow import render, rules
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.forms import Unreadable
from stepwell.web.call import Call
from stepwell.web.response import Response

T = TypeVar("T")

DONE: Final = Response(200, b"{}")
_PARSE_HERE: Final = 256 << 10  # larger bodies are parsed off the event loop


async def body_of(call: Call, reader: Reader[T]) -> T:
    """The message in the JSON body. Invalid: not JSON by its header or content, or a field that cannot be read."""
    _check_content_type(call.header("content-type"))
    body = await call.body(rules.BODY_BYTES)
    if len(body) > _PARSE_HERE:
        return await call.run_write(_read, reader, body)
    return _read(reader, body)


def query_of(call: Call, reader: Reader[T]) -> T:
    """The message in the query arguments."""
    try:
        return reader.query({name: call.query.all(name) for name in call.query.names()})
    except Unreadable as error:
        raise Invalid(error.message, field=error.field or None) from None


def answer(message: msgspec.Struct) -> Response:
    """200 with a message."""
    return Response(200, render.encode(message))


def _read(reader: Reader[T], body: bytes) -> T:
    try:
        return reader.body(body)
    except Unreadable as error:
        raise Invalid(error.message, field=error.field or None) from None


def _check_content_type(header: str | None) -> None:
    if header == "application/json":
        return
    kind = (header or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Invalid(f"Bad Request. Content-Type must be 'application/json', not {kind!r}.", field="Content-Type")

"""Answers: a status, bytes or a stream of bytes, headers. What the bytes say is the dialect's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stepwell.web.call import Call

JSON: Final = "application/json"
# An extension of ASGI: a message of this type is an answer in one piece. `head`: the bytes of its lines but those of
# its status, its date and the end of the connection; nobody looks for somebody else's lines in them.
WHOLE: Final = "stepwell.response"


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` are beside content-type and (for bytes) content-length, which are set from the fields.

    A stream without a content-length header goes out chunked. Names of headers in lower case.
    """

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_response(value: Any, status: int = 200) -> Response:
    """`value` as JSON: dicts with str keys, lists, numpy arrays, dataclasses, numbers.

    NaN and infinities become null; a dialect whose contract has words or tokens for them must put those in itself.
    """
    return Response(status, orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))


def stream_response(
    call: Call,
    chunks: Callable[[], Iterator[bytes]],
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """Send what `chunks()` yields. It and every step of it run in the reader pool; a chunk is made when the client has
    taken the one before. The iterator's `close`, if it has one, is called in any case.

    An error of `chunks()` itself or of the first chunk is answered like any other; a later one breaks the connection
    off, so that a cut answer never looks whole.
    """
    return Response(status, _stream(call, chunks), content_type, headers)


async def _stream(call: Call, chunks: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    iterator = await call.run(chunks)
    try:
        while (chunk := await call.run(next, iterator, None)) is not None:
            yield chunk
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            await call.run(close)

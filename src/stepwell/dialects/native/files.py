"""Files on their way to a client: chunks that release their file whatever happens, and the type under which they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from stepwell.core.store import BlobReader

BYTES: Final = "application/octet-stream"
# What browsers show without running it. Everything else goes out as bytes.
_SHOWN: Final = {
    "csv": "text/csv; charset=utf-8",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "png": "image/png",
    "txt": "text/plain; charset=utf-8",
    "webp": "image/webp",
}


def content_type(path: str) -> str:
    """By the end of the name."""
    return _SHOWN.get(path.rpartition("/")[2].rpartition(".")[2].lower(), BYTES)


class Download(Iterator[bytes]):
    """The chunks of an open file; `close` releases it, also before the first chunk."""

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self._chunks = reader.chunks()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Release the file."""
        self._reader.close()

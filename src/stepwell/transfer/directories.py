"""A data directory in place of a server: the same requests, answered in this process by what whoever opened it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from email.message import Message
from pathlib import Path
from typing import IO, Final, Protocol, TypeAlias

from stepwell.client.transport import PREFIX, Api, Body

_PIECE: Final = 1024 * 1024  # bytes
# Verb, path with query, headers, body, and what takes the content of the answer: its status and headers.
Ask: TypeAlias = Callable[
    [str, str, Mapping[str, str], Iterable[bytes], Callable[[int, bytes], None]], tuple[int, list[tuple[str, str]]]
]


class Open(Protocol):
    """Opens a data directory, and makes it where it may."""

    def __call__(self, directory: str, *, make: bool) -> AbstractContextManager[Ask]:
        """What answers requests while it is open."""


class DirectoryApi(Api):
    """As an `Api` of a server that asks nobody for a credential."""

    def __init__(self, directory: str, ask: Ask, *, workspace: str = "") -> None:
        super().__init__("http://127.0.0.1", workspace=workspace)
        self.url = directory
        self._ask = ask

    def _exchange(
        self, verb: str, path: str, body: Body, headers: Mapping[str, str], into: IO[bytes] | None
    ) -> tuple[int, Message, bytes]:
        rest = bytearray()

        def take(status: int, piece: bytes) -> None:
            if into is not None and 200 <= status < 300:
                into.write(piece)
            else:
                rest.extend(piece)

        size = body.stat().st_size if isinstance(body, Path) else len(body or b"")
        length = {"Content-Length": str(size)} if body is not None else {}
        status, found = self._ask(verb, PREFIX + path, {**headers, **length}, _pieces(body), take)
        told = Message()
        for name, value in found:
            told[name] = value
        return status, told, bytes(rest)


def _pieces(body: Body) -> Iterator[bytes]:
    if isinstance(body, Path):
        with body.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    elif body:
        yield body

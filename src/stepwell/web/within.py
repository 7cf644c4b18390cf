"""The application asked by its own process, without a network: for commands that work on a data directory."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from stepwell.web.application import Application

_HOST: Final = "127.0.0.1"
Headers: TypeAlias = list[tuple[str, str]]


class Within:
    """Requests to one application, one after another, on a loop that ends with the context."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def ask(
        self,
        verb: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[bytes],
        take: Callable[[int, bytes], None],
    ) -> tuple[int, Headers]:
        """Status and headers of an answer whose content goes to `take`, with the status, in pieces.

        target: path and query. headers: Content-Length too where there is a body, whose pieces are not empty.
        ConnectionAbortedError: the answer broke off.
        """
        path, _, query = target.partition("?")
        sent = {"host": _HOST, **{name.lower(): value for name, value in headers.items()}}
        scope = {
            "type": "http",
            "method": verb,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        }
        return self._runner.run(self._asked(scope, body, take))

    async def _asked(
        self, scope: Mapping[str, Any], body: Iterable[bytes], take: Callable[[int, bytes], None]
    ) -> tuple[int, Headers]:
        pieces = itertools.chain(body, (b"",))  # the empty one ends it
        told = deque[Mapping[str, Any]](maxlen=1)  # how the answer began
        ended = asyncio.Event()

        async def receive() -> dict[str, Any]:
            piece = next(pieces, None)
            if piece is None:
                await asyncio.Event().wait()  # nobody goes away before the answer is there
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told.append(message)
                return
            take(told[0]["status"], message.get("body", b""))
            if not message.get("more_body", False):
                ended.set()

        await self._application(scope, receive, send)
        if not ended.is_set():
            raise ConnectionAbortedError("an answer broke off")
        (start,) = told
        return start["status"], [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]

"""An ASGI application asked without sockets, on one loop for as many requests as wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1:8585"


@dataclass
class Answer:
    """What came back. Names of headers in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Inside:
    """Close it at the end."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def ask(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes | Iterable[bytes] = b""
    ) -> Answer:
        """One request; `body` in pieces goes without a length."""
        path, _, query = target.partition("?")
        sent = {"host": HOST, **{name.lower(): value for name, value in (headers or {}).items()}}
        whole = isinstance(body, bytes)
        pieces = [body] if isinstance(body, bytes) else list(body)
        if not whole:
            sent["transfer-encoding"] = "chunked"
        elif body:
            sent["content-length"] = str(len(pieces[0]))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("utf-8")) for name, value in sent.items()],
        }
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        answer = Answer()

        async def receive() -> dict[str, Any]:
            if not messages:
                await asyncio.Event().wait()  # the client waits for its answer
            return messages.pop(0)

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                answer.body += message["body"]

        self._runner.run(self._app(scope, receive, send))
        return answer

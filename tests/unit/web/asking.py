"""An application with a few endpoints over a store of credentials, and a way to ask it without sockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import orjson

from stepwell.core.access import Credential, WorkspaceAlias
from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.core.model import Damage, Stats
from stepwell.services.sealing import ServerKey, new_key
from stepwell.web import oauth, operations
from stepwell.web.aliases import Aliases
from stepwell.web.application import Application
from stepwell.web.auth import Gate
from stepwell.web.body import BodyBudget
from stepwell.web.call import Call, Context
from stepwell.web.counters import Counters
from stepwell.web.routing import Dialect, Route, Router
from stepwell.web.work import Work


class CredentialStore:
    """The part of a store that the web room itself uses, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Credential] = {}
        self.aliases: dict[tuple[str, str], WorkspaceAlias] = {}
        self.reason = ""
        self.damages: list[Damage] = []
        self.done: list[str] = []

    def put_credential(self, *, credential: Credential) -> None:
        if credential.id in self.kept:
            raise AlreadyExists(f"credential {credential.id} exists")
        self.kept[credential.id] = credential

    def get_credential(
        self, *, id: str | None = None, secret_hash: bytes | None = None, key_id: str | None = None
    ) -> Credential | None:
        asked = {"id": id, "secret_hash": secret_hash, "key_id": key_id}
        name = next(name for name, value in asked.items() if value is not None)
        return next((one for one in self.kept.values() if getattr(one, name) == asked[name]), None)

    def list_credentials(self) -> list[Credential]:
        return list(self.kept.values())

    def revoke_credential(self, *, id: str, at: int) -> Credential:
        if id not in self.kept:
            raise NotFound(f"no credential {id!r}")
        self.kept[id] = replace(self.kept[id], revoked_at=at)
        return self.kept[id]

    def put_workspace_alias(self, *, alias: WorkspaceAlias) -> None:
        self.aliases[alias.dialect, alias.id] = alias

    def list_workspace_aliases(self) -> list[WorkspaceAlias]:
        return [self.aliases[key] for key in sorted(self.aliases)]

    def delete_workspace_alias(self, *, dialect: str, id: str) -> WorkspaceAlias:
        if (dialect, id) not in self.aliases:
            raise NotFound(f"no alias {id!r}")
        return self.aliases.pop((dialect, id))

    def give_way(self) -> None:
        pass

    def healthy(self) -> str:
        return self.reason

    def stats(self) -> Stats:
        return Stats(
            gauges={"queue_bytes": 3.0},
            counters={"commits": 7.0},
            commit_seconds=((0.001, 4), (0.01, 7), (inf, 7)),
            commit_seconds_sum=0.02,
        )

    def check(self) -> Iterable[Damage]:
        return iter(self.damages)

    def flush(self) -> None:
        self.done.append("flush")

    def compact(self) -> None:
        self.done.append("compact")


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


class Asking:
    """One application; `ask` runs one request on a loop of its own."""

    def __init__(
        self,
        routes: Sequence[Route] = (),
        *,
        required: bool = False,
        prefixes: tuple[str, ...] = ("/t/",),
        workspace: Callable[[Call], str] = lambda call: call.header("x-workspace") or call.principal.home,
        budget: int = 1 << 20,
        hops: int = 0,
        slow: float = math.inf,
    ) -> None:
        self.store = CredentialStore()
        self.key = ServerKey(new_key())
        self.now = 1_000_000_000
        self.monotonic = 0.0
        self.counters = Counters()
        self.budget = BodyBudget(budget)
        self.work = Work(readers=2, writers=2, waiting=2)
        dialect = Dialect(
            name="tested",
            prefixes=prefixes,
            routes=tuple(routes),
            workspace=workspace,
            error_response=operations.error_response,
        )
        store: Any = self.store
        self.app = Application(
            Router(
                [
                    dialect,
                    oauth.dialect(required=required, key=self.key),
                    operations.dialect(counters=self.counters, gauges=dict),
                ],
                fallback=dialect,
            ),
            gate=Gate(
                required=required,
                bound_host="stepwell.example",
                store=store,
                key=self.key,
                clock=lambda: self.now,
                monotonic=lambda: self.monotonic,
            ),
            context=Context(
                store=store,
                clock=lambda: self.now,
                version="9.9",
                aliases=Aliases(store, monotonic=lambda: self.monotonic),
            ),
            work=self.work,
            counters=self.counters,
            budget=self.budget,
            hops=hops,
            slow=slow,
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Sequence[bytes] = (),
        broken: bool = False,
        slow: bool = False,
    ) -> Answer:
        """`body` are the pieces as they come; then the end, or the client breaks off, or is too slow."""
        scope = _scope(method, path, list(headers.items() if isinstance(headers, Mapping) else headers), bool(body))
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
        if slow:
            messages.append({"type": "http.request", "body": b"", "more_body": True})
        elif not broken:
            messages.append({"type": "http.request", "body": b"", "more_body": False})
        answer = Answer()

        async def receive() -> dict[str, Any]:
            if not messages:
                if not broken:
                    await asyncio.Event().wait()  # the client waits for its answer
                return {"type": "http.disconnect"}
            if slow and len(messages) == 1:
                scope["stepwell.slow"] = 30.0
            return messages.pop(0)

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                answer.body += message["body"]
                answer.complete = not message.get("more_body", False)

        asyncio.run(self.app(scope, receive, send))
        return answer


def _scope(method: str, path: str, headers: list[tuple[str, str]], has_body: bool) -> dict[str, Any]:
    """A host unless one is given ('-' is none), and chunked unless a length is given."""
    raw_path, _, query = path.partition("?")
    names = {name for name, _ in headers}
    if "host" not in names:
        headers.append(("host", "localhost:8585"))
    if has_body and not names & {"content-length", "transfer-encoding"}:
        headers.append(("transfer-encoding", "chunked"))
    return {
        "type": "http",
        "method": method,
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers if value != "-"],
    }

"""One request, as an endpoint sees it. Parsing of the body is the dialect's; reading its bytes is body.py's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from stepwell.core.access import ANYONE
from stepwell.core.acting import Actor
from stepwell.core.clock import Clock
from stepwell.core.store import Store
from stepwell.web.aliases import Aliases
from stepwell.web.body import Body
from stepwell.web.errors import HttpProblem
from stepwell.web.work import Work

T = TypeVar("T")
P = ParamSpec("P")
Scope: TypeAlias = Mapping[str, Any]
_NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})
_QUERY_FIELDS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every endpoint may use, made once."""

    store: Store
    clock: Clock
    version: str
    aliases: Aliases


class Query:
    """The query string. Names and values are percent-decoded UTF-8; '+' is a space. Malformed: HttpProblem 400."""

    __slots__ = ("_pairs",)

    def __init__(self, query_string: bytes) -> None:
        self._pairs: list[tuple[str, str]] = []
        if query_string:
            try:
                self._pairs = parse_qsl(
                    query_string.decode("ascii"),
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=_QUERY_FIELDS,
                )
            except ValueError as error:  # UnicodeDecodeError is one
                raise HttpProblem(
                    400, "malformed_query", f"the query string is not percent-encoded UTF-8: {error}"
                ) from None

    def get(self, name: str) -> str | None:
        """The last value of `name`."""
        return next((value for key, value in reversed(self._pairs) if key == name), None)

    def all(self, name: str) -> list[str]:
        """Every value of `name`, in order."""
        return [value for key, value in self._pairs if key == name]

    def names(self) -> list[str]:
        """Each name once, in the order of first appearance."""
        return list(dict.fromkeys(key for key, _ in self._pairs))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)


class Call:
    """One request. `path` is percent-decoded, `params` come from the route's pattern (decoded too).

    `principal`, `workspace`, `dialect` and `route` (the pattern of the path) are set by the router before the endpoint
    runs. `named` is what the caller called the workspace, "" when it called it nothing. `client` is the address of who
    asks, `prefix` the path, percent-encoded, that proxies removed from the front of `raw_path`.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_query",
        "_query_string",
        "_work",
        "client",
        "context",
        "dialect",
        "method",
        "named",
        "params",
        "path",
        "prefix",
        "principal",
        "raw_path",
        "request_id",
        "route",
        "scheme",
        "workspace",
    )

    def __init__(
        self, scope: Scope, headers: Mapping[bytes, bytes], body: Body, *, context: Context, work: Work
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path") or self.path.encode()
        self.params = _NO_PARAMS
        self.principal = ANYONE
        self.workspace = ""
        self.named = ""
        self.dialect = ""
        self.request_id = ""
        self.route = ""
        self.client: str = (scope.get("client") or ("",))[0]
        self.scheme: str = scope.get("scheme", "http")
        self.prefix = ""
        self.context = context
        self._headers = headers
        self._query_string: bytes = scope["query_string"]
        self._query: Query | None = None
        self._body = body
        self._work = work

    @property
    def query(self) -> Query:
        """Parsed when first asked for; a malformed one is HttpProblem 400."""
        if self._query is None:
            self._query = Query(self._query_string)
        return self._query

    @property
    def base(self) -> str:
        """The URL under which the client reaches this server, without a slash at the end: every link begins with it."""
        return f"{self.scheme}://{self.header('host') or 'localhost'}{self.prefix}"

    def actor(self) -> Actor:
        """Who asks, for the audit log."""
        return Actor(
            via=self.dialect,
            credential_id=self.principal.credential_id,
            address=self.client,
            request_id=self.request_id,
        )

    def header(self, name: str) -> str | None:
        """A header by its name in any case; the last one where it repeats. Bytes above 127 read as Latin-1."""
        value = self._headers.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def workspace_named(self, id_: str) -> str:
        """The workspace that a vendor's id is joined to in this dialect (`stepwell workspace alias`), else the id."""
        self.named = id_
        return self.context.aliases.workspace(self.dialect, id_)

    def body(self, limit: int) -> Coroutine[Any, Any, bytes]:
        """The whole body, gzip undone. HttpProblem: 413 over `limit` bytes, 408 too slow, 415 unknown content-encoding,
        400 broken off or not gzip. Busy when the bodies of all requests together are too much."""
        return self._body.whole(limit, self._work)

    async def hold(self, limit: int) -> bytes:
        """Read the body now, for `body` to give it out later; its SHA-256 as it came. Problems as for `body`."""
        return await self._body.hold(limit, self._work)

    def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece, as it comes, without a limit in all. HttpProblem as for `body`, except 413."""
        return self._body.chunks()

    def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Run a blocking function in the reader pool. Busy when too many wait."""
        return self._work.read(fn, *args, **kwargs)

    def run_write(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Run a blocking write of the store in the writer pool. Busy when too many wait."""
        return self._work.write(fn, *args, **kwargs)

    def durable(self, future: Future[T]) -> Coroutine[Any, Any, T]:
        """The result of a store write, once it is durable, without a thread waiting for it."""
        return self._work.durable(future)

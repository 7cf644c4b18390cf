"""The ASGI application: a request's way through guard, route, credential and endpoint, and the answer's way back."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from stepwell.core import acting, tracing
from stepwell.core.access import Principal, require
from stepwell.core.errors import Busy, StepwellError
from stepwell.web import forwarding
from stepwell.web.auth import NOBODY, Gate
from stepwell.web.body import Body, BodyBudget, Receive
from stepwell.web.call import Call, Context, Scope
from stepwell.web.counters import Counters
from stepwell.web.errors import HttpProblem, headers_of, internal
from stepwell.web.rates import Limits
from stepwell.web.response import JSON, WHOLE, Response
from stepwell.web.routing import Route, Router
from stepwell.web.work import Work

Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SINGLE: Final = (b"host", b"origin", b"authorization", b"x-auth-token", b"content-length", b"content-encoding")
_HEAD: Final = b"x-request-id: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"  # what `_start` says
_HEAD_UNKEPT: Final = _HEAD + b"cache-control: no-store\r\n"
_log = logging.getLogger("stepwell.web")


class RequestSpan(tracing.Span, Protocol):
    """The span of a request."""

    def answered(self, call: Call, route: str, status: int) -> None:
        """What is known once the answer is made. `route`: the pattern of its path."""
        ...


class Tracing(Protocol):
    """Begins spans, where traces are wanted (web/otel.py)."""

    def begin(self, call: Call) -> RequestSpan:
        """The span of a request."""
        ...

    def close(self) -> None:
        """Send what waits."""
        ...


class Application:
    """One server's requests. `hops`: how many proxies before it are trusted to say what the client sent. `slow`: after
    how many seconds a request is logged."""

    def __init__(
        self,
        router: Router,
        *,
        gate: Gate,
        context: Context,
        work: Work,
        counters: Counters,
        budget: BodyBudget,
        limits: Limits | None = None,
        hops: int = 0,
        slow: float = 1.0,
        traces: Tracing | None = None,
    ) -> None:
        self._router = router
        self._gate = gate
        self._context = context
        self._aliases = context.aliases
        self._work = work
        self._counters = counters
        self._budget = budget
        self._limits = limits
        self._hops = hops
        self._slow = slow
        self._tracing = traces
        self._id_prefix = secrets.token_hex(4)
        self._id_numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is spoken here, not {scope['type']}")
        started = time.perf_counter()
        headers = dict(scope["headers"])
        body = Body(receive, headers, self._budget, scope)
        call = Call(scope, headers, body, context=self._context, work=self._work)
        call.request_id = self._request_id(headers.get(b"x-request-id"))
        if self._tracing is None:
            response, close = await self._answer(call, scope, headers, body)
        else:
            span = self._tracing.begin(call)
            with tracing.within(span):
                response, close = await self._answer(call, scope, headers, body)
                span.answered(call, call.route, response.status)
        if isinstance(response.body, bytes):
            if close or not _is_plain(response) or WHOLE not in scope.get("extensions", ()):
                await _send_bytes(response, call, send, body, close=close)
            else:
                lines = _HEAD if call.method == "POST" else _HEAD_UNKEPT
                head = lines % (call.request_id.encode("ascii"), len(response.body))
                await send({"type": WHOLE, "status": response.status, "head": head, "body": response.body})
        else:
            try:
                await _send_stream(response, response.body, call, send, receive, close=close)
            except Exception:  # noqa: BLE001  returning without an end breaks the connection off: nothing looks whole
                _log.exception("answer broken off", extra=_facts(call))
        seconds = time.perf_counter() - started
        self._counters.count(call.dialect, response.status, seconds)
        slow = seconds > self._slow
        if response.status >= 400 or slow or _log.isEnabledFor(logging.DEBUG):
            _log_request(call, response.status, seconds, slow=slow)

    async def _answer(self, call: Call, scope: Scope, headers: dict[bytes, bytes], body: Body) -> tuple[Response, bool]:
        """The answer, whatever happens, and whether the connection ends with it."""
        close = False
        try:
            if len(headers) != len(scope["headers"]):
                _refuse_repeats(scope["headers"])
            if self._hops:
                _undo_forwarding(call, headers, forwarding.read(scope["headers"], self._hops))
            self._gate.guard(headers, encrypted=call.scheme == "https")
            response = await self._respond(call, scope, headers, body)
            if not isinstance(response.body, bytes):
                response = await _begun(response, response.body)
        except (StepwellError, HttpProblem) as error:
            response = self._shape(error, call)
            close = isinstance(error, HttpProblem) and error.close
        except Exception:  # noqa: BLE001  the one place where an error of ours becomes an answer
            _log.exception("request failed", extra=_facts(call))
            response = self._shape(internal(call.request_id), call)
        finally:
            body.release()
        return response, close or body.leaves_much

    async def _respond(self, call: Call, scope: Scope, headers: Mapping[bytes, bytes], body: Body) -> Response:
        match = self._router.literal(call.method, call.raw_path)
        if match is None:
            match = self._router.find(call.method, call.raw_path)
            call.params = match.params
        route = match.route
        call.dialect, call.route = match.dialect.name, route.path
        if route.public:
            call.principal = NOBODY
        else:
            principal = self._gate.known(headers)
            if principal is None:
                principal = await self._look_up(call, scope, headers, body, route)
            call.principal = principal
            if self._limits is not None:
                self._limits.credentials.take(principal.credential_id)
            if self._aliases.stale and not route.about_process:
                await self._aliases.refresh(self._work)
            call.workspace = workspace = match.dialect.workspace(call)
            require(principal, role=route.role, workspace=workspace, named=call.named)
            if self._limits is not None:
                if self._limits.workspaces.stale and not route.about_process:
                    await self._limits.workspaces.refresh(self._work)
                self._limits.workspaces.take(workspace)
            acting.begin(call.actor)
        return await route.endpoint(call)

    async def _look_up(
        self, call: Call, scope: Scope, headers: Mapping[bytes, bytes], body: Body, route: Route
    ) -> Principal:
        signed_path = call.prefix.encode() + call.raw_path
        try:
            return await self._gate.look_up(
                call.method, signed_path, scope["query_string"], headers=headers, body=body, work=self._work
            )
        except Busy:
            lately = self._gate.lately(headers) if route.about_process else None
            if lately is None:
                raise
            return lately

    def _shape(self, error: StepwellError | HttpProblem, call: Call) -> Response:
        dialect = self._router.dialect_of(call.path)
        call.dialect = dialect.name
        response = dialect.error_response(error, call)
        present = {name for name, _ in response.headers}
        more = tuple(pair for pair in headers_of(error) if pair[0] not in present)
        return Response(response.status, response.body, response.content_type, response.headers + more)

    def _request_id(self, given: bytes | None) -> str:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode("ascii")
        return f"{self._id_prefix}-{next(self._id_numbers):x}"


def _is_plain(response: Response) -> bool:
    """Whether its head says nothing that others' do not: `_HEAD`."""
    return bool(response.body) and response.content_type == JSON and not response.headers


def _start(response: Response, call: Call, *, close: bool) -> Mapping[str, Any]:
    """The head of the answer. Few headers: the server checks each of them with two patterns."""
    headers = [(b"x-request-id", call.request_id.encode("ascii"))]
    named: set[str] | tuple[()] = ()
    if response.headers:
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        named = {name for name, _ in response.headers}
    if response.content_type == JSON:
        headers.append((b"content-type", b"application/json"))
    else:
        headers.append((b"content-type", response.content_type.encode("latin-1")))
        headers.append((b"x-content-type-options", b"nosniff"))
    if isinstance(response.body, bytes) and response.status not in (204, 304) and "content-length" not in named:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if call.method != "POST" and "cache-control" not in named:  # answers to a POST are never kept
        headers.append((b"cache-control", b"no-store"))
    if close:
        headers.append((b"connection", b"close"))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def _begun(response: Response, stream: AsyncIterator[bytes]) -> Response:
    """The same answer with its first chunk already made, so that an error up to there can still be told."""
    try:
        first = await anext(stream)
    except StopAsyncIteration:
        return Response(response.status, b"", response.content_type, response.headers)
    return Response(response.status, _rest(first, stream), response.content_type, response.headers)


async def _rest(first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for chunk in stream:
            yield chunk
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def _send_bytes(response: Response, call: Call, send: Send, body: Body, *, close: bool) -> None:
    await send(_start(response, call, close=close))
    if close and not body.complete:
        # Closing while the client still sends would reset the connection and lose the answer on its way.
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        await body.discard()
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": response.body})


async def _send_stream(
    response: Response, stream: AsyncIterator[bytes], call: Call, send: Send, receive: Receive, *, close: bool
) -> None:
    """Send until the stream ends or the client is gone; then close the stream in any case."""
    gone = asyncio.create_task(_until_gone(receive))
    try:
        await send(_start(response, call, close=close))
        if call.method != "HEAD":
            async for chunk in stream:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        close_stream = getattr(stream, "aclose", None)
        if close_stream is not None:
            await close_stream()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _undo_forwarding(call: Call, headers: dict[bytes, bytes], forwarded: forwarding.Forwarded) -> None:
    """Make the request what its client sent."""
    call.client = forwarded.client or call.client
    call.scheme = forwarded.scheme or call.scheme
    call.prefix = forwarded.prefix.decode("ascii")
    if forwarded.host is not None:
        headers[b"host"] = forwarded.host


def _refuse_repeats(headers: Iterable[tuple[bytes, bytes]]) -> None:
    seen = Counter(name for name, _ in headers)
    for name in _SINGLE:
        if seen[name] > 1:
            raise HttpProblem(400, "repeated_header", f"the header {name.decode()} must not repeat")


def _facts(call: Call) -> dict[str, object]:
    return {
        "action": "request",
        "request_id": call.request_id,
        "dialect": call.dialect,
        "method": call.method,
        "path": call.path,
        "workspace": call.workspace,
        "credential": call.principal.credential_id,
        "client": call.client,
    }


def _log_request(call: Call, status: int, seconds: float, *, slow: bool) -> None:
    level = (
        logging.ERROR
        if status >= 500
        else logging.WARNING
        if slow
        else logging.INFO
        if status >= 400
        else logging.DEBUG
    )
    facts = {**_facts(call), "status": status, "milliseconds": round(seconds * 1e3, 3)}
    _log.log(level, "%s %s %d", call.method, call.path, status, extra=facts)

"""The native API's endpoints: bytes in, a handler in a pool, bytes out. The only asynchronous file of this dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from stepwell.core.access import Role
from stepwell.core.ids import check_workspace
from stepwell.core.model import RunWrite
from stepwell.core.store import BlobWriter
from stepwell.dialects.native import endpoint_table, raw, translate
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.decoding import Decoder
from stepwell.dialects.native.errors import error_response
from stepwell.dialects.native.files import Download, content_type
from stepwell.dialects.native.operations import OPERATIONS, POINTS_BODY, PREFIX, Handler, Operation
from stepwell.dialects.native.wire import Nothing, PointsWrite, RawPointsWrite, ResourcesWrite
from stepwell.services import artifacts, ingest, resources
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response, stream_response
from stepwell.web.routing import Dialect, Endpoint, Route

NAME: Final = "native"
_NOTHING: Final = Decoder(Nothing)
_POINTS: Final = Decoder(PointsWrite)
_RAW_POINTS: Final = Decoder(RawPointsWrite, name="the head")
_RESOURCES: Final = Decoder(ResourcesWrite)
_DECODE_HERE: Final = 64 << 10  # bytes of a body that are decoded faster than a thread is reached
_BY_ACCEPT: Final = (("vary", "accept"),)
# Content of users never acts as a page of ours. Every answer of the server is nosniff already.
_UNTRUSTED: Final = ("content-security-policy", "sandbox; default-src 'none'")


def dialect(neighbours: Sequence[Dialect] = ()) -> Dialect:
    """The native API. `neighbours`: the other dialects of the server, which GET /dialects lists too."""
    listing = _Listing()
    own = Dialect(
        name=NAME,
        prefixes=(PREFIX,),
        routes=(*_routes(), Route("GET", f"{PREFIX}/dialects", listing)),
        workspace=workspace_of,
        error_response=error_response,
    )
    listing.answer = json_response(describe([own, *neighbours]))
    return own


class _Listing:
    """GET /dialects: an answer that says something of the route which gives it."""

    answer = Response(503)

    async def __call__(self, call: Call) -> Response:
        return await _fixed(self.answer, call)


def workspace_of(call: Call) -> str:
    """The workspace that the header names, else the credential's. Invalid for what cannot name one."""
    named = call.header("x-stepwell-workspace")
    return check_workspace(call.workspace_named(named)) if named is not None else call.principal.home


def describe(dialects: Sequence[Dialect]) -> dict[str, Any]:
    """DialectsAnswer."""
    return {
        "dialects": [
            {
                "name": each.name,
                "prefixes": list(each.prefixes),
                "endpoints": [_described(route, table) for route in each.routes],
                "refused": [
                    {"what": row.what, "state": row.state, "quirks": row.quirks} for row in table if not row.verb
                ],
            }
            for each, table in ((each, endpoint_table.table_of(each)) for each in dialects)
        ]
    }


def _described(route: Route, table: Sequence[endpoint_table.Row]) -> dict[str, Any]:
    """answers.Endpoint. Our own routes are in no table: the document says what they take."""
    row = endpoint_table.row_of(route, table)
    return {
        "verb": route.verb,
        "path": route.path,
        "role": route.role.word,
        "public": route.public,
        "state": row.state if row else "supported",
        "quirks": row.quirks if row else "",
    }


async def write_points(call: Call) -> Response:
    """Decode, translate, hand to the store, answer when it is durable."""
    _NOTHING.query(call.query)
    body = await call.body(POINTS_BODY)
    if len(body) <= _DECODE_HERE:
        write = _points_write(call, body)
    else:
        write = await call.run_write(_points_write, call, body)
    await call.durable(ingest.write(call.context.store, workspace=call.workspace, write=write))
    return json_response({"points": 0 if write.points is None else len(write.points)})


async def write_resources(call: Call) -> Response:
    """Decode, translate and store in one thread: what is missing is made first."""
    _NOTHING.query(call.query)
    await call.run_write(_write_resources, call, await call.body(POINTS_BODY))
    return Response(204)


async def get_file(call: Call) -> Response:
    """Stream a file, never as something that a browser would run."""
    _NOTHING.query(call.query)
    path = call.params["path"]
    reader = await call.run(
        artifacts.get, call.context.store, workspace=call.workspace, owner=call.params["run_id"], path=path
    )
    name = quote(path.rpartition("/")[2], safe="")
    headers = (
        _UNTRUSTED,
        ("content-disposition", f"attachment; filename*=UTF-8''{name}"),
        ("content-length", str(reader.info.size)),
    )
    return stream_response(call, partial(Download, reader), content_type=content_type(path), headers=headers)


async def put_file(call: Call) -> Response:
    """Stream a file in; it is there, durable, when this answers, and else it never was."""
    _NOTHING.query(call.query)
    writer = await call.run_write(
        artifacts.begin,
        call.context.store,
        workspace=call.workspace,
        owner=call.params["run_id"],
        path=call.params["path"],
        now=call.context.clock(),
    )
    try:
        stored = await _receive(call, writer)
    finally:
        await call.run_write(writer.abort)  # nothing, after commit
    return json_response({"path": stored.path, "size": stored.size, "sha256": stored.sha256.hex()}, 201)


async def _receive(call: Call, writer: BlobWriter) -> Any:
    async for chunk in call.chunks():
        await call.run_write(writer.write, chunk)
    return await call.run_write(writer.commit)


async def _handled(
    operation: Operation, handler: Handler, query: Decoder, body: Decoder | None, call: Call
) -> Response:
    """Every operation whose work is one blocking function."""
    asked = query.query(call.query)
    if body is not None:
        asked = body.body(await call.body(operation.body_limit))
    run = call.run if operation.role is Role.READER else call.run_write
    if (form := operation.raw) is not None:
        encode = partial(_raw, form) if form.wanted(call.header("accept")) else _either
        return await run(encode, handler, _ask(call), asked)
    return await run(_answer, handler, _ask(call), asked, operation.status)


async def _fixed(response: Response, call: Call) -> Response:
    """An answer that never changes."""
    _NOTHING.query(call.query)
    return response


def _routes() -> list[Route]:
    own: dict[str, Endpoint] = {
        "write_points": write_points,
        "write_resources": write_resources,
        "get_file": get_file,
        "put_file": put_file,
    }
    routes = [
        Route(operation.verb, PREFIX + operation.path, own.get(operation.id) or _endpoint(operation), operation.role)
        for operation in OPERATIONS
        if operation.handler is not None or operation.id in own
    ]
    return [
        *routes,
        Route("GET", f"{PREFIX}/openapi.json", _MadeOnce(_document)),
        Route("GET", f"{PREFIX}/docs", _MadeOnce(_page)),
    ]


class _MadeOnce:
    """An answer that never changes, made when it is first asked for: a start does not wait for what few read."""

    def __init__(self, make: Callable[[], Response]) -> None:
        self._make = make
        self._answer: Response | None = None

    async def __call__(self, call: Call) -> Response:
        if self._answer is None:
            self._answer = await call.run(self._make)
        return await _fixed(self._answer, call)


def _document() -> Response:
    from stepwell.dialects.native import openapi  # noqa: PLC0415

    return json_response(openapi.document())


def _page() -> Response:
    from stepwell.dialects.native import docs, openapi  # noqa: PLC0415

    page = docs.page(openapi.document())
    return Response(200, page.html, "text/html; charset=utf-8", page.headers)


def _endpoint(operation: Operation) -> Endpoint:
    assert operation.handler is not None, "the caller looked"
    query = Decoder(operation.query or Nothing)
    body = None if operation.body is None else Decoder(operation.body)
    return partial(_handled, operation, operation.handler, query, body)


def _ask(call: Call) -> Ask:
    return Ask(
        store=call.context.store,
        now=call.context.clock(),
        principal=call.principal,
        workspace=call.workspace,
        params=call.params,
    )


def _answer(handler: Handler, ask: Ask, asked: Any, status: int) -> Response:
    """In the pool: the encoding of a large answer must not hold up the others."""
    return json_response(handler(ask, asked), status)


def _raw(form: raw.Form, handler: Handler, ask: Ask, asked: Any) -> Response:
    return Response(200, form.encode(handler(ask, asked)), form.media_type, _BY_ACCEPT)


def _either(handler: Handler, ask: Ask, asked: Any) -> Response:
    """The JSON form of what has a raw form too."""
    return replace(_answer(handler, ask, asked, 200), headers=_BY_ACCEPT)


def _points_write(call: Call, body: bytes) -> RunWrite:
    run_id, now = call.params["run_id"], call.context.clock()
    if not raw.sent(call.header("content-type")):
        return translate.points_write(run_id, _POINTS.body(body), now=now)
    head, cells = raw.points(body)
    return translate.raw_points_write(run_id, _RAW_POINTS.body(head), cells, now=now)


def _write_resources(call: Call, body: bytes) -> None:
    message = _RESOURCES.body(body)
    resources.record(
        call.context.store,
        workspace=call.workspace,
        run_id=call.params["run_id"],
        task=call.params["task"],
        start_time=None if message.start_time is None else translate.milliseconds(message.start_time),
        samples=translate.samples(message.samples),
        origin=NAME,
        now=call.context.clock(),
    )

"""A program: the server's own connection handling, and endpoints that read, wait or ignore their body.

It is given how many seconds it waits for the rest of a request, and how many connections it may have; it prints its
port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import uvloop

from stepwell.core.clock import system_clock
from stepwell.services.sealing import ServerKey, new_key
from stepwell.web import server
from stepwell.web.aliases import Aliases
from stepwell.web.application import Application
from stepwell.web.auth import Gate
from stepwell.web.body import BodyBudget
from stepwell.web.call import Call, Context
from stepwell.web.connection import Limits
from stepwell.web.counters import Counters
from stepwell.web.operations import error_response
from stepwell.web.response import Response, json_response, stream_response
from stepwell.web.routing import Dialect, Route, Router
from stepwell.web.work import Work

LIMIT = 1 << 20
FEW = 9  # connections: with so few it is not idleness that ends one


async def size(call: Call) -> Response:
    return json_response(len(await call.body(LIMIT)))


async def count(call: Call) -> Response:
    total = 0
    async for chunk in call.chunks():
        total += len(chunk)
    return json_response(total)


async def refuse(_call: Call) -> Response:
    return json_response("not wanted", 409)


async def late(_call: Call) -> Response:
    print("begun", flush=True)
    await asyncio.sleep(1)
    return json_response("late")


async def breaks(call: Call) -> Response:
    def made() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("in the middle")

    return stream_response(call, made)


async def streams(call: Call) -> Response:
    return stream_response(call, lambda: iter([b"one", b"two", b"three"]), content_type="text/plain")


async def large(_call: Call) -> Response:
    return Response(200, bytes(64 << 20), "application/octet-stream")


async def injects(_call: Call) -> Response:
    return Response(200, b"", headers=(("x-name", "a\r\nset-cookie: b"),))


async def address(call: Call) -> Response:
    return json_response({"path": call.path, "raw": call.raw_path.decode(), "q": list(call.query)})


class Nothing:
    """The part of a store that every request asks."""

    def list_workspace_aliases(self) -> list[object]:
        return []


def main() -> None:
    dialect = Dialect(
        name="tested",
        prefixes=("/",),
        routes=(
            Route("POST", "/size", size),
            Route("PUT", "/count", count),
            Route("POST", "/refuse", refuse),
            Route("GET", "/late", late),
            Route("GET", "/breaks", breaks),
            Route("GET", "/streams", streams),
            Route("HEAD", "/streams", streams),
            Route("GET", "/large", large),
            Route("GET", "/injects", injects),
            Route("GET", "/address/{name}", address),
        ),
        workspace=lambda _call: "default",
        error_response=error_response,
    )
    work = Work()
    key = ServerKey(new_key())
    nothing = Nothing()
    app = Application(
        Router([dialect], fallback=dialect),
        gate=Gate(required=False, bound_host="127.0.0.1", store=nothing, key=key, clock=system_clock),  # type: ignore[arg-type]
        context=Context(store=nothing, clock=system_clock, version="0", aliases=Aliases(nothing)),  # type: ignore[arg-type]
        work=work,
        counters=Counters(),
        budget=BodyBudget(),
    )
    patience, connections = float(sys.argv[1]), int(sys.argv[2])
    idle = 2.0 if connections > FEW else patience
    limits = Limits(
        head_seconds=patience,
        body_seconds=patience,
        answer_seconds=patience,
        idle_seconds=idle,
        sweep_seconds=0.1,
        connections=connections,
    )
    with server.listen("127.0.0.1", 0) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        port = listener.getsockname()[1]
        runner.run(server.serve(app, listener, ready=lambda: print(port, flush=True), limits=limits))
    work.close()


if __name__ == "__main__":
    main()

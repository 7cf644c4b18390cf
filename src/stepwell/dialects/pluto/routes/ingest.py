"""Streams of lines: metrics, console lines, and what is logged that is no number. Durable block by block.

A block is some whole lines; nothing else of a stream is held. What a bad line
follows is stored, as the contract has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from stepwell.core.access import Role
from stepwell.core.errors import TooLarge
from stepwell.core.model import RunWrite
from stepwell.dialects.pluto import lines, rules
from stepwell.dialects.pluto.errors import BadHeader
from stepwell.dialects.pluto.lines import Parsed
from stepwell.dialects.pluto.routes.reading import answer, run_of
from stepwell.services import details, ingest, liveness
from stepwell.services import query as points
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

T = TypeVar("T")
_PARSE_HERE: Final = 16 << 10  # larger blocks are parsed off the event loop


async def metrics(call: Call) -> Response:
    """POST /ingest/metrics: lines of {time, step, data}"""
    run_id = await call.run_write(_run_id, call)

    async def store(parsed: Parsed[Any]) -> None:
        write = RunWrite(run_id=run_id, points=parsed.rows, at=call.context.clock())
        await call.durable(ingest.write(call.context.store, workspace=call.workspace, write=write))

    answered = await _stream(call, lines.metrics, store)
    await call.run_write(_sign, call, run_id)
    return answered


async def logs(call: Call) -> Response:
    """POST /ingest/logs: lines of {time, message, lineNumber, logType}"""
    run_id = await call.run_write(_run_id, call)

    async def store(parsed: Parsed[Any]) -> None:
        append = call.context.store.append_lines
        await call.run_write(append, workspace=call.workspace, run_id=run_id, lines=parsed.rows)

    return await _stream(call, lines.logs, store)


async def data(call: Call) -> Response:
    """POST /ingest/data: lines of {time, step, dataType, logName, data}"""
    run_id = await call.run_write(_run_id, call)
    at = call.context.clock()

    async def store(parsed: Parsed[Any]) -> None:
        await call.run_write(details.put, call.context.store, workspace=call.workspace, records=parsed.rows)

    return await _stream(call, lambda block, first: lines.observations(block, first, run_id=run_id, at=at), store)


async def step(call: Call) -> Response:
    """POST /step: the greatest step of a run"""
    return answer({"step": await call.run(_greatest_step, call)})


def _greatest_step(call: Call) -> int:
    series = points.series(call.context.store, workspace=call.workspace, run_id=_run_id(call))
    return max((each.summary.last.step for each in series), default=0)


def run_key(call: Call) -> int:
    """The number in the header X-Run-Id; a project must be named too. BadHeader."""
    text = (call.header("x-run-id") or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadHeader(f"X-Run-Id must be the number of a run, not {text[:60]!r}")
    if not (call.header("x-project-name") or "").strip():
        raise BadHeader("X-Project-Name is required")
    return int(text)


def _run_id(call: Call) -> str:
    return run_of(call, run_key(call)).run.id


def _sign(call: Call, run_id: str) -> None:
    now = call.context.clock()
    liveness.note(call.context.store, workspace=call.workspace, run_id=run_id, now=now, beat=False)


async def _stream(
    call: Call, parse: Callable[[bytes, int], Parsed[T]], store: Callable[[Parsed[T]], Awaitable[None]]
) -> Response:
    count, first = 0, 1
    async for block in _blocks(call.chunks()):
        parsed = parse(block, first) if len(block) <= _PARSE_HERE else await call.run_write(parse, block, first)
        if parsed.count:
            await store(parsed)
            count += parsed.count
        if parsed.bad is not None:
            raise parsed.bad
        first += block.count(b"\n")
    return Response(200, f"Stream processed successfully: {count} records".encode(), "text/plain; charset=utf-8")


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines, about BLOCK_BYTES at a time; the last one may lack its end. TooLarge: a line above LINE_BYTES."""
    waiting = bytearray()
    end = 0  # behind the last line that is whole
    async for chunk in chunks:
        place = chunk.rfind(b"\n")
        if place >= 0:
            end = len(waiting) + place + 1
        waiting += chunk
        if end and len(waiting) >= rules.BLOCK_BYTES:
            yield bytes(waiting[:end])
            del waiting[:end]
            end = 0
        if len(waiting) > rules.LINE_BYTES:
            raise TooLarge(f"a line is longer than the limit of {rules.LINE_BYTES} bytes", limit=rules.LINE_BYTES)
    if waiting:
        yield bytes(waiting)


ROUTES: Final = (
    Route("POST", "/ingest/metrics", metrics, Role.WRITER),
    Route("POST", "/ingest/logs", logs, Role.WRITER),
    Route("POST", "/ingest/data", data, Role.WRITER),
    Route("POST", "/step", step),
)

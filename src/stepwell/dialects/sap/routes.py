"""The three endpoints of metric tracking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from stepwell.core.access import Role
from stepwell.core.errors import NotFound
from stepwell.core.model import Columns, RunWrite
from stepwell.dialects.sap import decoding, questions, render, rules, translate
from stepwell.dialects.sap.questions import Question
from stepwell.services import ingest, runs, whole_runs
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response, stream_response
from stepwell.web.routing import Route

_KINDS: Final = ("application/json", "application/merge-patch+json")  # the SDKs in Python, and the contract
_PARSE_HERE: Final = 256 << 10  # bytes; larger bodies are parsed off the event loop
_SEND_WHOLE: Final = 1 << 20  # bytes; smaller answers are not streamed


async def find(call: Call) -> Response:
    """GET metrics: everything of the executions asked for, streamed when it is much."""
    question = questions.question(_arguments(call))
    return await call.run(_find, call, question)


def _find(call: Call, question: Question) -> Response:
    """The beginning is made here; an answer that is short enough goes out with its length."""
    chunks = _resources(call, question)
    made: list[bytes] = []
    size = 0
    for chunk in chunks:
        made.append(chunk)
        size += len(chunk)
        if size > _SEND_WHOLE:
            return stream_response(call, lambda: chain(made, chunks))
    return Response(200, b"".join(made))


def _resources(call: Call, question: Question) -> Iterator[bytes]:
    store, workspace = call.context.store, call.workspace
    chosen = whole_runs.choose(
        store,
        workspace=workspace,
        run_ids=question.execution_ids,
        conditions=question.tags,
        skip=question.skip,
        limit=question.top,
    )
    columns = Columns(
        metrics=(),
        params=(),
        tags=None if questions.TAGS in question.parts else (),
        custom_info=None if questions.CUSTOM_INFO in question.parts else (),
    )
    points = questions.METRICS in question.parts
    pieces = whole_runs.read(store, workspace=workspace, run_ids=chosen, columns=columns, points=points)
    return render.resources(pieces, question.parts)


async def modify(call: Call) -> Response:
    """PATCH metrics: metrics are added, tags and custom info set by name; all of it durable, or nothing."""
    _check_content_type(call.header("content-type"))
    body = await call.body(rules.BODY_BYTES)
    at = call.context.clock()
    write = await call.run_write(_write, body, at) if len(body) > _PARSE_HERE else _write(body, at)
    await call.durable(ingest.write(call.context.store, workspace=call.workspace, write=write))
    return Response(204)


def _write(body: bytes, at: int) -> RunWrite:
    return translate.patch(decoding.metric_resource(body), at=at)


async def delete(call: Call) -> Response:
    """DELETE metrics: the execution and all that belongs to it, for good."""
    execution_id = questions.execution_id(_arguments(call))
    count = await call.run_write(runs.purge_runs, call.context.store, workspace=call.workspace, run_ids=(execution_id,))
    if not count:
        raise NotFound(f"there are no metrics of execution {execution_id!r}", field="executionId")
    return Response(200, render.deleted(execution_id))


def _arguments(call: Call) -> Mapping[str, Sequence[str]]:
    return {name: call.query.all(name) for name in call.query.names()}


def _check_content_type(header: str | None) -> None:
    kind = (header or "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        raise HttpProblem(
            415, "unknown_content_type", f"Content-Type must be {' or '.join(_KINDS)}, not {rules.shown(kind)}"
        )


ROUTES: Final = (
    Route("GET", "/metrics", find),
    Route("PATCH", "/metrics", modify, Role.WRITER),
    Route("DELETE", "/metrics", delete, Role.WRITER),
)

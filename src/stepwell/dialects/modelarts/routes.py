"""The endpoints: bytes in, a handler in a pool, bytes out. The only asynchronous file of this dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec

from stepwell.core.access import Role
from stepwell.core.resources import Alias
from stepwell.dialects.modelarts import decoding, jobs, wire
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

P = ParamSpec("P")
BODY_BYTES: Final = 4 << 20
JOBS: Final = "/v2/{project_id}/training-jobs"
JOB: Final = JOBS + "/{training_job_id}"


async def create(call: Call) -> Response:
    """CreateTrainingJob"""
    message = decoding.body(await call.body(BODY_BYTES), wire.NewJob)
    return await call.run_write(_answer, 201, jobs.create, _ask(call), message)


async def stop(call: Call) -> Response:
    """StopTrainingJob"""
    message = decoding.body(await call.body(BODY_BYTES), wire.Action)
    return await call.run_write(_answer, 202, jobs.stop, _ask(call), _job(call), message)


async def change(call: Call) -> Response:
    """ChangeTrainingJobDescription"""
    message = decoding.body(await call.body(BODY_BYTES), wire.JobChange)
    return await call.run_write(_answer, 200, jobs.change, _ask(call), _job(call), message)


async def delete(call: Call) -> Response:
    """DeleteTrainingJob"""
    return await call.run_write(_answer, 202, jobs.delete, _ask(call), _job(call))


async def show(call: Call) -> Response:
    """ShowTrainingJobDetails"""
    return await call.run(_answer, 200, jobs.show, _ask(call), _job(call))


async def search(call: Call) -> Response:
    """ListTrainingJobs"""
    message = decoding.body(await call.body(BODY_BYTES) or b"{}", wire.Search)
    return await call.run(_answer, 200, jobs.search, _ask(call), message)


async def metrics(aliases: Sequence[Alias], call: Call) -> Response:
    """ShowTrainingJobMetrics"""
    return await call.run(_answer, 200, jobs.metrics, _ask(call), _job(call), call.params["task_id"], aliases)


async def tasks(call: Call) -> Response:
    """ListTrainingJobTasks"""
    return await call.run(_answer, 200, jobs.tasks, _ask(call), _job(call))


async def events(call: Call) -> Response:
    """ListTrainingJobEvents"""
    asked = decoding.query(dict(call.query), wire.EventsQuery)
    return await call.run(_answer, 200, jobs.events, _ask(call), _job(call), asked)


async def preview(call: Call) -> Response:
    """ShowTrainingJobLogsPreview"""
    return await call.run(_answer, 200, jobs.preview, _ask(call), _job(call), call.params["task_id"])


def routes(aliases: Sequence[Alias]) -> tuple[Route, ...]:
    """All of them. `aliases`: which metrics of other names count as the usage of a task."""
    return (
        Route("GET", JOB + "/metrics/{task_id}", partial(metrics, tuple(aliases))),
        Route("GET", JOB, show),
        Route("POST", "/v2/{project_id}/training-job-searches", search),
        Route("POST", JOBS, create, Role.WRITER),
        Route("POST", JOB + "/actions", stop, Role.WRITER),
        Route("PUT", JOB, change, Role.WRITER),
        Route("DELETE", JOB, delete, Role.WRITER),
        Route("GET", JOB + "/tasks", tasks),
        Route("GET", JOB + "/events", events),
        Route("GET", JOB + "/tasks/{task_id}/logs/preview", preview),
    )


def _answer(
    status: int,
    handler: Callable[Concatenate[jobs.Ask, P], Any],
    ask: jobs.Ask,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """In the pool: the encoding of a large answer must not hold up the others."""
    return Response(status, decoding.encode(handler(ask, *args, **kwargs)))


def _ask(call: Call) -> jobs.Ask:
    return jobs.Ask(store=call.context.store, workspace=call.workspace, now=call.context.clock())


def _job(call: Call) -> str:
    return call.params["training_job_id"]

"""runs/*: make, find, change, delete and restore runs, and log points, params and tags to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stepwell.core import ids
from stepwell.core.access import Role
from stepwell.core.entities import ModelPoint
from stepwell.core.errors import Conflict
from stepwell.core.model import NO_COLUMNS, Columns, Lifecycle, RunRow, RunWrite
from stepwell.core.store import Store
from stepwell.dialects.mlflow import lineage as links
from stepwell.dialects.mlflow import render, rules, translate, wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of, query_of
from stepwell.services import ingest, lineage
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateRun)
_UPDATE: Final = Reader(wire.UpdateRun)
_BY_ID: Final = Reader(wire.RunById)
_GET: Final = Reader(wire.GetRun)
_SEARCH: Final = Reader(wire.SearchRuns)
_LOG_METRIC: Final = Reader(wire.LogMetric)
_LOG_BATCH: Final = Reader(wire.LogBatch)
_SET_PAIR: Final = Reader(wire.SetPair)
_DELETE_TAG: Final = Reader(wire.DeleteTag)
_LATEST: Final = Columns(last=True)


async def log_metric(call: Call) -> Response:
    """POST runs/log-metric"""
    message = await body_of(call, _LOG_METRIC)
    write = translate.log_metric(message, at=call.context.clock())
    return await _write_points(call, write, links.model_points((message,), write.run_id))


async def log_batch(call: Call) -> Response:
    """POST runs/log-batch"""
    message = await body_of(call, _LOG_BATCH)
    write = translate.log_batch(message, at=call.context.clock())
    return await _write_points(call, write, links.model_points(message.metrics, write.run_id))


async def log_parameter(call: Call) -> Response:
    """POST runs/log-parameter"""
    return await _write(call, translate.log_param(await body_of(call, _SET_PAIR), at=call.context.clock()))


async def set_tag(call: Call) -> Response:
    """POST runs/set-tag"""
    return await _write(call, translate.set_tag(await body_of(call, _SET_PAIR), at=call.context.clock()))


async def delete_tag(call: Call) -> Response:
    """POST runs/delete-tag"""
    return await _write(call, translate.delete_tag(await body_of(call, _DELETE_TAG), at=call.context.clock()))


async def _write(call: Call, write: RunWrite) -> Response:
    await call.durable(ingest.write(call.context.store, workspace=call.workspace, write=write))
    return DONE


async def _write_points(call: Call, write: RunWrite, measured: Sequence[ModelPoint]) -> Response:
    if not measured:
        return await _write(call, write)
    future = await call.run_write(
        lineage.write_measured, call.context.store, workspace=call.workspace, write=write, points=measured
    )
    await call.durable(future)
    return DONE


async def create(call: Call) -> Response:
    """POST runs/create"""
    return await created(call, (), origin=translate.ORIGIN)


async def created(call: Call, more: Sequence[wire.Pair], *, origin: str) -> Response:
    """Make the run of the body, with more tags. `origin`: the interface that makes it."""
    message = await body_of(call, _CREATE)
    message.tags = [*message.tags, *more]
    at = call.context.clock()
    row = await call.run_write(_create, call.context.store, call.workspace, message, origin=origin, at=at)
    return answer(wire.RunAnswer(run=render.run(row)))


def _create(store: Store, workspace: str, message: wire.CreateRun, *, origin: str, at: int) -> RunRow:
    number = translate.experiment_id(message.experiment_id or "0")
    experiment = service.get_experiment(store, workspace=workspace, id=number)
    new, events = translate.new_run(message, run_id=ids.new_run_id(), experiment=experiment, origin=origin, at=at)
    if not events:
        return RunRow(run=service.create_run(store, workspace=workspace, new=new), tags=new.tags)
    ingest.write(store, workspace=workspace, write=RunWrite(run_id=new.id, make=new, events=events, at=at)).result()
    return service.get_run(store, workspace=workspace, run_id=new.id)


async def update(call: Call) -> Response:
    """POST runs/update"""
    write = translate.update_run(await body_of(call, _UPDATE), at=call.context.clock())
    await _write(call, write)
    row = await call.run(_get, call, write.run_id)
    return answer(wire.RunInfoAnswer(run_info=render.run_info(row.run)))


def _get(call: Call, run_id: str) -> RunRow:
    return service.get_run(call.context.store, workspace=call.workspace, run_id=run_id, columns=NO_COLUMNS)


async def delete(call: Call) -> Response:
    """POST runs/delete. Deleting a deleted run is no error."""
    run_id = translate.required((await body_of(call, _BY_ID)).run_id, "run_id")
    try:
        await _write(call, translate.lifecycle(run_id, Lifecycle.DELETED, at=call.context.clock()))
    except Conflict:
        row = await call.run(_get, call, run_id)
        if row.run.lifecycle is not Lifecycle.DELETED:
            raise
    return DONE


async def restore(call: Call) -> Response:
    """POST runs/restore. Restoring an active run is no error."""
    run_id = (await body_of(call, _BY_ID)).run_id
    return await _write(call, translate.lifecycle(run_id, Lifecycle.ACTIVE, at=call.context.clock()))


async def get(call: Call) -> Response:
    """GET runs/get"""
    message = query_of(call, _GET)
    run_id = translate.run_id_of(message.run_id, message.run_uuid)
    return await call.run(_get_answer, call, run_id)


def _get_answer(call: Call, run_id: str) -> Response:
    row = service.get_run(call.context.store, workspace=call.workspace, run_id=run_id, columns=_LATEST)
    (run,) = _rendered(call, [row])
    return answer(wire.RunAnswer(run=run))


def _rendered(call: Call, rows: Sequence[RunRow]) -> list[msgspec.Raw]:
    run_ids = [row.run.id for row in rows]
    found = lineage.links_of_runs(call.context.store, workspace=call.workspace, run_ids=run_ids)
    return [render.run_json(row, found.get(row.run.id)) for row in rows]


async def search(call: Call) -> Response:
    """POST runs/search. It searches the experiments that it names; naming none finds nothing."""
    return await call.run(_search, call, await body_of(call, _SEARCH))


def _search(call: Call, message: wire.SearchRuns) -> Response:
    found, cursor = service.search_runs(
        call.context.store,
        workspace=call.workspace,
        experiment_ids=[
            translate.experiment_id(text, f"experiment_ids[{i}]") for i, text in enumerate(message.experiment_ids)
        ],
        filter=message.filter,
        order=message.order_by,
        visibility=translate.visibility(message.run_view_type, "run_view_type"),
        limit=rules.check_results(message.max_results, "max_results", rules.SEARCH_RESULTS),
        cursor=message.page_token or None,
        columns=_LATEST,
        milliseconds=True,
    )
    return answer(wire.RunsAnswer(runs=_rendered(call, found), next_page_token=cursor or ""))


ROUTES: Final = (
    Route("POST", "/mlflow/runs/log-batch", log_batch, Role.WRITER),
    Route("POST", "/mlflow/runs/log-metric", log_metric, Role.WRITER),
    Route("POST", "/mlflow/runs/log-parameter", log_parameter, Role.WRITER),
    Route("POST", "/mlflow/runs/set-tag", set_tag, Role.WRITER),
    Route("POST", "/mlflow/runs/delete-tag", delete_tag, Role.WRITER),
    Route("POST", "/mlflow/runs/create", create, Role.WRITER),
    Route("POST", "/mlflow/runs/update", update, Role.WRITER),
    Route("POST", "/mlflow/runs/delete", delete, Role.WRITER),
    Route("POST", "/mlflow/runs/restore", restore, Role.WRITER),
    Route("GET", "/mlflow/runs/get", get),
    Route("POST", "/mlflow/runs/search", search),
)

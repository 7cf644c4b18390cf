"""experiments/*, runs/*, metrics/*, artifacts/* and logged-models/* of a workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepwell.core.access import Role
from stepwell.core.entities import Links
from stepwell.core.model import NO_COLUMNS, Columns, ExperimentWrite, RunWrite
from stepwell.dialects.mlflow import lineage, lineage_wire, rules, translate
from stepwell.dialects.mlflow import wire as tracking_wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.oracle import wire
from stepwell.dialects.mlflow.routes import artifacts, experiments, metrics, models, runs
from stepwell.dialects.mlflow.routes import lineage as lineage_routes
from stepwell.dialects.mlflow.routes.reading import DONE, body_of, query_of
from stepwell.services import ingest
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

ORIGIN: Final = "oracle"
PLATFORM_TAG: Final = "oracle.aiDataPlatformId"
_DELETE_EXPERIMENT: Final = Reader(wire.DeleteExperiment)
_DELETE_RUN: Final = Reader(wire.DeleteRun)
_SEARCH_EXPERIMENTS: Final = Reader(wire.SearchExperiments)
_INPUTS: Final = Reader(wire.LogInputs)
_RUN_TAGS: Final = Reader(wire.UpdateRunTags)
_EXPERIMENT_TAGS: Final = Reader(wire.UpdateExperimentTags)
_HISTORY: Final = Reader(wire.GetHistory)
_PAGE_POINTS: Final = 25_000


async def delete_experiment(call: Call) -> Response:
    """POST experiments/delete: hides it, or (is_permanent) removes it and its runs for good."""
    message = await body_of(call, _DELETE_EXPERIMENT)
    if not message.is_permanent:
        return await experiments.delete(call)
    await call.run_write(
        service.purge_experiment,
        call.context.store,
        workspace=call.workspace,
        id=translate.experiment_id(message.experiment_id),
        at=call.context.clock(),
    )
    return DONE


async def search_experiments(call: Call) -> Response:
    """POST experiments/search"""
    message = await body_of(call, _SEARCH_EXPERIMENTS)
    return await experiments.found(
        call,
        tracking_wire.SearchExperiments(
            max_results=message.max_results,
            page_token=message.page_token,
            filter=message.filter,
            order_by=message.order_by,
            view_type=message.view_type,
        ),
    )


async def update_experiment_tags(call: Call) -> Response:
    """POST internal/experiments/update-experiment-tags: removing a tag that is not there is no error."""
    message = await body_of(call, _EXPERIMENT_TAGS)
    number = translate.experiment_id(message.experiment_id)
    for tag in message.set_tags:
        rules.check_experiment_tag(tag.key, tag.value)
    await call.run_write(_update_experiment_tags, call, number, message)
    return DONE


def _update_experiment_tags(call: Call, number: int, message: wire.UpdateExperimentTags) -> None:
    store, workspace = call.context.store, call.workspace
    there = service.get_experiment(store, workspace=workspace, id=number).tags
    given = {tag.key: tag.value for tag in message.set_tags}
    write = ExperimentWrite(
        id=number,
        set_tags=given,
        remove_tags=tuple(dict.fromkeys(t.key for t in message.delete_tags if t.key in there and t.key not in given)),
        at=call.context.clock(),
    )
    service.change_experiment(store, workspace=workspace, write=write)


async def create_run(call: Call) -> Response:
    """POST runs/create: the run keeps the platform's id as a tag."""
    platform = tracking_wire.Pair(PLATFORM_TAG, call.params["platform"])
    return await runs.created(call, (platform,), origin=ORIGIN)


async def delete_run(call: Call) -> Response:
    """POST runs/delete: hides it, or (is_permanent) removes it for good."""
    message = await body_of(call, _DELETE_RUN)
    if not message.is_permanent:
        return await runs.delete(call)
    run_id = translate.required(message.run_id, "run_id")
    await call.run_write(_purge_run, call, run_id)
    return DONE


def _purge_run(call: Call, run_id: str) -> None:
    store, workspace = call.context.store, call.workspace
    service.get_run(store, workspace=workspace, run_id=run_id, columns=NO_COLUMNS)
    service.purge_runs(store, workspace=workspace, run_ids=(run_id,))


async def log_inputs(call: Call) -> Response:
    """POST runs/log-inputs"""
    message = await body_of(call, _INPUTS)
    told = lineage_wire.LogInputs(run_id=message.run_id, datasets=message.dataset_inputs, models=message.models)
    links: Links = lineage.inputs(told)
    return await lineage_routes.log_links(call, message.run_id, links)


async def update_run_tags(call: Call) -> Response:
    """POST internal/runs/update-tags: removing a tag that is not there is no error."""
    message = await body_of(call, _RUN_TAGS)
    translate.required(message.run_id, "run_id")
    given = [tracking_wire.Pair(tag.key, tag.value) for tag in message.set_tags]
    write = translate.set_tags(message.run_id, given, at=call.context.clock())
    await call.run_write(_update_run_tags, call, write, [tag.key for tag in message.delete_tags])
    return DONE


def _update_run_tags(call: Call, write: RunWrite, unwanted: list[str]) -> None:
    store, workspace = call.context.store, call.workspace
    columns = Columns(metrics=(), params=(), tags=tuple(unwanted))
    there = service.get_run(store, workspace=workspace, run_id=write.run_id, columns=columns).tags
    removed = tuple(key for key in dict.fromkeys(unwanted) if key in there and key not in write.set_tags)
    ingest.write(store, workspace=workspace, write=replace(write, remove_tags=removed)).result()


async def get_history(call: Call) -> Response:
    """GET metrics/get-history: a page holds at most 25,000 points, and its token is in a header too."""
    message = query_of(call, _HISTORY)
    message.page_token = message.page_token or message.page
    if message.max_results is not None:
        message.max_results = min(message.max_results, _PAGE_POINTS)
    return await metrics.history(call, message)


ROUTES: Final = (
    Route("POST", "/mlflow/experiments/create", experiments.create, Role.WRITER),
    Route("GET", "/mlflow/experiments/get", experiments.get),
    Route("GET", "/mlflow/experiments/get-by-name", experiments.get_by_name),
    Route("POST", "/mlflow/experiments/search", search_experiments),
    Route("POST", "/mlflow/experiments/update", experiments.update, Role.WRITER),
    Route("POST", "/mlflow/experiments/delete", delete_experiment, Role.WRITER),
    Route("POST", "/mlflow/experiments/restore", experiments.restore, Role.WRITER),
    Route("POST", "/mlflow/experiments/set-experiment-tag", experiments.set_tag, Role.WRITER),
    Route("POST", "/mlflow/experiments/delete-experiment-tag", experiments.delete_tag, Role.WRITER),
    Route("POST", "/mlflow/internal/experiments/update-experiment-tags", update_experiment_tags, Role.WRITER),
    Route("POST", "/mlflow/runs/create", create_run, Role.WRITER),
    Route("GET", "/mlflow/runs/get", runs.get),
    Route("POST", "/mlflow/runs/search", runs.search),
    Route("POST", "/mlflow/runs/update", runs.update, Role.WRITER),
    Route("POST", "/mlflow/runs/delete", delete_run, Role.WRITER),
    Route("POST", "/mlflow/runs/restore", runs.restore, Role.WRITER),
    Route("POST", "/mlflow/runs/set-tag", runs.set_tag, Role.WRITER),
    Route("POST", "/mlflow/runs/delete-tag", runs.delete_tag, Role.WRITER),
    Route("POST", "/mlflow/internal/runs/update-tags", update_run_tags, Role.WRITER),
    Route("POST", "/mlflow/runs/log-metric", runs.log_metric, Role.WRITER),
    Route("POST", "/mlflow/runs/log-batch", runs.log_batch, Role.WRITER),
    Route("POST", "/mlflow/runs/log-parameter", runs.log_parameter, Role.WRITER),
    Route("POST", "/mlflow/runs/log-inputs", log_inputs, Role.WRITER),
    Route("POST", "/mlflow/runs/log-model", lineage_routes.log_model, Role.WRITER),
    Route("GET", "/mlflow/metrics/get-history", get_history),
    Route("GET", "/mlflow/artifacts/list", artifacts.list_of_run),
    Route("POST", "/mlflow/logged-models/search", models.search),
)

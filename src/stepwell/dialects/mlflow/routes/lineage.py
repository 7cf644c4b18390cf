"""runs/log-inputs, runs/outputs, runs/log-model, experiments/search-datasets."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import Role
from stepwell.core.entities import Links
from stepwell.core.model import RunRow, RunWrite
from stepwell.dialects.mlflow import lineage as translate
from stepwell.dialects.mlflow import lineage_wire as wire
from stepwell.dialects.mlflow import rules
from stepwell.dialects.mlflow import translate as tracking
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of
from stepwell.services import lineage, tagging
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_INPUTS: Final = Reader(wire.LogInputs)
_OUTPUTS: Final = Reader(wire.LogOutputs)
_MODEL: Final = Reader(wire.LogModel)
_DATASETS: Final = Reader(wire.SearchDatasets)


async def log_inputs(call: Call) -> Response:
    """POST runs/log-inputs"""
    message = await body_of(call, _INPUTS)
    return await log_links(call, message.run_id, translate.inputs(message))


async def log_outputs(call: Call) -> Response:
    """POST runs/outputs"""
    message = await body_of(call, _OUTPUTS)
    return await log_links(call, message.run_id, translate.outputs(message))


async def log_links(call: Call, run_id: str, links: Links) -> Response:
    """Tie data sets and models to a run."""
    tracking.required(run_id, "run_id")
    future = await call.run_write(
        lineage.log_links,
        call.context.store,
        workspace=call.workspace,
        run_id=run_id,
        links=links,
        at=call.context.clock(),
    )
    await call.durable(future)
    return DONE


async def log_model(call: Call) -> Response:
    """POST runs/log-model: an older way to say that a run made a model; kept in a tag of the run."""
    message = await body_of(call, _MODEL)
    tracking.required(message.run_id, "run_id")
    await call.run_write(_log_model, call, message)
    return DONE


def _log_model(call: Call, message: wire.LogModel) -> None:
    tag = translate.HISTORY_TAG

    def decide(row: RunRow) -> RunWrite:
        history = translate.model_history(message, row.tags.get(tag, ""))
        return RunWrite(run_id=message.run_id, set_tags={tag: history}, at=call.context.clock())

    tagging.change(call.context.store, workspace=call.workspace, run_id=message.run_id, tags=(tag,), decide=decide)


async def search_datasets(call: Call) -> Response:
    """POST experiments/search-datasets"""
    numbers = translate.experiment_ids(await body_of(call, _DATASETS))
    found = await call.run(
        lineage.search_datasets,
        call.context.store,
        workspace=call.workspace,
        experiment_ids=numbers,
        limit=rules.DATASET_SUMMARIES,
    )
    return answer(translate.dataset_summaries(found))


ROUTES: Final = (
    Route("POST", "/mlflow/runs/log-inputs", log_inputs, Role.WRITER),
    Route("POST", "/mlflow/runs/outputs", log_outputs, Role.WRITER),
    Route("POST", "/mlflow/runs/log-model", log_model, Role.WRITER),
    Route("POST", "/mlflow/experiments/search-datasets", search_datasets),
)

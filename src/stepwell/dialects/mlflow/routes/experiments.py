"""experiments/*: make, find, change, delete and restore experiments."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import Role
from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import Experiment, ExperimentWrite, Lifecycle
from stepwell.dialects.mlflow import render, rules, translate, wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of, query_of
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateExperiment)
_BY_ID: Final = Reader(wire.ExperimentById)
_BY_NAME: Final = Reader(wire.ExperimentByName)
_SEARCH: Final = Reader(wire.SearchExperiments)
_UPDATE: Final = Reader(wire.UpdateExperiment)
_SET_TAG: Final = Reader(wire.SetExperimentTag)
_DELETE_TAG: Final = Reader(wire.DeleteExperimentTag)


async def create(call: Call) -> Response:
    """POST experiments/create"""
    new = translate.new_experiment(await body_of(call, _CREATE), at=call.context.clock())
    made = await call.run_write(service.create_experiment, call.context.store, workspace=call.workspace, new=new)
    return answer(wire.ExperimentIdAnswer(experiment_id=str(made.id)))


async def get(call: Call) -> Response:
    """GET experiments/get"""
    number = translate.experiment_id(query_of(call, _BY_ID).experiment_id)
    found = await call.run(service.get_experiment, call.context.store, workspace=call.workspace, id=number)
    return _one(found)


async def get_by_name(call: Call) -> Response:
    """GET experiments/get-by-name"""
    name = translate.required(query_of(call, _BY_NAME).experiment_name, "experiment_name")
    found = await call.run(service.get_experiment, call.context.store, workspace=call.workspace, name=name)
    return _one(found)


def _one(found: Experiment) -> Response:
    return answer(wire.ExperimentAnswer(experiment=render.experiment(found)))


async def search(call: Call) -> Response:
    """POST and GET experiments/search"""
    return await found(call, query_of(call, _SEARCH) if call.method != "POST" else await body_of(call, _SEARCH))


async def found(call: Call, message: wire.SearchExperiments) -> Response:
    """The experiments that a search is for."""
    rows, cursor = await call.run(
        service.search_experiments,
        call.context.store,
        workspace=call.workspace,
        filter=message.filter,
        order=message.order_by,
        visibility=translate.visibility(message.view_type, "view_type"),
        limit=rules.check_results(message.max_results, "max_results", rules.SEARCH_RESULTS),
        cursor=message.page_token or None,
        milliseconds=True,
    )
    experiments = [render.experiment(each) for each in rows]
    return answer(wire.ExperimentsAnswer(experiments=experiments, next_page_token=cursor or ""))


async def delete(call: Call) -> Response:
    """POST experiments/delete"""
    return await _move(call, Lifecycle.DELETED)


async def restore(call: Call) -> Response:
    """POST experiments/restore"""
    return await _move(call, Lifecycle.ACTIVE)


async def _move(call: Call, to: Lifecycle) -> Response:
    number = translate.experiment_id((await body_of(call, _BY_ID)).experiment_id)
    try:
        await _change(call, ExperimentWrite(id=number, lifecycle=to, at=call.context.clock()))
    except Conflict:  # in this protocol an experiment that is there already does not exist for the move
        raise NotFound(
            f"No Experiment with id={number} exists that is not {to.value}.", field="experiment_id"
        ) from None
    return DONE


async def update(call: Call) -> Response:
    """POST experiments/update"""
    await _change(call, translate.rename_experiment(await body_of(call, _UPDATE), at=call.context.clock()))
    return DONE


async def set_tag(call: Call) -> Response:
    """POST experiments/set-experiment-tag"""
    await _change(call, translate.set_experiment_tag(await body_of(call, _SET_TAG), at=call.context.clock()))
    return DONE


async def delete_tag(call: Call) -> Response:
    """POST experiments/delete-experiment-tag"""
    await _change(call, translate.delete_experiment_tag(await body_of(call, _DELETE_TAG), at=call.context.clock()))
    return DONE


async def _change(call: Call, write: ExperimentWrite) -> None:
    await call.run_write(service.change_experiment, call.context.store, workspace=call.workspace, write=write)


ROUTES: Final = (
    Route("POST", "/mlflow/experiments/create", create, Role.WRITER),
    Route("GET", "/mlflow/experiments/get", get),
    Route("GET", "/mlflow/experiments/get-by-name", get_by_name),
    Route("POST", "/mlflow/experiments/search", search),
    Route("GET", "/mlflow/experiments/search", search),
    Route("POST", "/mlflow/experiments/delete", delete, Role.WRITER),
    Route("POST", "/mlflow/experiments/restore", restore, Role.WRITER),
    Route("POST", "/mlflow/experiments/update", update, Role.WRITER),
    Route("POST", "/mlflow/experiments/set-experiment-tag", set_tag, Role.WRITER),
    Route("POST", "/mlflow/experiments/delete-experiment-tag", delete_tag, Role.WRITER),
)

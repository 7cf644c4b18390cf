"""logged-models/*: make, finish, describe, find and delete models, and look into their files."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import Role
from stepwell.core.entities import LoggedModel
from stepwell.core.errors import NotFound
from stepwell.dialects.mlflow import models as translate
from stepwell.dialects.mlflow import models_wire as wire
from stepwell.dialects.mlflow import render, rules
from stepwell.dialects.mlflow import translate as tracking
from stepwell.dialects.mlflow import wire as tracking_wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes import artifacts
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of, query_of
from stepwell.services import lineage, runs
from stepwell.services import models as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateModel)
_GET: Final = Reader(wire.GetModel)
_FINALIZE: Final = Reader(wire.FinalizeModel)
_TAGS: Final = Reader(wire.SetModelTags)
_PARAMS: Final = Reader(wire.LogModelParams)
_SEARCH: Final = Reader(wire.SearchModels)
_LIST: Final = Reader(wire.ListModelArtifacts)
_FILE: Final = Reader(wire.GetModelArtifact)


async def create(call: Call) -> Response:
    """POST logged-models"""
    return await call.run_write(_create, call, await body_of(call, _CREATE))


def _create(call: Call, message: wire.CreateModel) -> Response:
    number = tracking.experiment_id(message.experiment_id)
    experiment = runs.get_experiment(call.context.store, workspace=call.workspace, id=number)
    new = translate.new_model(message, experiment=experiment, at=call.context.clock())
    made = service.create(call.context.store, workspace=call.workspace, new=new)
    return answer(wire.ModelAnswer(model=translate.model(made, ())))


async def get(call: Call) -> Response:
    """GET logged-models/{model_id}"""
    deleted_too = query_of(call, _GET).allow_deleted
    return await call.run(
        lambda: answer(wire.ModelAnswer(model=_rendered(call, _model(call, deleted_too=deleted_too))))
    )


async def finalize(call: Call) -> Response:
    """PATCH logged-models/{model_id}"""
    status = translate.status((await body_of(call, _FINALIZE)).status)
    changed = await call.run_write(
        service.set_status,
        call.context.store,
        workspace=call.workspace,
        model_id=call.params["model_id"],
        status=status,
        at=call.context.clock(),
    )
    return await call.run(lambda: answer(wire.ModelAnswer(model=_rendered(call, changed))))


async def delete(call: Call) -> Response:
    """DELETE logged-models/{model_id}"""
    await call.run_write(
        service.delete,
        call.context.store,
        workspace=call.workspace,
        model_id=call.params["model_id"],
        at=call.context.clock(),
    )
    return DONE


async def set_tags(call: Call) -> Response:
    """PATCH logged-models/{model_id}/tags"""
    await call.run_write(
        service.set_tags,
        call.context.store,
        workspace=call.workspace,
        model_id=call.params["model_id"],
        tags=translate.tags((await body_of(call, _TAGS)).tags),
        at=call.context.clock(),
    )
    return DONE


async def delete_tag(call: Call) -> Response:
    """DELETE logged-models/{model_id}/tags/{tag_key}"""
    await call.run_write(
        service.remove_tag,
        call.context.store,
        workspace=call.workspace,
        model_id=call.params["model_id"],
        name=call.params["tag_key"],
        at=call.context.clock(),
    )
    return DONE


async def log_params(call: Call) -> Response:
    """POST logged-models/{model_id}/params"""
    await call.run_write(
        service.add_params,
        call.context.store,
        workspace=call.workspace,
        model_id=call.params["model_id"],
        params=translate.pairs((await body_of(call, _PARAMS)).params, "params"),
        at=call.context.clock(),
    )
    return DONE


async def search(call: Call) -> Response:
    """POST logged-models/search"""
    return await call.run(_search, call, await body_of(call, _SEARCH))


def _search(call: Call, message: wire.SearchModels) -> Response:
    found, cursor = service.search(
        call.context.store,
        workspace=call.workspace,
        experiment_ids=[
            tracking.experiment_id(text, f"experiment_ids[{i}]") for i, text in enumerate(message.experiment_ids)
        ],
        filter=message.filter,
        datasets=translate.datasets(message.datasets),
        order=translate.order(message.order_by),
        limit=rules.check_results(message.max_results, "max_results", rules.SEARCH_RESULTS),
        cursor=message.page_token or None,
        milliseconds=True,
    )
    return answer(wire.ModelsAnswer(models=[_rendered(call, each) for each in found], next_page_token=cursor or ""))


async def list_artifacts(call: Call) -> Response:
    """GET logged-models/{model_id}/artifacts/directories: paths relative to the model's root."""
    folder = query_of(call, _LIST).artifact_directory_path.rstrip("/")
    if folder:
        tracking.artifact_path(folder, "artifact_directory_path")
    return await call.run(_list_artifacts, call, folder)


def _list_artifacts(call: Call, folder: str) -> Response:
    model = _model(call)
    root = tracking.proxied_root(model.artifact_uri)
    files: list[tracking_wire.FileInfo] = []
    if root is not None:
        place = artifacts.place_of(call, f"{root}/{folder}".rstrip("/"))
        files = render.files(artifacts.children(call, place), relative_to=artifacts.place_of(call, root).path)
    return answer(tracking_wire.FilesAnswer(root_uri=model.artifact_uri, files=files))


async def get_artifact(call: Call) -> Response:
    """GET (ajax) logged-models/{model_id}/artifacts/files"""
    path = tracking.artifact_path(query_of(call, _FILE).artifact_file_path, "artifact_file_path")
    place = await call.run(_place, call, path)
    return await artifacts.send(call, place)


def _place(call: Call, path: str) -> artifacts.Place:
    model = _model(call)
    root = tracking.proxied_root(model.artifact_uri)
    if root is None:
        raise NotFound(f"the files of model {model.id!r} are not in this server", field="model_id")
    return artifacts.place_of(call, f"{root}/{path}")


def _model(call: Call, *, deleted_too: bool = False) -> LoggedModel:
    model_id = call.params["model_id"]
    return service.get(call.context.store, workspace=call.workspace, model_id=model_id, deleted_too=deleted_too)


def _rendered(call: Call, model: LoggedModel) -> wire.Model:
    points = lineage.points_of_model(call.context.store, workspace=call.workspace, model_id=model.id)
    return translate.model(model, points)


ROUTES: Final = (
    Route("POST", "/mlflow/logged-models", create, Role.WRITER),
    Route("POST", "/mlflow/logged-models/search", search),
    Route("GET", "/mlflow/logged-models/{model_id}", get),
    Route("PATCH", "/mlflow/logged-models/{model_id}", finalize, Role.WRITER),
    Route("DELETE", "/mlflow/logged-models/{model_id}", delete, Role.WRITER),
    Route("PATCH", "/mlflow/logged-models/{model_id}/tags", set_tags, Role.WRITER),
    Route("DELETE", "/mlflow/logged-models/{model_id}/tags/{tag_key}", delete_tag, Role.WRITER),
    Route("POST", "/mlflow/logged-models/{model_id}/params", log_params, Role.WRITER),
    Route("GET", "/mlflow/logged-models/{model_id}/artifacts/directories", list_artifacts),
)
AJAX_ROUTES: Final = (Route("GET", "/mlflow/logged-models/{model_id}/artifacts/files", get_artifact),)

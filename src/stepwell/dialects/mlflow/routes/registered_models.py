"""registered-models/*: make, find, change, rename and delete registered models; their tags and aliases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from stepwell.core.access import Role
from stepwell.core.entities import RegisteredModel
from stepwell.core.errors import NotFound
from stepwell.dialects.mlflow import registry as translate
from stepwell.dialects.mlflow import registry_wire as wire
from stepwell.dialects.mlflow import rules
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of, query_of
from stepwell.services import registry as service
from stepwell.services.registry_search import MODELS_PER_PAGE, search_models
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateRegisteredModel)
_RENAME: Final = Reader(wire.RenameRegisteredModel)
_UPDATE: Final = Reader(wire.UpdateRegisteredModel)
_BY_NAME: Final = Reader(wire.RegisteredModelByName)
_SEARCH: Final = Reader(wire.Search)
_LATEST: Final = Reader(wire.GetLatestVersions)
_SET_TAG: Final = Reader(wire.SetRegisteredModelTag)
_DELETE_TAG: Final = Reader(wire.DeleteRegisteredModelTag)
_SET_ALIAS: Final = Reader(wire.SetAlias)
_ALIAS: Final = Reader(wire.AliasByName)


async def create(call: Call) -> Response:
    """POST registered-models/create"""
    message = await body_of(call, _CREATE)
    made = await call.run_write(
        service.create_model,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(message.name),
        description=message.description,
        job_id=message.deployment_job_id,
        tags=translate.tags(message.tags),
        at=call.context.clock(),
    )
    return answer(wire.RegisteredModelAnswer(translate.registered_model(made)))


async def get(call: Call) -> Response:
    """GET registered-models/get"""
    name = translate.model_name(query_of(call, _BY_NAME).name)
    return await call.run(_get, call, name)


def _get(call: Call, name: str) -> Response:
    found = service.get_model(call.context.store, workspace=call.workspace, name=name)
    return answer(wire.RegisteredModelAnswer(_rendered(call, found)))


async def rename(call: Call) -> Response:
    """POST registered-models/rename"""
    message = await body_of(call, _RENAME)
    new_name = translate.model_name(message.new_name, "new_name")
    return await _change(call, message.name, lambda model: replace(model, name=new_name))


async def update(call: Call) -> Response:
    """PATCH registered-models/update: what is absent stays as it is."""
    message = await body_of(call, _UPDATE)

    def changed(model: RegisteredModel) -> RegisteredModel:
        return replace(
            model,
            description=model.description if message.description is None else message.description,
            job_id=model.job_id if message.deployment_job_id is None else message.deployment_job_id,
        )

    return await _change(call, message.name, changed)


async def _change(call: Call, name: str, change: Callable[[RegisteredModel], RegisteredModel]) -> Response:
    changed = await call.run_write(
        service.change_model,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(name),
        change=change,
        at=call.context.clock(),
    )
    return await call.run(lambda: answer(wire.RegisteredModelAnswer(_rendered(call, changed))))


async def delete(call: Call) -> Response:
    """DELETE registered-models/delete: with all its versions."""
    name = translate.model_name((await body_of(call, _BY_NAME)).name)
    await call.run_write(service.delete_model, call.context.store, workspace=call.workspace, name=name)
    return DONE


async def search(call: Call) -> Response:
    """GET registered-models/search"""
    return await call.run(found, call, query_of(call, _SEARCH))


def found(call: Call, message: wire.Search) -> Response:
    """The models that a search is for."""
    rows, cursor = search_models(
        call.context.store,
        workspace=call.workspace,
        filter=message.filter,
        order=message.order_by,
        limit=rules.check_results(message.max_results, "max_results", MODELS_PER_PAGE),
        cursor=message.page_token or None,
        milliseconds=True,
        assumed=translate.ASSUMED_TAGS,
    )
    models = [_rendered(call, each) for each in rows]
    return answer(wire.RegisteredModelsAnswer(registered_models=models, next_page_token=cursor or ""))


async def get_latest_versions(call: Call) -> Response:
    """GET and POST registered-models/get-latest-versions: the greatest version of each stage asked for."""
    message = await body_of(call, _LATEST) if call.method == "POST" else query_of(call, _LATEST)
    name = translate.model_name(message.name)
    stages = {translate.stage(word, f"stages[{i}]") for i, word in enumerate(message.stages)}

    def found() -> Response:
        model = service.get_model(call.context.store, workspace=call.workspace, name=name)
        latest = service.latest_versions(call.context.store, workspace=call.workspace, model=model)
        chosen = [each for each in latest if not stages or each.version.stage in stages]
        return answer(wire.VersionsAnswer(model_versions=[translate.version(each) for each in chosen]))

    return await call.run(found)


async def set_tag(call: Call) -> Response:
    """POST registered-models/set-tag"""
    message = await body_of(call, _SET_TAG)
    tags = {translate.tag_key(message.key): translate.tag_value(message.value)}
    return await change_tags(call, message.name, tags, ())


async def delete_tag(call: Call) -> Response:
    """DELETE registered-models/delete-tag: removing one that is not there is no error."""
    message = await body_of(call, _DELETE_TAG)
    return await change_tags(call, message.name, {}, (translate.tag_key(message.key),))


async def change_tags(call: Call, name: str, set_tags: dict[str, str], remove: tuple[str, ...]) -> Response:
    """Set and remove tags of a registered model."""
    await call.run_write(
        service.change_model_tags,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(name),
        set_tags=set_tags,
        remove=remove,
        at=call.context.clock(),
    )
    return DONE


async def set_alias(call: Call) -> Response:
    """POST registered-models/alias"""
    message = await body_of(call, _SET_ALIAS)
    await call.run_write(
        service.set_alias,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(message.name),
        alias=translate.new_alias(message.alias),
        number=translate.version_number(message.version),
        at=call.context.clock(),
    )
    return DONE


async def delete_alias(call: Call) -> Response:
    """DELETE registered-models/alias: one that is not there is no error."""
    message = await body_of(call, _ALIAS)
    await call.run_write(
        service.delete_alias,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(message.name),
        alias=translate.alias(message.alias),
        at=call.context.clock(),
    )
    return DONE


async def get_by_alias(call: Call) -> Response:
    """GET registered-models/alias: a version by its alias, or the greatest one as "latest"."""
    message = query_of(call, _ALIAS)
    return await call.run(_by_alias, call, translate.model_name(message.name), translate.alias(message.alias))


def _by_alias(call: Call, name: str, alias: str) -> Response:
    store = call.context.store
    if alias.lower() != translate.LATEST:
        found = service.get_by_alias(store, workspace=call.workspace, name=name, alias=alias)
        return answer(wire.VersionAnswer(translate.version(found)))
    model = service.get_model(store, workspace=call.workspace, name=name)
    versions = service.versions_of(store, workspace=call.workspace, model=model)
    if not versions:
        raise NotFound(f"registered model {name!r} has no version", field="alias")
    return answer(wire.VersionAnswer(translate.version(service.named(model, versions[-1]))))


def _rendered(call: Call, model: RegisteredModel) -> wire.RegisteredModel:
    latest = service.latest_versions(call.context.store, workspace=call.workspace, model=model)
    return translate.registered_model(model, latest)


ROUTES: Final = (
    Route("POST", "/mlflow/registered-models/create", create, Role.WRITER),
    Route("GET", "/mlflow/registered-models/get", get),
    Route("POST", "/mlflow/registered-models/rename", rename, Role.WRITER),
    Route("PATCH", "/mlflow/registered-models/update", update, Role.WRITER),
    Route("DELETE", "/mlflow/registered-models/delete", delete, Role.WRITER),
    Route("GET", "/mlflow/registered-models/search", search),
    Route("GET", "/mlflow/registered-models/get-latest-versions", get_latest_versions),
    Route("POST", "/mlflow/registered-models/get-latest-versions", get_latest_versions),
    Route("POST", "/mlflow/registered-models/set-tag", set_tag, Role.WRITER),
    Route("DELETE", "/mlflow/registered-models/delete-tag", delete_tag, Role.WRITER),
    Route("POST", "/mlflow/registered-models/alias", set_alias, Role.WRITER),
    Route("DELETE", "/mlflow/registered-models/alias", delete_alias, Role.WRITER),
    Route("GET", "/mlflow/registered-models/alias", get_by_alias),
)

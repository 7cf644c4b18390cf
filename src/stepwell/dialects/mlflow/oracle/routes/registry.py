"""registered-models/* and model-versions/* of a platform, with the verbs of this interface."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import Role, require
from stepwell.core.errors import Invalid
from stepwell.core.ids import check_workspace
from stepwell.dialects.mlflow import registry as translate
from stepwell.dialects.mlflow import registry_wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.oracle import wire
from stepwell.dialects.mlflow.routes import model_versions, registered_models
from stepwell.dialects.mlflow.routes.reading import answer, body_of, query_of
from stepwell.services.registry import versions_of
from stepwell.services.registry_search import MODELS_PER_PAGE, search_models
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_MODEL_TAGS: Final = Reader(wire.UpdateRegisteredModelTags)
_VERSION_TAGS: Final = Reader(wire.UpdateVersionTags)
_SUMMARY: Final = Reader(wire.GetSummary)
_CREATE_VERSION: Final = Reader(registry_wire.CreateVersion)
_SEARCH_MODELS: Final = Reader(wire.Search)
_SEARCH_VERSIONS: Final = Reader(wire.SearchVersions)


def _tags(tags: list[wire.Tag]) -> dict[str, str]:
    return translate.tags([registry_wire.Tag(tag.key, tag.value) for tag in tags])


def _keys(tags: list[wire.TagKey]) -> tuple[str, ...]:
    return tuple(translate.tag_key(tag.key, f"delete_tags[{i}].key") for i, tag in enumerate(tags))


async def update_model_tags(call: Call) -> Response:
    """POST internal/registered-models/update-tags: removing a tag that is not there is no error."""
    message = await body_of(call, _MODEL_TAGS)
    tags = _tags(message.set_tags), _keys(message.delete_tags)
    return await registered_models.change_tags(call, message.name, *tags)


async def update_version_tags(call: Call) -> Response:
    """POST internal/model-versions/update-tags: removing a tag that is not there is no error."""
    message = await body_of(call, _VERSION_TAGS)
    tags = _tags(message.set_tags), _keys(message.delete_tags)
    return await model_versions.change_tags(call, message.name, message.version, *tags)


async def create_version(call: Call) -> Response:
    """POST model-versions/create: runs and models that the platform's own scope does not hold are taken as told."""
    message = await body_of(call, _CREATE_VERSION)
    return await model_versions.created(call, message, scope=call.workspace, models_in=None)


async def create_version_of_workspace(call: Call) -> Response:
    """POST model-versions/create of a workspace: its models, in the platform's registry."""
    message = await body_of(call, _CREATE_VERSION)
    scope = check_workspace(call.workspace_named(call.params["platform"]))
    require(call.principal, role=Role.WRITER, workspace=scope, named=call.named)
    return await model_versions.created(call, message, scope=scope, models_in=call.workspace)


async def search_registered_models(call: Call) -> Response:
    """GET registered-models/search"""
    message = query_of(call, _SEARCH_MODELS)
    _settle(message)
    return await call.run(registered_models.found, call, message)


async def search_model_versions(call: Call) -> Response:
    """GET model-versions/search"""
    message = query_of(call, _SEARCH_VERSIONS)
    _settle(message)
    return await call.run(model_versions.found, call, message)


def _settle(message: wire.Search | wire.SearchVersions) -> None:
    """This interface's ways to say a page and an order, as MLflow's."""
    message.page_token = message.page_token or message.page
    message.order_by = [column for text in message.order_by for column in text.split(",")]


async def summary(call: Call) -> Response:
    """GET registered-models/summary: how many models of a catalog and schema there are, by the parts of their names."""
    message = query_of(call, _SUMMARY)
    prefix = "".join(f"{part}." for part in (message.catalog, message.schema) if part)
    return await call.run(_summary, call, prefix)


def _summary(call: Call, prefix: str) -> Response:
    store, workspace = call.context.store, call.workspace
    models = versions = 0
    cursor: str | None = None
    while True:
        found, cursor = search_models(store, workspace=workspace, limit=MODELS_PER_PAGE, cursor=cursor)
        for model in found:
            if model.name.startswith(prefix):
                models += 1
                versions += len(versions_of(store, workspace=workspace, model=model))
        if cursor is None:
            return answer(wire.Summary(registered_models_count=models, model_versions_count=versions))


async def list_permissions(call: Call) -> Response:
    """GET registered-models/{key}/permissions: there are none of its own; credentials decide."""
    return answer(wire.Permissions())


async def manage_permission(call: Call) -> Response:
    """POST registered-models/{key}/actions/managePermission: refused; credentials decide."""
    raise Invalid(
        "permissions of a model cannot be given one by one here: a credential is for a workspace, as reader, writer or "
        "admin (stepwell credential create)"
    )


ROUTES: Final = (
    Route("POST", "/mlflow/registered-models/create", registered_models.create, Role.WRITER),
    Route("GET", "/mlflow/registered-models/get", registered_models.get),
    Route("GET", "/mlflow/registered-models/search", search_registered_models),
    Route("POST", "/mlflow/registered-models/rename", registered_models.rename, Role.WRITER),
    Route("POST", "/mlflow/registered-models/update", registered_models.update, Role.WRITER),
    Route("POST", "/mlflow/registered-models/delete", registered_models.delete, Role.WRITER),
    Route("POST", "/mlflow/registered-models/set-tag", registered_models.set_tag, Role.WRITER),
    Route("POST", "/mlflow/registered-models/delete-tag", registered_models.delete_tag, Role.WRITER),
    Route("POST", "/mlflow/internal/registered-models/update-tags", update_model_tags, Role.WRITER),
    Route("GET", "/mlflow/registered-models/{key}/permissions", list_permissions),
    Route("POST", "/mlflow/registered-models/{key}/actions/managePermission", manage_permission, Role.ADMIN),
    Route("GET", "/registered-models/summary", summary),
    Route("POST", "/mlflow/model-versions/create", create_version, Role.WRITER),
    Route("GET", "/mlflow/model-versions/get", model_versions.get),
    Route("GET", "/mlflow/model-versions/search", search_model_versions),
    Route("POST", "/mlflow/model-versions/update", model_versions.update, Role.WRITER),
    Route("POST", "/mlflow/model-versions/transition-stage", model_versions.transition_stage, Role.WRITER),
    Route("POST", "/mlflow/model-versions/delete", model_versions.delete, Role.WRITER),
    Route("POST", "/mlflow/model-versions/set-tag", model_versions.set_tag, Role.WRITER),
    Route("POST", "/mlflow/model-versions/delete-tag", model_versions.delete_tag, Role.WRITER),
    Route("POST", "/mlflow/internal/model-versions/update-tags", update_version_tags, Role.WRITER),
)
WORKSPACE_ROUTES: Final = (Route("POST", "/mlflow/model-versions/create", create_version_of_workspace, Role.WRITER),)

"""model-versions/*: make, find, change and delete versions of registered models; their tags, stages and files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from stepwell.core.access import Role
from stepwell.core.entities import ModelVersion, NamedVersion
from stepwell.core.errors import NotFound, TooLarge
from stepwell.core.store import Store
from stepwell.dialects.mlflow import registry as translate
from stepwell.dialects.mlflow import registry_wire as wire
from stepwell.dialects.mlflow import rules
from stepwell.dialects.mlflow import translate as tracking
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.models import VERSIONS_TAG, with_version
from stepwell.dialects.mlflow.routes import artifacts
from stepwell.dialects.mlflow.routes.reading import DONE, answer, body_of, query_of
from stepwell.services import models
from stepwell.services import registry as service
from stepwell.services.registry_search import VERSIONS_PER_PAGE, search_versions
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateVersion)
_UPDATE: Final = Reader(wire.UpdateVersion)
_TRANSITION: Final = Reader(wire.TransitionStage)
_BY_NUMBER: Final = Reader(wire.VersionByNumber)
_SEARCH: Final = Reader(wire.SearchVersions)
_SET_TAG: Final = Reader(wire.SetVersionTag)
_DELETE_TAG: Final = Reader(wire.DeleteVersionTag)
_ARTIFACT: Final = Reader(wire.GetVersionArtifact)


async def create(call: Call) -> Response:
    """POST model-versions/create"""
    message = await body_of(call, _CREATE)
    return await created(call, message, scope=call.workspace, models_in=call.workspace)


async def created(call: Call, message: wire.CreateVersion, *, scope: str, models_in: str | None) -> Response:
    """Keep a version in the registry of the workspace `scope`. Models that runs made are looked up in `models_in`; when
    that is None, what is told of them is taken as it is."""
    name = translate.model_name(message.name)
    new = translate.new_version(message, at=call.context.clock())

    def create() -> NamedVersion:
        store = call.context.store
        found = _resolved(store, new, scope=scope, models_in=models_in)
        made = service.create_version(store, workspace=scope, name=name, new=found)
        if models_in is not None:
            _tell_model(store, made, models_in)
        return made

    return answer(wire.VersionAnswer(translate.version(await call.run_write(create))))


def _tell_model(store: Store, made: NamedVersion, workspace: str) -> None:
    """Keep with the model that it became this version. A model that is gone, or has become too many, is left alone."""
    version = made.version
    if version.model_id:
        with suppress(NotFound, TooLarge):
            models.change_tag(
                store,
                workspace=workspace,
                model_id=version.model_id,
                name=VERSIONS_TAG,
                change=lambda old: with_version(old, made.name, version.number),
                at=version.created_at,
            )


def _resolved(store: Store, new: ModelVersion, *, scope: str, models_in: str | None) -> ModelVersion:
    """With the place of its files, and what made them, when the source is a model or a version that we know."""
    named = translate.model_uri(new.source)
    if named is not None and not named.model_id:
        source = (
            service.get_by_alias(store, workspace=scope, name=named.name, alias=named.alias)
            if named.alias
            else service.get_version(store, workspace=scope, name=named.name, number=named.number)
        ).version
        run_id, model_id = new.run_id or source.run_id, new.model_id or source.model_id
        return replace(new, storage_uri=source.storage_uri, run_id=run_id, model_id=model_id)
    model_id = named.model_id if named is not None else new.model_id
    if not model_id or models_in is None:
        return new
    model = models.get(store, workspace=models_in, model_id=model_id)
    place = model.artifact_uri if named is not None else new.storage_uri
    return replace(new, storage_uri=place, run_id=new.run_id or model.source_run_id)


async def get(call: Call) -> Response:
    """GET model-versions/get"""
    found = await call.run(_version, call, query_of(call, _BY_NUMBER))
    return answer(wire.VersionAnswer(translate.version(found)))


async def get_download_uri(call: Call) -> Response:
    """GET model-versions/get-download-uri"""
    found = await call.run(_version, call, query_of(call, _BY_NUMBER))
    return answer(wire.DownloadUriAnswer(artifact_uri=found.version.storage_uri))


def _version(call: Call, message: wire.VersionByNumber | wire.GetVersionArtifact) -> NamedVersion:
    return service.get_version(
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(message.name),
        number=translate.version_number(message.version),
    )


async def update(call: Call) -> Response:
    """PATCH model-versions/update: what is absent stays as it is."""
    message = await body_of(call, _UPDATE)

    def described(version: ModelVersion) -> ModelVersion:
        return version if message.description is None else replace(version, description=message.description)

    return await _change(call, message.name, message.version, described)


async def transition_stage(call: Call) -> Response:
    """POST model-versions/transition-stage"""
    message = await body_of(call, _TRANSITION)
    stage, archive = translate.stage(message.stage), translate.archives(message)
    return await _change(call, message.name, message.version, lambda v: replace(v, stage=stage), archive=archive)


async def _change(
    call: Call,
    name: str,
    version: str | int,
    change: Callable[[ModelVersion], ModelVersion],
    *,
    archive: bool = False,
) -> Response:
    changed = await call.run_write(
        service.change_version,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(name),
        number=translate.version_number(version),
        change=change,
        at=call.context.clock(),
        archive=archive,
    )
    return answer(wire.VersionAnswer(translate.version(changed)))


async def delete(call: Call) -> Response:
    """DELETE model-versions/delete"""
    message = await body_of(call, _BY_NUMBER)
    await call.run_write(
        service.delete_version,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(message.name),
        number=translate.version_number(message.version),
        at=call.context.clock(),
    )
    return DONE


async def search(call: Call) -> Response:
    """GET model-versions/search"""
    return await call.run(found, call, query_of(call, _SEARCH))


def found(call: Call, message: wire.SearchVersions) -> Response:
    """The versions that a search is for."""
    rows, cursor = search_versions(
        call.context.store,
        workspace=call.workspace,
        filter=message.filter,
        order=message.order_by,
        limit=rules.check_results(message.max_results, "max_results", VERSIONS_PER_PAGE),
        cursor=message.page_token or None,
        milliseconds=True,
        assumed=translate.ASSUMED_TAGS,
    )
    versions = [translate.version(each) for each in rows]
    return answer(wire.VersionsAnswer(model_versions=versions, next_page_token=cursor or ""))


async def set_tag(call: Call) -> Response:
    """POST model-versions/set-tag"""
    message = await body_of(call, _SET_TAG)
    tags = {translate.tag_key(message.key): translate.tag_value(message.value)}
    return await change_tags(call, message.name, message.version, tags, ())


async def delete_tag(call: Call) -> Response:
    """DELETE model-versions/delete-tag: removing one that is not there is no error."""
    message = await body_of(call, _DELETE_TAG)
    return await change_tags(call, message.name, message.version, {}, (translate.tag_key(message.key),))


async def change_tags(
    call: Call, name: str, version: str | int, set_tags: dict[str, str], remove: tuple[str, ...]
) -> Response:
    """Set and remove tags of a version."""
    await call.run_write(
        service.change_version_tags,
        call.context.store,
        workspace=call.workspace,
        name=translate.model_name(name),
        number=translate.version_number(version),
        set_tags=set_tags,
        remove=remove,
        at=call.context.clock(),
    )
    return DONE


async def get_artifact(call: Call) -> Response:
    """GET /model-versions/get-artifact: a file of a version, when it is in this server."""
    message = query_of(call, _ARTIFACT)
    path = tracking.artifact_path(tracking.required(message.path, "path"))
    return await artifacts.send(call, await call.run(_place, call, message, path))


def _place(call: Call, message: wire.GetVersionArtifact, path: str) -> artifacts.Place:
    uri = _version(call, message).version.storage_uri
    parts = urlsplit(uri)
    if parts.scheme == "runs":
        run_id, _, folder = parts.path.strip("/").partition("/")
        return artifacts.Place(run_id, tracking.artifact_path(f"{folder}/{path}".lstrip("/")))
    root = tracking.proxied_root(uri)
    if root is None:
        raise NotFound(f"the files of version {message.version} of {message.name!r} are not in this server")
    return artifacts.place_of(call, tracking.artifact_path(f"{root}/{path}"))


ROUTES: Final = (
    Route("POST", "/mlflow/model-versions/create", create, Role.WRITER),
    Route("GET", "/mlflow/model-versions/get", get),
    Route("GET", "/mlflow/model-versions/get-download-uri", get_download_uri),
    Route("PATCH", "/mlflow/model-versions/update", update, Role.WRITER),
    Route("POST", "/mlflow/model-versions/transition-stage", transition_stage, Role.WRITER),
    Route("DELETE", "/mlflow/model-versions/delete", delete, Role.WRITER),
    Route("GET", "/mlflow/model-versions/search", search),
    Route("POST", "/mlflow/model-versions/set-tag", set_tag, Role.WRITER),
    Route("DELETE", "/mlflow/model-versions/delete-tag", delete_tag, Role.WRITER),
)
ROOT_ROUTES: Final = (Route("GET", "/model-versions/get-artifact", get_artifact),)

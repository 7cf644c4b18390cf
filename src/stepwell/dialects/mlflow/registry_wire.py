"""The shapes of the model registry, as MLflow's clients send and read them. Nothing of ours."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Tag(Struct):
    """A tag of a registered model or a version."""

    key: str
    value: str = ""


class CreateRegisteredModel(Struct):
    """POST registered-models/create"""

    name: str
    tags: list[Tag] = []
    description: str = ""
    deployment_job_id: str = ""


class RenameRegisteredModel(Struct):
    """POST registered-models/rename"""

    name: str
    new_name: str


class UpdateRegisteredModel(Struct):
    """PATCH registered-models/update"""

    name: str
    description: str | None = None
    deployment_job_id: str | None = None


class RegisteredModelByName(Struct):
    """GET registered-models/get, DELETE registered-models/delete"""

    name: str


class Search(Struct):
    """GET registered-models/search"""

    filter: str = ""
    max_results: Int64 = 100
    order_by: list[str] = []
    page_token: str = ""


class SearchVersions(Struct):
    """GET model-versions/search"""

    filter: str = ""
    max_results: Int64 = 200_000
    order_by: list[str] = []
    page_token: str = ""


class GetLatestVersions(Struct):
    """GET and POST registered-models/get-latest-versions"""

    name: str
    stages: list[str] = []


class SetRegisteredModelTag(Struct):
    """POST registered-models/set-tag"""

    name: str
    key: str
    value: str = ""


class DeleteRegisteredModelTag(Struct):
    """DELETE registered-models/delete-tag"""

    name: str
    key: str


class SetAlias(Struct):
    """POST registered-models/alias"""

    name: str
    alias: str
    version: str | int


class AliasByName(Struct):
    """GET and DELETE registered-models/alias"""

    name: str
    alias: str


class CreateVersion(Struct):
    """POST model-versions/create"""

    name: str
    source: str
    run_id: str = ""
    tags: list[Tag] = []
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class UpdateVersion(Struct):
    """PATCH model-versions/update"""

    name: str
    version: str | int
    description: str | None = None


class TransitionStage(Struct):
    """POST model-versions/transition-stage"""

    name: str
    version: str | int
    stage: str
    archive_existing_versions: bool = False


class VersionByNumber(Struct):
    """GET model-versions/get, model-versions/get-download-uri, DELETE model-versions/delete"""

    name: str
    version: str | int


class SetVersionTag(Struct):
    """POST model-versions/set-tag"""

    name: str
    version: str | int
    key: str
    value: str = ""


class DeleteVersionTag(Struct):
    """DELETE model-versions/delete-tag"""

    name: str
    version: str | int
    key: str


class GetVersionArtifact(Struct):
    """GET /model-versions/get-artifact"""

    name: str
    version: str | int
    path: str


# --- answers ----------------------------------------------------------------------------------------------------------


class Alias(Struct):
    """A name for a version."""

    alias: str
    version: str


class ModelVersion(Struct, omit_defaults=True):
    """A version of a registered model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    source: str
    status: str
    description: str = ""
    run_id: str = ""
    run_link: str = ""
    model_id: str = ""
    tags: list[Tag] = []
    aliases: list[str] = []


class RegisteredModel(Struct, omit_defaults=True):
    """A name under which versions are kept."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    deployment_job_id: str = ""
    latest_versions: list[ModelVersion] = []
    tags: list[Tag] = []
    aliases: list[Alias] = []


class RegisteredModelAnswer(Struct):
    """Answer of making, changing and getting a registered model."""

    registered_model: RegisteredModel


class RegisteredModelsAnswer(Struct, omit_defaults=True):
    """Answer of registered-models/search."""

    registered_models: list[RegisteredModel] = []
    next_page_token: str = ""


class VersionAnswer(Struct):
    """Answer of making, changing and getting a version."""

    model_version: ModelVersion


class VersionsAnswer(Struct, omit_defaults=True):
    """Answer of model-versions/search and registered-models/get-latest-versions."""

    model_versions: list[ModelVersion] = []
    next_page_token: str = ""


class DownloadUriAnswer(Struct):
    """Answer of model-versions/get-download-uri."""

    artifact_uri: str

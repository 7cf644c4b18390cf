"""The shapes of logged models, as MLflow's clients send and read them. Nothing of ours."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Word: TypeAlias = str | int


class Pair(Struct):
    """A param or a tag of a model."""

    key: str
    value: str = ""


class CreateModel(Struct):
    """POST logged-models"""

    experiment_id: str
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class GetModel(Struct):
    """GET logged-models/{model_id}"""

    allow_deleted: bool = False


class FinalizeModel(Struct):
    """PATCH logged-models/{model_id}"""

    status: Word


class SetModelTags(Struct):
    """PATCH logged-models/{model_id}/tags"""

    tags: list[Pair] = []


class LogModelParams(Struct):
    """POST logged-models/{model_id}/params"""

    params: list[Pair] = []


class DatasetFilter(Struct):
    """A data set on which models were measured."""

    dataset_name: str
    dataset_digest: str = ""


class ModelOrder(Struct):
    """A sort key."""

    field_name: str
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchModels(Struct):
    """POST logged-models/search"""

    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[DatasetFilter] = []
    max_results: Int64 = 50
    order_by: list[ModelOrder] = []
    page_token: str = ""


class ListModelArtifacts(Struct):
    """GET logged-models/{model_id}/artifacts/directories"""

    artifact_directory_path: str = ""
    page_token: str = ""


class GetModelArtifact(Struct):
    """GET (ajax) logged-models/{model_id}/artifacts/files"""

    artifact_file_path: str


# --- answers ----------------------------------------------------------------------------------------------------------


class ModelMetric(Struct, omit_defaults=True):
    """A point that measured a model."""

    key: str
    value: float | str
    timestamp: int
    step: int | None  # told even when it is 0
    dataset_name: str = ""
    dataset_digest: str = ""
    model_id: str = ""
    run_id: str = ""


class ModelInfo(Struct, omit_defaults=True):
    """What a model is."""

    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str = ""
    source_run_id: str = ""
    tags: list[Pair] = []


class ModelData(Struct, omit_defaults=True):
    """What a model holds."""

    params: list[Pair] = []
    metrics: list[ModelMetric] = []


class Model(Struct):
    """A logged model."""

    info: ModelInfo
    data: ModelData


class ModelAnswer(Struct):
    """Answer of making, finishing and getting a model."""

    model: Model


class ModelsAnswer(Struct, omit_defaults=True):
    """Answer of logged-models/search."""

    models: list[Model] = []
    next_page_token: str = ""

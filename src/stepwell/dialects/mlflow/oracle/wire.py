"""The shapes in which Oracle AI Data Platform's MLOps differs from MLflow. Nothing of ours."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from stepwell.dialects.mlflow import registry_wire as registry
from stepwell.dialects.mlflow import wire as tracking
from stepwell.dialects.mlflow.lineage_wire import DatasetInput, ModelInput

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Word: TypeAlias = str | int


class Tag(Struct):
    """A tag to set."""

    key: str
    value: str = ""


class TagKey(Struct):
    """A tag to remove."""

    key: str


class DeleteExperiment(Struct):
    """POST experiments/delete"""

    experiment_id: str
    is_permanent: bool = False


class DeleteRun(Struct):
    """POST runs/delete"""

    run_id: str
    is_permanent: bool = False


class SearchExperiments(Struct):
    """POST experiments/search. Here max_results may be left out."""

    max_results: Int64 = 1000
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: Word = "ACTIVE_ONLY"


class LogInputs(Struct):
    """POST runs/log-inputs"""

    run_id: str
    dataset_inputs: list[DatasetInput] = []
    models: list[ModelInput] = []


class UpdateRunTags(Struct):
    """POST internal/runs/update-tags"""

    run_id: str
    set_tags: list[Tag] = []
    delete_tags: list[TagKey] = []


class UpdateExperimentTags(Struct):
    """POST internal/experiments/update-experiment-tags"""

    experiment_id: str
    set_tags: list[Tag] = []
    delete_tags: list[TagKey] = []


class UpdateRegisteredModelTags(Struct):
    """POST internal/registered-models/update-tags"""

    name: str
    set_tags: list[Tag] = []
    delete_tags: list[TagKey] = []


class UpdateVersionTags(Struct):
    """POST internal/model-versions/update-tags"""

    name: str
    version: str | int
    set_tags: list[Tag] = []
    delete_tags: list[TagKey] = []


class GetHistory(tracking.GetHistory):
    """GET metrics/get-history. `page` is the header of the page before, `page_token` what its body said: the same."""

    page: str = ""


class Search(registry.Search):
    """GET registered-models/search. `page` as in GetHistory; a text of `order_by` may name several columns."""

    page: str = ""


class SearchVersions(registry.SearchVersions):
    """GET model-versions/search. As Search."""

    page: str = ""


class GetSummary(Struct):
    """GET registered-models/summary"""

    catalog: str = ""
    schema: str = ""


# --- answers ----------------------------------------------------------------------------------------------------------


class Paged(Struct):
    """What an answer says of the next page."""

    next_page_token: str = ""


class Summary(Struct):
    """Answer of registered-models/summary."""

    registered_models_count: int
    model_versions_count: int
    model_deployments_count: int = 0
    active_deployment_count: int = 0


class Permissions(Struct):
    """Answer of registered-models/{key}/permissions."""

    items: list[str] = []


class Deployments(Struct):
    """Answer of model-deployments/search."""

    deployments: list[str] = []


class Activities(Struct):
    """Answer of model-deployments/activities/search."""

    activities: list[str] = []


class Error(Struct):
    """The body of every error."""

    code: str
    message: str

"""What surrounds runs: data sets that they read, models that they made, and the registry of those. Values only.

Engines keep each as a `Record`; services/lineage.py, services/models.py and services/registry.py say how.
Times are integer microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stepwell.core.model import NOTHING, Lifecycle


class ModelStatus(StrEnum):
    """Whether a model's files are there."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


class Stage(StrEnum):
    """Where a version of a registered model stands; an older word for what aliases say."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A set of data as its user describes it; never opened. `schema` and `profile` are texts of any form."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """A data set that a run used. One data set may be the input of one run in several contexts, each once."""

    dataset: Dataset
    context: str = ""  # what for, such as "training"
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """A model that a run used."""

    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """A model that a run made, and at which step."""

    model_id: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What a run used and made."""

    datasets: tuple[DatasetInput, ...] = ()
    models_used: tuple[ModelInput, ...] = ()
    models_made: tuple[ModelOutput, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetUse:
    """That runs of an experiment used a data set in a context."""

    experiment_id: int
    name: str
    digest: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPoint:
    """A point of a run that measured a model, perhaps on a data set. The point itself is the run's."""

    model_id: str
    run_id: str
    metric: str
    step: int
    time: int
    value: float
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model that a run made, with what was said of it. `artifact_uri` is stored as given and never opened."""

    id: str
    experiment_id: int
    name: str
    model_type: str = ""
    source_run_id: str = ""
    artifact_uri: str = ""
    status: ModelStatus = ModelStatus.PENDING
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChoice:
    """Points of models on a data set; an empty digest means any."""

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """A sort key of models: an attribute, or "metrics.<name>", which may be of one data set alone."""

    text: str
    descending: bool = False
    dataset: DatasetChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name under which versions of a model are kept. `key` never changes, the name may. Aliases point at versions."""

    key: str
    name: str
    description: str = ""
    job_id: str = ""  # of whatever deploys it; only kept
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    aliases: Mapping[str, int] = field(default_factory=dict)
    last_version: int = 0  # the greatest number ever given; numbers are not used again
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version of a registered model. `source` and `storage_uri` are stored as given and never opened."""

    model_key: str
    number: int
    source: str
    storage_uri: str
    run_id: str = ""
    run_link: str = ""
    model_id: str = ""
    description: str = ""
    stage: Stage = Stage.NONE
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVersion:
    """A version with the name and the aliases that its model gives it."""

    name: str
    version: ModelVersion
    aliases: tuple[str, ...] = ()

"""The shapes of inputs and outputs of runs, as MLflow's clients send and read them. Nothing of ours."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class InputTag(Struct):
    """A tag of the use of a data set."""

    key: str
    value: str = ""


class Dataset(Struct, omit_defaults=True):
    """A data set as its user describes it."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(Struct, omit_defaults=True):
    """A data set that a run used."""

    dataset: Dataset
    tags: list[InputTag] = []


class ModelInput(Struct):
    """A model that a run used."""

    model_id: str


class ModelOutput(Struct):
    """A model that a run made."""

    model_id: str
    step: Int64 = 0


class LogInputs(Struct):
    """POST runs/log-inputs"""

    run_id: str
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(Struct):
    """POST runs/outputs"""

    run_id: str
    models: list[ModelOutput] = []


class LogModel(Struct):
    """POST runs/log-model"""

    run_id: str
    model_json: str


class SearchDatasets(Struct):
    """POST experiments/search-datasets"""

    experiment_ids: list[str] = []


# --- answers ----------------------------------------------------------------------------------------------------------


class RunInputs(Struct, omit_defaults=True):
    """What a run used."""

    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class RunOutputs(Struct, omit_defaults=True):
    """What a run made."""

    model_outputs: list[ModelOutput] = []


class DatasetSummary(Struct, omit_defaults=True):
    """A data set that runs of an experiment used, in one context."""

    experiment_id: str
    name: str
    digest: str
    context: str = ""


class DatasetsAnswer(Struct, omit_defaults=True):
    """Answer of experiments/search-datasets."""

    dataset_summaries: list[DatasetSummary] = []

"""The registry between MLflow's shapes and core's values, both ways. Pure: no HTTP, no services."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from stepwell.core.entities import ModelVersion, NamedVersion, RegisteredModel, Stage
from stepwell.core.errors import Invalid
from stepwell.dialects.mlflow import registry_wire as wire
from stepwell.dialects.mlflow import rules, translate

LATEST: Final = "latest"  # not an alias that may be set: the greatest version
# Prompts are registered models too. Whoever does not ask for them does not see them.
ASSUMED_TAGS: Final[Mapping[str, str]] = MappingProxyType({"mlflow.prompt.is_prompt": "false"})
_STAGES: Final = {stage.value.lower(): stage for stage in Stage}
_ACTIVE: Final = frozenset({Stage.STAGING, Stage.PRODUCTION})
_ALIAS = re.compile(r"[\w\-]+")
_VERSION_ALIAS = re.compile(r"[vV][0-9]+")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUri:
    """What `models:/...` names: a logged model, or a version by its number or by an alias."""

    model_id: str = ""
    name: str = ""
    number: int = 0
    alias: str = ""


# --- names ------------------------------------------------------------------------------------------------------------


def model_name(name: str, field: str = "name") -> str:
    """`name` if it may name a registered model."""
    translate.required(name.strip(), field)
    rules.check_length(name, field, rules.REGISTERED_NAME_LENGTH)
    if "/" in name or ":" in name or name in (".", ".."):
        raise Invalid(
            f"Invalid value {name!r} for parameter '{field}' supplied: the name of a registered model holds no '/' or "
            "':', and is not '.' or '..'",
            field=field,
        )
    return name


def version_number(version: str | int, field: str = "version") -> int:
    """The number of a version."""
    text = str(version)
    if not text:
        raise Invalid(f"Missing value for required parameter '{field}'.", field=field)
    if not _NUMBER.fullmatch(text) or not text.isascii():
        raise Invalid(
            f"Invalid value {text[: rules.KEY_LENGTH]!r} for parameter '{field}' supplied: it must be an integer",
            field=field,
        )
    return int(text)


def alias(name: str) -> str:
    """`name` if it may be asked for as an alias."""
    translate.required(name, "alias")
    rules.check_length(name, "alias", rules.ALIAS_LENGTH)
    if not _ALIAS.fullmatch(name):
        raise Invalid(
            f"Invalid value {name!r} for parameter 'alias' supplied: it holds letters, digits, '_' and '-' only",
            field="alias",
        )
    return name


def new_alias(name: str) -> str:
    """`name` if it may be given to a version."""
    if alias(name).lower() == LATEST or _VERSION_ALIAS.fullmatch(name):
        raise Invalid(f"The alias {name!r} is reserved.", field="alias")
    return name


def stage(word: str, field: str = "stage") -> Stage:
    """A stage by its name in any case."""
    found = _STAGES.get(translate.required(word, field).lower())
    if found is None:
        raise Invalid(
            f"Invalid value {word!r} for parameter '{field}' supplied: it is one of {', '.join(Stage)}", field=field
        )
    return found


def archives(message: wire.TransitionStage) -> bool:
    """Whether the other versions in the new stage are archived."""
    if message.archive_existing_versions and stage(message.stage) not in _ACTIVE:
        raise Invalid(
            f"'archive_existing_versions' goes with the stages {' and '.join(sorted(_ACTIVE))}, "
            f"not with {message.stage!r}.",
            field="archive_existing_versions",
        )
    return message.archive_existing_versions


def tags(given: Sequence[wire.Tag]) -> dict[str, str]:
    """Tags. The last of those with one key counts."""
    return {tag_key(tag.key, f"tags[{i}].key"): tag_value(tag.value, f"tags[{i}].value") for i, tag in enumerate(given)}


def tag_key(key: str, field: str = "key") -> str:
    """`key` if it may name a tag."""
    return rules.check_key(key, field)


def tag_value(value: str, field: str = "value") -> str:
    """`value` if it is short enough."""
    return rules.check_length(value, field, rules.REGISTRY_TAG_LENGTH)


# --- versions ---------------------------------------------------------------------------------------------------------


def new_version(message: wire.CreateVersion, *, at: int) -> ModelVersion:
    """The version to keep; where its files are is to be looked up when the source is a model (`model_uri`)."""
    return ModelVersion(
        model_key="",
        number=0,
        source=translate.required(message.source, "source"),
        storage_uri=message.source,
        run_id=message.run_id,
        run_link=message.run_link,
        model_id=message.model_id,
        description=message.description,
        tags=tags(message.tags),
        created_at=at,
        updated_at=at,
    )


def model_uri(source: str) -> ModelUri | None:
    """What a source of the scheme `models` names; None for any other source."""
    parts = urlsplit(source)
    if parts.scheme != "models":
        return None
    path = parts.path.strip("/")
    name, slash, number = path.partition("/")
    if not slash and "@" in name:
        name, _, other = name.rpartition("@")
        return ModelUri(name=model_name(name, "source"), alias=other)
    if not slash and name:
        return ModelUri(model_id=name)
    if name and _NUMBER.fullmatch(number):
        return ModelUri(name=name, number=int(number))
    raise Invalid(f"Invalid value {source!r} for parameter 'source' supplied: it names no model", field="source")


# --- answers ----------------------------------------------------------------------------------------------------------


def registered_model(found: RegisteredModel, latest: Iterable[NamedVersion] = ()) -> wire.RegisteredModel:
    """A registered model; times in milliseconds."""
    return wire.RegisteredModel(
        name=found.name,
        creation_timestamp=found.created_at // 1000,
        last_updated_timestamp=found.updated_at // 1000,
        description=found.description,
        deployment_job_id=found.job_id,
        latest_versions=[version(each) for each in latest],
        tags=_tags(found.tags),
        aliases=[wire.Alias(name, str(number)) for name, number in sorted(found.aliases.items())],
    )


def version(found: NamedVersion) -> wire.ModelVersion:
    """A version; times in milliseconds."""
    held = found.version
    return wire.ModelVersion(
        name=found.name,
        version=str(held.number),
        creation_timestamp=held.created_at // 1000,
        last_updated_timestamp=held.updated_at // 1000,
        current_stage=held.stage.value,
        source=held.source,
        status="READY",
        description=held.description,
        run_id=held.run_id,
        run_link=held.run_link,
        model_id=held.model_id,
        tags=_tags(held.tags),
        aliases=list(found.aliases),
    )


def _tags(values: Mapping[str, str]) -> list[wire.Tag]:
    return [wire.Tag(key, value) for key, value in values.items()]

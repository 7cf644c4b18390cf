"""The model registry: registered models, their versions, tags and aliases. Every change keeps the two in step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from stepwell.core import ids, limits
from stepwell.core.entities import ModelVersion, NamedVersion, RegisteredModel, Stage
from stepwell.core.errors import Invalid, NotFound, TooLarge
from stepwell.core.model import Record
from stepwell.core.store import Store
from stepwell.services.checks import check_name, check_names, check_pairs, check_text
from stepwell.services.entity_records import decode, encode, every, persist

MODEL: Final = "registered_model"
VERSION: Final = "model_version"


# --- models -----------------------------------------------------------------------------------------------------------


def create_model(
    store: Store,
    *,
    workspace: str,
    name: str,
    description: str = "",
    job_id: str = "",
    tags: Mapping[str, str],
    at: int,
) -> RegisteredModel:
    """A new registered model. AlreadyExists: the name is taken."""
    model = RegisteredModel(
        key=ids.new_run_id(),
        name=name,
        description=description,
        job_id=job_id,
        tags=tags,
        created_at=at,
        updated_at=at,
    )
    _check_model(model)
    store.put_records(workspace=workspace, records=[_model_record(model)])
    return model


def get_model(store: Store, *, workspace: str, name: str) -> RegisteredModel:
    """By its name. NotFound."""
    return read_model(_find_model(store, workspace, name))


def change_model(
    store: Store, *, workspace: str, name: str, change: Callable[[RegisteredModel], RegisteredModel], at: int
) -> RegisteredModel:
    """The model after `change`, which may be called again when others change it too. NotFound; AlreadyExists: a new
    name is taken."""

    def attempt() -> RegisteredModel:
        old = _find_model(store, workspace, name)
        new = replace(change(read_model(old)), updated_at=max(at, old.updated_at))
        _check_model(new)
        store.put_records(workspace=workspace, records=[_model_record(new)], unchanged=[old])
        return new

    return persist(attempt)


def change_model_tags(
    store: Store, *, workspace: str, name: str, set_tags: Mapping[str, str], remove: Sequence[str] = (), at: int
) -> RegisteredModel:
    """The model with other tags; removing one that is not there is nothing. NotFound."""
    check_names(remove, field="tags")

    def changed(model: RegisteredModel) -> RegisteredModel:
        return replace(model, tags=_tags(model.tags, set_tags, remove))

    return change_model(store, workspace=workspace, name=name, change=changed, at=at)


def delete_model(store: Store, *, workspace: str, name: str) -> None:
    """Remove a model and all its versions. NotFound."""

    def attempt() -> None:
        old = _find_model(store, workspace, name)
        versions = list(every(store, workspace=workspace, kind=VERSION, where={"model": old.id}))
        store.put_records(workspace=workspace, records=[], remove=[*versions, old], unchanged=[old])

    persist(attempt)


def set_alias(store: Store, *, workspace: str, name: str, alias: str, number: int, at: int) -> RegisteredModel:
    """Let an alias point at a version. NotFound: the model or the version."""
    check_name(alias, field="alias")

    def pointed(model: RegisteredModel) -> RegisteredModel:
        _find_version(store, workspace, model, number)
        return replace(model, aliases={**model.aliases, alias: number})

    return change_model(store, workspace=workspace, name=name, change=pointed, at=at)


def delete_alias(store: Store, *, workspace: str, name: str, alias: str, at: int) -> RegisteredModel:
    """The model without an alias; one that is not there is nothing. NotFound: the model."""

    def without(model: RegisteredModel) -> RegisteredModel:
        return replace(model, aliases={key: number for key, number in model.aliases.items() if key != alias})

    return change_model(store, workspace=workspace, name=name, change=without, at=at)


# --- versions ---------------------------------------------------------------------------------------------------------


def create_version(store: Store, *, workspace: str, name: str, new: ModelVersion) -> NamedVersion:
    """Keep a version under the next number of its model; `number` and `model_key` of `new` do not count. NotFound."""

    def attempt() -> NamedVersion:
        old = _find_model(store, workspace, name)
        model = read_model(old)
        number = model.last_version + 1
        if number > limits.VERSIONS_PER_MODEL:
            raise TooLarge(
                f"a registered model has at most {limits.VERSIONS_PER_MODEL} versions",
                field="version",
                limit=limits.VERSIONS_PER_MODEL,
            )
        version = replace(new, model_key=model.key, number=number)
        _check_version(version)
        model = replace(model, last_version=number, updated_at=max(new.created_at, model.updated_at))
        records = [_model_record(model), _version_record(version)]
        store.put_records(workspace=workspace, records=records, unchanged=[old])
        return NamedVersion(name=model.name, version=version)

    return persist(attempt)


def get_version(store: Store, *, workspace: str, name: str, number: int) -> NamedVersion:
    """NotFound: the model or the version."""
    model = get_model(store, workspace=workspace, name=name)
    return named(model, read_version(_find_version(store, workspace, model, number)))


def get_by_alias(store: Store, *, workspace: str, name: str, alias: str) -> NamedVersion:
    """The version that an alias points at. NotFound: the model; Invalid: it has no such alias."""
    model = get_model(store, workspace=workspace, name=name)
    if alias not in model.aliases:
        raise Invalid(f"registered model {name!r} has no alias {alias!r}", field="alias")
    return named(model, read_version(_find_version(store, workspace, model, model.aliases[alias])))


def change_version(
    store: Store,
    *,
    workspace: str,
    name: str,
    number: int,
    change: Callable[[ModelVersion], ModelVersion],
    at: int,
    archive: bool = False,
) -> NamedVersion:
    """The version after `change`. `archive`: every other version in its new stage is archived. NotFound."""

    def attempt() -> NamedVersion:
        parent = _find_model(store, workspace, name)
        model = read_model(parent)
        old = _find_version(store, workspace, model, number)
        time = max(at, old.updated_at, parent.updated_at)
        new = replace(change(read_version(old)), updated_at=time)
        _check_version(new)
        model = replace(model, updated_at=time)
        changed = [new]
        if archive:
            others = versions_of(store, workspace=workspace, model=model)
            moved = [v for v in others if v.stage is new.stage and v.number != number]
            changed += [replace(v, stage=Stage.ARCHIVED, updated_at=time) for v in moved]
        records = [_model_record(model), *map(_version_record, changed)]
        store.put_records(workspace=workspace, records=records, unchanged=[parent, old])
        return named(model, new)

    return persist(attempt)


def change_version_tags(
    store: Store,
    *,
    workspace: str,
    name: str,
    number: int,
    set_tags: Mapping[str, str],
    remove: Sequence[str] = (),
    at: int,
) -> NamedVersion:
    """The version with other tags; removing one that is not there is nothing. NotFound."""
    check_names(remove, field="tags")

    def changed(version: ModelVersion) -> ModelVersion:
        return replace(version, tags=_tags(version.tags, set_tags, remove))

    return change_version(store, workspace=workspace, name=name, number=number, change=changed, at=at)


def delete_version(store: Store, *, workspace: str, name: str, number: int, at: int) -> None:
    """Remove a version and the aliases that point at it. NotFound."""

    def attempt() -> None:
        parent = _find_model(store, workspace, name)
        model = read_model(parent)
        old = _find_version(store, workspace, model, number)
        aliases = {key: value for key, value in model.aliases.items() if value != number}
        kept = replace(model, aliases=aliases, updated_at=max(at, model.updated_at))
        store.put_records(workspace=workspace, records=[_model_record(kept)], remove=[old], unchanged=[parent, old])

    persist(attempt)


def versions_of(store: Store, *, workspace: str, model: RegisteredModel) -> list[ModelVersion]:
    """All versions of a model, by number."""
    records = every(store, workspace=workspace, kind=VERSION, where={"model": model.key})
    return sorted((read_version(record) for record in records), key=lambda version: version.number)


def latest_versions(store: Store, *, workspace: str, model: RegisteredModel) -> list[NamedVersion]:
    """The greatest version of each stage that has one, in the order of the stages."""
    latest = {version.stage: version for version in versions_of(store, workspace=workspace, model=model)}
    return [named(model, latest[stage]) for stage in Stage if stage in latest]


def named(model: RegisteredModel, version: ModelVersion) -> NamedVersion:
    """A version with what its model says of it."""
    aliases = tuple(sorted(alias for alias, number in model.aliases.items() if number == version.number))
    return NamedVersion(name=model.name, version=version, aliases=aliases)


# --- records ----------------------------------------------------------------------------------------------------------


def read_model(record: Record) -> RegisteredModel:
    """The registered model in a record. Corrupt."""
    return decode(record, lambda body: RegisteredModel(**body))


def read_version(record: Record) -> ModelVersion:
    """The version in a record. Corrupt."""
    return decode(record, lambda body: ModelVersion(**{**body, "stage": Stage(body["stage"])}))


def _find_model(store: Store, workspace: str, name: str) -> Record:
    found = store.find_records(workspace=workspace, kind=MODEL, where={"name": name}, after=None, limit=1).items
    if not found:
        raise NotFound(f"there is no registered model {name!r}", field="name")
    return found[0]


def _find_version(store: Store, workspace: str, model: RegisteredModel, number: int) -> Record:
    (found,) = store.get_records(workspace=workspace, kind=VERSION, ids=(f"{model.key}/{number}",))
    if found is None:
        raise NotFound(f"registered model {model.name!r} has no version {number}", field="version")
    return found


def _model_record(model: RegisteredModel) -> Record:
    return Record(
        kind=MODEL,
        id=model.key,
        body=encode(model),
        unique={"name": model.name},
        created_at=model.created_at,
        updated_at=model.updated_at,
    )


def _version_record(version: ModelVersion) -> Record:
    indexed = {"model": version.model_key}
    if version.run_id:
        indexed["run"] = version.run_id
    return Record(
        kind=VERSION,
        id=f"{version.model_key}/{version.number}",
        body=encode(version),
        indexed=indexed,
        created_at=version.created_at,
        updated_at=version.updated_at,
    )


def _tags(old: Mapping[str, str], new: Mapping[str, str], remove: Sequence[str]) -> dict[str, str]:
    kept = {key: value for key, value in old.items() if key not in remove}
    return {**kept, **new}


def _check_model(model: RegisteredModel) -> None:
    check_name(model.name, field="name")
    check_text(model.description, field="description", limit=limits.DESCRIPTION_LENGTH)
    check_text(model.job_id, field="deployment_job_id", limit=limits.NAME_LENGTH)
    check_pairs(model.tags, field="tags", value_limit=limits.REGISTRY_TAG_LENGTH)


def _check_version(version: ModelVersion) -> None:
    check_text(version.description, field="description", limit=limits.DESCRIPTION_LENGTH)
    for field in ("source", "storage_uri", "run_link"):
        check_text(getattr(version, field), field=field, limit=limits.TAG_VALUE_LENGTH)
    check_text(version.run_id, field="run_id", limit=limits.NAME_LENGTH)
    check_text(version.model_id, field="model_id", limit=limits.NAME_LENGTH)
    check_pairs(version.tags, field="tags", value_limit=limits.REGISTRY_TAG_LENGTH)

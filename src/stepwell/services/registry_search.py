"""Searches over the model registry: from the filter language and a cursor to a page and the next cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from stepwell.core import page
from stepwell.core.entities import NamedVersion, RegisteredModel
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filter_match import RowValues, compile_filter
from stepwell.core.filters import (
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Scalar,
    Schema,
)
from stepwell.core.model import NOTHING
from stepwell.core.store import Store
from stepwell.services.checks import check_limit, check_text
from stepwell.services.entity_records import every
from stepwell.services.registry import MODEL, VERSION, named, read_model, read_version
from stepwell.services.search import FILTER_LENGTH
from stepwell.services.selection import Row, select

MODELS_PER_PAGE = 1_000
VERSIONS_PER_PAGE = 200_000
_CHANGED_LAST: Final = ("last_update_time DESC",)
_INDEXED: Final = MappingProxyType({"run_id": "run"})  # attribute -> the record's value


def search_models(
    store: Store,
    *,
    workspace: str,
    filter: str = "",
    order: Sequence[str] = (),
    limit: int,
    cursor: str | None = None,
    milliseconds: bool = False,
    assumed: Mapping[str, str] = NOTHING,
) -> tuple[list[RegisteredModel], str | None]:
    """A page of registered models and the cursor of the next (None: this was the last); by name unless asked otherwise.

    `assumed`: tag -> the value that a row without the tag is taken to have; only rows with that value are found unless
    the filter speaks of the tag. `milliseconds`: the filter's times are in milliseconds. BadFilter, Invalid, TooLarge.
    """
    check_limit(limit, field="limit", limit=MODELS_PER_PAGE)
    conditions, sort = _parsed(filter, order, REGISTERED_MODELS)
    unit = 1000 if milliseconds else 1
    query = page.fingerprint(workspace, conditions, sort)
    name = _named(conditions)
    records = every(store, workspace=workspace, kind=MODEL, where={"name": name} if name else {})
    models = [read_model(record) for record in records]
    chosen = select(
        [Row(model, _model_values(model, unit, assumed)) for model in models],
        matches=compile_filter(conditions + _unasked(conditions, assumed)),
        order=sort,
        schema=REGISTERED_MODELS,
        after=page.decode("registered_models", query, cursor),
        limit=limit,
    )
    return chosen.items, page.encode("registered_models", query, chosen.after)


def search_versions(
    store: Store,
    *,
    workspace: str,
    filter: str = "",
    order: Sequence[str] = (),
    limit: int,
    cursor: str | None = None,
    milliseconds: bool = False,
    assumed: Mapping[str, str] = NOTHING,
) -> tuple[list[NamedVersion], str | None]:
    """A page of versions, the one changed last first unless asked otherwise; the rest as for `search_models`.

    A version that no run made has the empty text for a run, so that `run_id != 'x'` finds it.
    """
    check_limit(limit, field="limit", limit=VERSIONS_PER_PAGE)
    conditions, sort = _parsed(filter, order or _CHANGED_LAST, MODEL_VERSIONS)
    unit = 1000 if milliseconds else 1
    query = page.fingerprint(workspace, conditions, sort)
    name, where = _named(conditions), _indexed(conditions)
    models = {
        record.id: read_model(record)
        for record in every(store, workspace=workspace, kind=MODEL, where={"name": name} if name else {})
    }
    if name and models:
        where["model"] = next(iter(models))
    versions = [read_version(r) for r in every(store, workspace=workspace, kind=VERSION, where=where)]
    found = [named(models[v.model_key], v) for v in versions if v.model_key in models]
    chosen = select(
        [Row(each, _version_values(each, unit, assumed)) for each in found],
        matches=compile_filter(conditions + _unasked(conditions, assumed)),
        order=sort,
        schema=MODEL_VERSIONS,
        after=page.decode("model_versions", query, cursor),
        limit=limit,
    )
    return chosen.items, page.encode("model_versions", query, chosen.after)


def _parsed(text: str, order: Sequence[str], schema: Schema) -> tuple[Filter, tuple[OrderBy, ...]]:
    check_text(text, field="filter", limit=FILTER_LENGTH)
    return parse_filter(text, schema=schema), parse_order(order, schema=schema)


def _unasked(conditions: Filter, assumed: Mapping[str, str]) -> Filter:
    """What must hold of the tags that the filter says nothing about."""
    asked = {each.field.key for each in conditions if each.field.kind is Kind.TAG}
    return tuple(
        Comparison(field=Field(kind=Kind.TAG, key=tag), op=Op.EQ, value=value)
        for tag, value in assumed.items()
        if tag not in asked
    )


def _named(conditions: Filter) -> str:
    """The one name that the filter allows, or ""."""
    return _indexed(conditions, {"name": "name"}).get("name", "")


def _indexed(conditions: Filter, places: Mapping[str, str] = _INDEXED) -> dict[str, str]:
    """The indexed values of a record that the filter demands."""
    return {
        places[each.field.key]: each.value
        for each in conditions
        if each.field.kind is Kind.ATTRIBUTE and each.field.key in places and each.op is Op.EQ and each.value
        if isinstance(each.value, str)
    }


def _model_values(model: RegisteredModel, unit: int, assumed: Mapping[str, str]) -> RowValues:
    attributes: dict[str, Scalar | None] = {
        "name": model.name,
        "creation_time": model.created_at // unit,
        "last_update_time": model.updated_at // unit,
    }
    return RowValues(tags={**assumed, **model.tags}, attributes=attributes)


def _version_values(found: NamedVersion, unit: int, assumed: Mapping[str, str]) -> RowValues:
    version = found.version
    attributes: dict[str, Scalar | None] = {
        "name": found.name,
        "version_number": version.number,
        "run_id": version.run_id,
        "source_path": version.source,
        "creation_time": version.created_at // unit,
        "last_update_time": version.updated_at // unit,
    }
    return RowValues(tags={**assumed, **version.tags}, attributes=attributes)

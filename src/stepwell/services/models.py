"""Models that runs made: made known, finished, described, searched, deleted. Their files are blobs of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from stepwell.core import limits, page
from stepwell.core.entities import DatasetChoice, LoggedModel, ModelOrder, ModelPoint, ModelStatus
from stepwell.core.errors import Conflict, Invalid, NotFound
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filter_match import RowValues, compile_filter
from stepwell.core.filters import LOGGED_MODELS, Aggregate, Comparison, Field, Filter, Kind, Op, OrderBy
from stepwell.core.model import Lifecycle, Record
from stepwell.core.store import Store
from stepwell.services import runs
from stepwell.services.checks import check_count, check_limit, check_name, check_pairs, check_text
from stepwell.services.entity_records import Body, decode, encode, every, persist
from stepwell.services.lineage import LOGGED_MODEL, points_of_model
from stepwell.services.search import EXPERIMENTS_PER_SEARCH, FILTER_LENGTH
from stepwell.services.selection import Row, select

_MEASURED: Final = "measured"  # in front of the name of a metric that a search sorts by, once for each sort key


def create(store: Store, *, workspace: str, new: LoggedModel) -> LoggedModel:
    """Keep a new model. NotFound: no such experiment; Conflict: it is deleted."""
    check_name(new.id, field="model_id")
    check_name(new.name, field="name")
    check_text(new.model_type, field="model_type", limit=limits.NAME_LENGTH)
    check_text(new.source_run_id, field="source_run_id", limit=limits.RUN_ID_LENGTH)
    check_text(new.artifact_uri, field="artifact_uri", limit=limits.TAG_VALUE_LENGTH)
    _check_pairs(new.params, new.tags)
    experiment = runs.get_experiment(store, workspace=workspace, id=new.experiment_id)
    if experiment.lifecycle is Lifecycle.DELETED:
        raise Conflict(f"experiment {experiment.id} is deleted; restore it before adding models", field="experiment_id")
    store.put_records(workspace=workspace, records=[_record(new)])
    return new


def get(store: Store, *, workspace: str, model_id: str, deleted_too: bool = False) -> LoggedModel:
    """NotFound: there is no such model, or it is deleted and deleted ones were not asked for."""
    return decode(_stored(store, workspace, model_id, deleted_too=deleted_too), _model)


def set_status(store: Store, *, workspace: str, model_id: str, status: ModelStatus, at: int) -> LoggedModel:
    """The model with its new status. NotFound."""
    return _change(store, workspace, model_id, lambda model: replace(model, status=status), at=at)


def set_tags(store: Store, *, workspace: str, model_id: str, tags: Mapping[str, str], at: int) -> LoggedModel:
    """The model with more tags, or other values of those it has. NotFound."""
    _check_pairs({}, tags)
    return _change(store, workspace, model_id, lambda model: replace(model, tags={**model.tags, **tags}), at=at)


def change_tag(
    store: Store, *, workspace: str, model_id: str, name: str, change: Callable[[str], str], at: int
) -> LoggedModel:
    """The model with a tag that follows from what it was, "" where there was none. NotFound; TooLarge."""

    def changed(model: LoggedModel) -> LoggedModel:
        tags = {name: change(model.tags.get(name, ""))}
        _check_pairs({}, tags)
        return replace(model, tags={**model.tags, **tags})

    return _change(store, workspace, model_id, changed, at=at)


def remove_tag(store: Store, *, workspace: str, model_id: str, name: str, at: int) -> LoggedModel:
    """The model without a tag. NotFound: it, or the tag."""

    def without(model: LoggedModel) -> LoggedModel:
        if name not in model.tags:
            raise NotFound(f"model {model_id!r} has no tag {name!r}", field="tag_key")
        return replace(model, tags={key: value for key, value in model.tags.items() if key != name})

    return _change(store, workspace, model_id, without, at=at)


def add_params(store: Store, *, workspace: str, model_id: str, params: Mapping[str, str], at: int) -> LoggedModel:
    """The model with more params. Setting one again to the same is nothing, to another Invalid. NotFound."""
    _check_pairs(params, {})

    def added(model: LoggedModel) -> LoggedModel:
        for name, value in params.items():
            if model.params.get(name, value) != value:
                raise Invalid(f"param {name!r} of model {model_id!r} has another value already", field="params")
        return replace(model, params={**model.params, **params})

    return _change(store, workspace, model_id, added, at=at)


def delete(store: Store, *, workspace: str, model_id: str, at: int) -> None:
    """Hide a model; what it holds is kept. Once more is no error. NotFound."""

    def hidden(model: LoggedModel) -> LoggedModel:
        return replace(model, lifecycle=Lifecycle.DELETED)

    _change(store, workspace, model_id, hidden, at=at, deleted_too=True)


def _change(
    store: Store,
    workspace: str,
    model_id: str,
    change: Callable[[LoggedModel], LoggedModel],
    *,
    at: int,
    deleted_too: bool = False,
) -> LoggedModel:
    def attempt() -> LoggedModel:
        old = _stored(store, workspace, model_id, deleted_too=deleted_too)
        new = replace(change(decode(old, _model)), updated_at=max(at, old.updated_at))
        store.put_records(workspace=workspace, records=[_record(new)], unchanged=[old])
        return new

    return persist(attempt)


def _stored(store: Store, workspace: str, model_id: str, *, deleted_too: bool = False) -> Record:
    (record,) = store.get_records(workspace=workspace, kind=LOGGED_MODEL, ids=(model_id,))
    if record is None or (record.indexed["lifecycle"] == Lifecycle.DELETED and not deleted_too):
        raise _missing(model_id)
    return record


def _missing(model_id: str) -> NotFound:
    return NotFound(f"there is no model {model_id!r}", field="model_id")


def _record(model: LoggedModel) -> Record:
    indexed = {"experiment": str(model.experiment_id), "name": model.name, "lifecycle": model.lifecycle.value}
    if model.source_run_id:
        indexed["run"] = model.source_run_id
    return Record(
        kind=LOGGED_MODEL,
        id=model.id,
        body=encode(model),
        indexed=indexed,
        created_at=model.created_at,
        updated_at=model.updated_at,
    )


def _model(body: Body) -> LoggedModel:
    kinds = {"status": ModelStatus(body["status"]), "lifecycle": Lifecycle(body["lifecycle"])}
    return LoggedModel(**{**body, **kinds})


def _check_pairs(params: Mapping[str, str], tags: Mapping[str, str]) -> None:
    check_pairs(params, field="params", value_limit=limits.PARAM_VALUE_LENGTH)
    check_pairs(tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)


# --- search -----------------------------------------------------------------------------------------------------------


def search(
    store: Store,
    *,
    workspace: str,
    experiment_ids: Sequence[int],
    filter: str = "",
    datasets: Sequence[DatasetChoice] = (),
    order: Sequence[ModelOrder] = (),
    limit: int,
    cursor: str | None = None,
    milliseconds: bool = False,
) -> tuple[list[LoggedModel], str | None]:
    """A page of models and the cursor of the next page (None: this was the last).

    A comparison on a metric holds when one of the model's points satisfies it, on one of `datasets` if there are any;
    `datasets` without such a comparison find the models that were measured on one of them. An order by a metric goes by
    its latest point. `milliseconds`: the filter's times are in milliseconds. BadFilter, Invalid, TooLarge.
    """
    check_limit(limit, field="limit", limit=limits.RUNS_PER_PAGE)
    check_count(len(experiment_ids), field="experiment_ids", limit=EXPERIMENTS_PER_SEARCH)
    check_text(filter, field="filter", limit=FILTER_LENGTH)
    numbers = sorted(set(experiment_ids))
    conditions = parse_filter(filter, schema=LOGGED_MODELS)
    sort = tuple(_parsed(each) for each in order)
    query = page.fingerprint(workspace, numbers, conditions, tuple(datasets), sort, tuple(order))
    on_metrics = tuple(each for each in conditions if each.field.kind is Kind.METRIC)
    others = tuple(each for each in conditions if each.field.kind is not Kind.METRIC)
    found = _Found(store, workspace, unit=1000 if milliseconds else 1)
    rows = [
        found.row(model, sort, order)
        for number in numbers
        for model in found.models(number, others)
        if found.measured(model, on_metrics, datasets)
    ]
    chosen = select(
        rows,
        matches=compile_filter(others),
        order=tuple(_sort_key(i, by) for i, by in enumerate(sort)),
        schema=LOGGED_MODELS,
        after=page.decode("models", query, cursor),
        limit=limit,
    )
    return chosen.items, page.encode("models", query, chosen.after)


def _parsed(order: ModelOrder) -> OrderBy:
    (by,) = parse_order([f"{order.text} {'DESC' if order.descending else 'ASC'}"], schema=LOGGED_MODELS)
    return by


class _Found:
    """The models of one search, and their points, read when something asks for them."""

    def __init__(self, store: Store, workspace: str, *, unit: int) -> None:
        self._store = store
        self._workspace = workspace
        self._unit = unit
        self._points: dict[str, list[ModelPoint]] = {}

    def models(self, experiment_id: int, conditions: Filter) -> list[LoggedModel]:
        """The models of an experiment that are not deleted, fewer when the filter names one by an indexed value."""
        where = {"experiment": str(experiment_id), "lifecycle": Lifecycle.ACTIVE.value}
        for each in conditions:
            place = {"name": "name", "source_run_id": "run"}.get(each.field.key)
            if each.field.kind is Kind.ATTRIBUTE and place and each.op is Op.EQ and isinstance(each.value, str):
                where[place] = each.value
        records = every(self._store, workspace=self._workspace, kind=LOGGED_MODEL, where=where)
        return [decode(record, _model) for record in records]

    def measured(self, model: LoggedModel, conditions: Filter, datasets: Sequence[DatasetChoice]) -> bool:
        """Whether some point satisfies each comparison, or, without any, whether one is on a data set asked for."""
        if not conditions and not datasets:
            return True
        points = [p for p in self.points(model) if not datasets or any(_is_on(p, each) for each in datasets)]
        return bool(points) and all(_satisfied(each, points) for each in conditions)

    def row(self, model: LoggedModel, sort: Sequence[OrderBy], order: Sequence[ModelOrder]) -> Row[LoggedModel]:
        """What the search sees of a model; each metric that it is sorted by is there under a name of its own."""
        metrics: dict[str, Mapping[Aggregate, float]] = {}
        for i, (by, asked) in enumerate(zip(sort, order, strict=True)):
            if by.field.kind is Kind.METRIC:
                latest = _latest(self.points(model), by.field.key, asked.dataset)
                if latest is not None:
                    metrics[f"{_MEASURED}{i}"] = {Aggregate.LAST: latest}
        attributes = {
            "name": model.name,
            "model_id": model.id,
            "model_type": model.model_type,
            "status": model.status.value,
            "source_run_id": model.source_run_id or None,
            "creation_time": model.created_at // self._unit,
            "last_update_time": model.updated_at // self._unit,
        }
        return Row(model, RowValues(metrics=metrics, params=model.params, tags=model.tags, attributes=attributes))

    def points(self, model: LoggedModel) -> list[ModelPoint]:
        if model.id not in self._points:
            self._points[model.id] = points_of_model(self._store, workspace=self._workspace, model_id=model.id)
        return self._points[model.id]


def _sort_key(place: int, by: OrderBy) -> OrderBy:
    if by.field.kind is not Kind.METRIC:
        return by
    return OrderBy(field=Field(kind=Kind.METRIC, key=f"{_MEASURED}{place}"), descending=by.descending)


def _is_on(point: ModelPoint, choice: DatasetChoice) -> bool:
    return point.dataset_name == choice.name and choice.digest in ("", point.dataset_digest)


def _satisfied(comparison: Comparison, points: Sequence[ModelPoint]) -> bool:
    key = comparison.field.key
    check = compile_filter((comparison,))
    rows = ({key: {comparison.field.aggregate: p.value}} for p in points if p.metric == key)
    return any(check(RowValues(metrics=metrics)) for metrics in rows)


def _latest(points: Sequence[ModelPoint], metric: str, dataset: DatasetChoice | None) -> float | None:
    measured = [p for p in points if p.metric == metric and (dataset is None or _is_on(p, dataset))]
    return max(measured, key=lambda p: (p.time, p.step)).value if measured else None

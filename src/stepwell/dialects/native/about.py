"""Handlers for what is told of a run beside its metrics, and for saved views. Blocking; run in a pool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from stepwell.core import limits
from stepwell.core.entities import DatasetInput, ModelInput, ModelOutput
from stepwell.core.errors import Invalid, NotFound
from stepwell.core.filters import Kind
from stepwell.core.model import NO_COLUMNS, LogLine
from stepwell.dialects.native import translate, wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.columns import Table
from stepwell.services import console, lineage, models, runs, views

_RUN_ID = "run_id"
_KINDS = {"metrics": Kind.METRIC, "params": Kind.PARAM, "tags": Kind.TAG}


def list_names(ask: Ask, query: wire.NamesQuery) -> Table:
    """The names of the metrics, params or tags of active runs, sorted; of some experiments when they are named."""
    found = runs.names(
        ask.store,
        workspace=ask.workspace,
        kind=_KINDS[query.kind],
        experiment_ids=query.experiment_id or None,
        contains=query.contains,
        limit=min(query.limit + 1, limits.METRIC_NAMES),
    )
    return {"names": found[: query.limit], "more": len(found) > query.limit}


def list_streams(ask: Ask, _: wire.Nothing) -> Table:
    """The streams of console lines that a run has."""
    return {"streams": console.streams(ask.store, workspace=ask.workspace, run_id=ask.params[_RUN_ID])}


def read_lines(ask: Ask, query: wire.LinesQuery) -> Table:
    """Console lines of a run. With `stream`, the cursor of the last page leads to what is written later."""
    if query.newest or query.before:
        return _newest_lines(ask, query)
    found, cursor = console.lines(
        ask.store,
        workspace=ask.workspace,
        run_id=ask.params[_RUN_ID],
        stream=query.stream,
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"lines": _columns(found), "cursor": cursor}


def _newest_lines(ask: Ask, query: wire.LinesQuery) -> Table:
    if query.stream is None or query.cursor:
        asked = "newest" if query.newest else "before"
        raise Invalid(f"{asked} lines are those of one stream, without a cursor", field=asked)
    found, cursor, before = console.newest(
        ask.store,
        workspace=ask.workspace,
        run_id=ask.params[_RUN_ID],
        stream=query.stream,
        before=query.before,
        limit=query.limit,
    )
    return {"lines": _columns(found), "cursor": cursor, "earlier": before is not None, "before": before}


def _columns(found: Sequence[LogLine]) -> Table:
    return {
        "stream": [each.stream for each in found],
        "line": [each.line for each in found],
        "time_us": [each.time for each in found],
        "level": [each.level for each in found],
        "text": [each.text for each in found],
    }


def write_lines(ask: Ask, body: wire.LinesWrite) -> Table:
    """Add console lines. Sending them again is safe, as long as the request says the times."""
    lines = translate.lines(body.lines, now=ask.now)
    console.append(ask.store, workspace=ask.workspace, run_id=ask.params[_RUN_ID], lines=lines)
    return {"lines": len(lines)}


def read_custom_info(ask: Ask, query: wire.CustomInfoQuery) -> Table:
    """The custom info of a run: named texts, of megabytes if need be. What changes a run sets them."""
    columns = replace(NO_COLUMNS, custom_info=tuple(query.name) or None)
    found = runs.get_run(ask.store, workspace=ask.workspace, run_id=ask.params[_RUN_ID], columns=columns)
    return {"custom_info": dict(found.custom_info)}


def read_lineage(ask: Ask, _: wire.Nothing) -> Table:
    """The data sets and models that a run used, and the models that it made."""
    run_id = ask.params[_RUN_ID]
    runs.get_run(ask.store, workspace=ask.workspace, run_id=run_id, columns=NO_COLUMNS)
    links = lineage.links_of_runs(ask.store, workspace=ask.workspace, run_ids=[run_id]).get(run_id)
    if links is None:
        return {"datasets": [], "models_used": [], "models_made": []}
    return {
        "datasets": [_dataset(each) for each in links.datasets],
        "models_used": _models(ask, links.models_used),
        "models_made": _models(ask, links.models_made),
    }


def list_views(ask: Ask, _: wire.Nothing) -> Table:
    """The saved views of the workspace."""
    return {"views": [_view(each) for each in views.views(ask.store, workspace=ask.workspace)]}


def save_view(ask: Ask, body: wire.NewView) -> Table:
    """Save a view, replacing the one of that name."""
    saved = views.save(ask.store, workspace=ask.workspace, name=ask.params["view"], address=body.address, at=ask.now)
    return _view(saved)


def delete_view(ask: Ask, _: wire.Nothing) -> Table:
    """Forget a saved view."""
    views.delete(ask.store, workspace=ask.workspace, name=ask.params["view"])
    return {"removed": 1}


def _view(view: views.View) -> Table:
    return {"name": view.name, "address": view.address, "updated_at_us": view.updated_at}


def _dataset(used: DatasetInput) -> Table:
    told = used.dataset
    return {
        "name": told.name,
        "digest": told.digest,
        "context": used.context,
        "source_type": told.source_type,
        "source": told.source,
        "schema": told.schema,
        "profile": told.profile,
        "tags": dict(used.tags),
    }


def _models(ask: Ask, links: Iterable[ModelInput | ModelOutput]) -> list[Table]:
    return [_model(ask, link) for link in links]


def _model(ask: Ask, link: ModelInput | ModelOutput) -> Table:
    step = link.step if isinstance(link, ModelOutput) else None
    try:
        found = models.get(ask.store, workspace=ask.workspace, model_id=link.model_id, deleted_too=True)
    except NotFound:
        return {"id": link.model_id, "step": step, "name": None, "model_type": None, "status": None}
    return {
        "id": found.id,
        "step": step,
        "name": found.name,
        "model_type": found.model_type,
        "status": found.status.name,
    }

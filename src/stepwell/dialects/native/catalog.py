"""Handlers for workspaces, experiments and runs: message in, answer out. Blocking; the routes run them in a pool."""

from __future__ import annotations

from typing import Final

from stepwell.core.errors import NotFound
from stepwell.core.model import NO_COLUMNS, ExperimentWrite, Lifecycle, RunWrite, Visibility
from stepwell.dialects.native import render, translate, wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.columns import Table
from stepwell.services import ingest, many_runs, runs, search

_EXPERIMENT_ID: Final = "experiment_id"
_RUN_ID: Final = "run_id"


def list_workspaces(ask: Ask, _: wire.Nothing) -> Table:
    """The workspaces that the credential may see."""
    return render.workspaces(runs.list_workspaces(ask.store, workspace=ask.principal.workspace))


def list_experiments(ask: Ask, query: wire.Listing) -> Table:
    """Experiments that match a filter, newest first unless `order_by` says otherwise."""
    found, cursor = runs.search_experiments(
        ask.store,
        workspace=ask.workspace,
        filter=query.filter,
        order=query.order_by,
        visibility=Visibility(query.visibility),
        limit=query.limit,
        cursor=query.cursor,
    )
    return render.experiments(found, cursor)


def create_experiment(ask: Ask, body: wire.NewExperiment) -> Table:
    """Make an experiment, and its workspace when that is missing."""
    new = translate.new_experiment(body, now=ask.now)
    return render.experiment(runs.create_experiment(ask.store, workspace=ask.workspace, new=new))


def get_experiment(ask: Ask, _: wire.Nothing) -> Table:
    """One experiment, a deleted one too."""
    return render.experiment(runs.get_experiment(ask.store, workspace=ask.workspace, id=_experiment_id(ask)))


def change_experiment(ask: Ask, body: wire.ExperimentChange) -> Table:
    """Rename an experiment, set or remove its tags."""
    return _write_experiment(
        ask,
        ExperimentWrite(
            id=_experiment_id(ask),
            name=body.name,
            set_tags=body.set_tags,
            remove_tags=tuple(body.remove_tags),
            at=ask.now,
        ),
    )


def delete_experiment(ask: Ask, _: wire.Nothing) -> Table:
    """Hide an experiment and its runs. They are kept; its name stays taken."""
    return _write_experiment(ask, ExperimentWrite(id=_experiment_id(ask), lifecycle=Lifecycle.DELETED, at=ask.now))


def restore_experiment(ask: Ask, _: wire.Nothing) -> Table:
    """Bring a deleted experiment back, with all its runs."""
    return _write_experiment(ask, ExperimentWrite(id=_experiment_id(ask), lifecycle=Lifecycle.ACTIVE, at=ask.now))


def create_run(ask: Ask, body: wire.NewRun) -> Table:
    """Make a run, and its workspace when that is missing."""
    new = translate.new_run(body, now=ask.now)
    return {"run": render.run(runs.create_run(ask.store, workspace=ask.workspace, new=new))}


def get_run(ask: Ask, _: wire.Nothing) -> Table:
    """One run with its params, tags, note and the summaries of its metrics; a deleted one too."""
    return render.run_detail(runs.get_run(ask.store, workspace=ask.workspace, run_id=ask.params[_RUN_ID]))


def change_run(ask: Ask, body: wire.RunChange) -> Table:
    """Change a run's name, status, times, params, tags, note or custom info."""
    return _write_run(ask, translate.run_write(ask.params[_RUN_ID], body, now=ask.now))


def delete_run(ask: Ask, query: wire.Deletion) -> Table:
    """Hide a run, or with `purge` remove it and all that belongs to it for good. Hiding twice is no error."""
    run_id = ask.params[_RUN_ID]
    if not query.purge:
        return {**_set_lifecycle(ask, Lifecycle.DELETED), "purged": 0}
    purged = runs.purge_runs(ask.store, workspace=ask.workspace, run_ids=(run_id,))
    if not purged:
        raise NotFound(f"no run {run_id!r}", field=_RUN_ID)
    return {"run": None, "purged": purged}


def restore_run(ask: Ask, _: wire.Nothing) -> Table:
    """Bring a deleted run back. Restoring one that is there is no error."""
    return _set_lifecycle(ask, Lifecycle.ACTIVE)


def change_runs(ask: Ask, body: wire.RunsChange) -> Table:
    """Tag, delete, restore or purge many runs: in one transaction all that can be changed; the others are named."""
    change = many_runs.Change(
        set_tags=body.set_tags,
        clear_tags=tuple(body.remove_tags),
        lifecycle=None if body.lifecycle is None else Lifecycle(body.lifecycle),
        purge=body.purge,
        at=ask.now,
    )
    refused = many_runs.change_runs(ask.store, workspace=ask.workspace, run_ids=body.run_ids, change=change)
    return {
        "changed": len(set(body.run_ids)) - len(refused),
        "refused": [
            {"run_id": each.run_id, "code": each.error.code, "message": each.error.message} for each in refused
        ],
    }


def search_runs(ask: Ask, body: wire.RunSearch) -> Table:
    """Runs that match a filter, with the chosen columns. Each metric has last, min, max, mean and count."""
    columns = translate.columns(body.columns, limit=body.limit)
    found, cursor = runs.search_runs(
        ask.store,
        workspace=ask.workspace,
        experiment_ids=body.experiment_ids,
        filter=body.filter,
        order=body.order_by,
        visibility=Visibility(body.visibility),
        limit=body.limit,
        cursor=body.cursor,
        skip=body.skip,
        columns=columns,
    )
    return render.runs(
        found,
        cursor,
        total=_total(ask, body) if body.total else None,
        metrics=columns.metrics,
        params=columns.params,
        tags=columns.tags,
    )


def read_events(ask: Ask, _: wire.Nothing) -> Table:
    """What happened to a run, oldest first."""
    return render.events(runs.read_events(ask.store, workspace=ask.workspace, run_id=ask.params[_RUN_ID]))


def write_events(ask: Ask, body: wire.EventsWrite) -> Table:
    """Add to what happened to a run. Sending it again is safe, as long as the request says the times."""
    events = translate.events(body.events, now=ask.now)
    write = RunWrite(run_id=ask.params[_RUN_ID], events=events, at=ask.now)
    ingest.write(ask.store, workspace=ask.workspace, write=write).result()
    return {"events": len(events)}


def _total(ask: Ask, body: wire.RunSearch) -> int:
    return search.count_runs(
        ask.store,
        workspace=ask.workspace,
        experiment_ids=body.experiment_ids,
        filter=body.filter,
        visibility=Visibility(body.visibility),
    )


def _experiment_id(ask: Ask) -> int:
    return translate.number(ask.params[_EXPERIMENT_ID], field=_EXPERIMENT_ID)


def _write_experiment(ask: Ask, write: ExperimentWrite) -> Table:
    return render.experiment(runs.change_experiment(ask.store, workspace=ask.workspace, write=write))


def _write_run(ask: Ask, write: RunWrite) -> Table:
    ingest.write(ask.store, workspace=ask.workspace, write=write).result()
    found = runs.get_run(ask.store, workspace=ask.workspace, run_id=write.run_id, columns=NO_COLUMNS)
    return {"run": render.run(found.run)}


def _set_lifecycle(ask: Ask, lifecycle: Lifecycle) -> Table:
    run_id = ask.params[_RUN_ID]
    found = runs.get_run(ask.store, workspace=ask.workspace, run_id=run_id, columns=NO_COLUMNS)
    if found.run.lifecycle is lifecycle:
        return {"run": render.run(found.run)}
    return _write_run(ask, RunWrite(run_id=run_id, lifecycle=lifecycle, at=ask.now))

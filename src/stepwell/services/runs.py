"""Workspaces, experiments and runs: making, finding and changing them. Searches live in `search`."""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.core import limits
from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.errors import Conflict, NotFound
from stepwell.core.filters import Kind
from stepwell.core.ids import check_workspace
from stepwell.core.model import (
    ALL_COLUMNS,
    DEFAULT_EXPERIMENT,
    NO_COLUMNS,
    Columns,
    Event,
    Experiment,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
    NewRun,
    Run,
    RunQuery,
    RunRow,
    Visibility,
    Workspace,
)
from stepwell.core.store import Store
from stepwell.services.checks import (
    check_count,
    check_limit,
    check_name,
    check_names,
    check_new_run,
    check_pairs,
    check_text,
)
from stepwell.services.search import search_experiments, search_runs

__all__ = [
    "change_experiment",
    "create_experiment",
    "create_run",
    "get_experiment",
    "get_run",
    "get_runs",
    "ids_of_keys",
    "ids_of_numbers",
    "list_workspaces",
    "metric_names",
    "names",
    "purge_experiment",
    "purge_runs",
    "read_events",
    "search_experiments",
    "search_runs",
]


def list_workspaces(store: Store, *, workspace: str) -> list[Workspace]:
    """The workspaces that a principal of `workspace` ('*' for all) may see, sorted by name."""
    return [w for w in store.list_workspaces() if workspace in (ANY_WORKSPACE, w.name)]


def create_experiment(store: Store, *, workspace: str, new: NewExperiment) -> Experiment:
    """Make an experiment, and its workspace when missing. AlreadyExists: the name is taken, also by a deleted one."""
    check_workspace(workspace)
    check_name(new.name, field="name", limit=limits.EXPERIMENT_NAME_LENGTH)
    check_text(new.artifact_location, field="artifact_location", limit=limits.TAG_VALUE_LENGTH)
    check_pairs(new.tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)
    return store.create_experiment(workspace=workspace, new=new)


def get_experiment(store: Store, *, workspace: str, id: int | None = None, name: str | None = None) -> Experiment:
    """By id or by name, deleted ones too. NotFound."""
    return store.get_experiment(workspace=workspace, id=id, name=name)


def change_experiment(store: Store, *, workspace: str, write: ExperimentWrite) -> Experiment:
    """The changed experiment. NotFound, AlreadyExists and Conflict as the store says."""
    if write.name is not None:
        check_name(write.name, field="name", limit=limits.EXPERIMENT_NAME_LENGTH)
    check_pairs(write.set_tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)
    check_names(write.remove_tags, field="tags")
    return store.write_experiment(workspace=workspace, write=write)


def create_run(store: Store, *, workspace: str, new: NewRun) -> Run:
    """Make a run, and its workspace when missing.

    NotFound: no such experiment; Conflict: it is deleted; AlreadyExists: the id is taken.
    """
    check_workspace(workspace)
    check_new_run(new)
    (run,) = store.create_runs(workspace=workspace, new=(new,))
    return run


def get_run(store: Store, *, workspace: str, run_id: str, columns: Columns = ALL_COLUMNS) -> RunRow:
    """One run, deleted ones too. NotFound."""
    (row,) = store.get_runs(workspace=workspace, run_ids=(run_id,), columns=columns)
    if row is None:
        raise NotFound(f"no run {run_id!r}", field="run_id")
    return row


def get_runs(
    store: Store, *, workspace: str, run_ids: Sequence[str], columns: Columns = ALL_COLUMNS
) -> list[RunRow | None]:
    """One item for each id, in that order; None where there is no such run."""
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_PAGE)
    return store.get_runs(workspace=workspace, run_ids=run_ids, columns=columns)


def ids_of_keys(store: Store, *, workspace: str, keys: Sequence[int]) -> list[str | None]:
    """Run ids by the keys of runs, deleted ones too; None where there is no such run."""
    check_count(len(keys), field="run_ids", limit=limits.RUNS_PER_PAGE)
    return store.run_ids(workspace=workspace, keys=keys)


def ids_of_numbers(store: Store, *, workspace: str, numbers: Sequence[tuple[int, int]]) -> list[str | None]:
    """Run ids by (experiment id, project number), deleted ones too; None where there is no such run."""
    return store.run_ids_by_number(workspace=workspace, numbers=numbers)


def metric_names(
    store: Store,
    *,
    workspace: str,
    experiment_id: int,
    run_ids: Sequence[str] | None = None,
    contains: str = "",
    limit: int,
) -> list[str]:
    """The first `limit` names, sorted, of the metrics in an experiment's active runs; see the store."""
    check_limit(limit, field="limit", limit=limits.METRIC_NAMES)
    return store.metric_names(
        workspace=workspace, experiment_id=experiment_id, run_ids=run_ids, contains=contains, limit=limit
    )


def names(
    store: Store,
    *,
    workspace: str,
    kind: Kind,
    experiment_ids: Sequence[int] | None = None,
    contains: str = "",
    limit: int,
) -> list[str]:
    """The first `limit` names, sorted, of metrics, params or tags; see the store. TooLarge, Invalid: limit."""
    check_limit(limit, field="limit", limit=limits.METRIC_NAMES)
    return store.names(workspace=workspace, kind=kind, experiment_ids=experiment_ids, contains=contains, limit=limit)


def purge_runs(store: Store, *, workspace: str, run_ids: Sequence[str]) -> int:
    """Remove runs and all that belongs to them, for good; how many there were."""
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_WRITE)
    return store.purge_runs(workspace=workspace, run_ids=run_ids)


def purge_experiment(store: Store, *, workspace: str, id: int, at: int) -> None:
    """Remove an experiment and all its runs for good; its name is free again. NotFound; Conflict: experiment 0.

    It is deleted first, so that no run comes in meanwhile. When this ends in the middle, asking again finishes it.
    """
    experiment = store.get_experiment(workspace=workspace, id=id)
    if id == DEFAULT_EXPERIMENT:
        raise Conflict(f"experiment {id} belongs to its workspace; it cannot be removed", field="experiment_id")
    if experiment.lifecycle is not Lifecycle.DELETED:
        store.write_experiment(workspace=workspace, write=ExperimentWrite(id=id, lifecycle=Lifecycle.DELETED, at=at))
    while True:
        page = store.search_runs(
            workspace=workspace,
            query=RunQuery(
                experiment_ids=(id,), visibility=Visibility.ALL, limit=limits.RUNS_PER_WRITE, columns=NO_COLUMNS
            ),
        )
        if not page.items:
            break
        store.purge_runs(workspace=workspace, run_ids=[row.run.id for row in page.items])
    store.purge_experiment(workspace=workspace, id=id)


def read_events(store: Store, *, workspace: str, run_id: str) -> list[Event]:
    """What happened to a run, oldest first. NotFound when there is no such run."""
    get_run(store, workspace=workspace, run_id=run_id, columns=NO_COLUMNS)
    return store.read_events(workspace=workspace, run_id=run_id)

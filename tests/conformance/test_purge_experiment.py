"""An experiment is removed for good once it has no runs; its number never comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import ExperimentQuery, ExperimentWrite, Lifecycle, NewExperiment, RunWrite, Visibility
from stepwell.core.store import Store
from stores import NOW, Shelf, W, new_run


def made(store: Store, name: str, workspace: str = W) -> int:
    return store.create_experiment(workspace=workspace, new=NewExperiment(name=name, tags={"a": "b"}, at=NOW)).id


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_a_purged_experiment_is_gone_and_its_name_is_free(
    shelf: Shelf, store: Store, again: Callable[[Shelf], Store]
) -> None:
    number = made(store, "x")
    store.purge_experiment(workspace=W, id=number)
    kept = again(shelf)
    for asked in ({"id": number}, {"name": "x"}):
        with pytest.raises(NotFound):
            kept.get_experiment(workspace=W, **asked)
    with pytest.raises(NotFound):
        kept.purge_experiment(workspace=W, id=number)
    found = kept.search_experiments(workspace=W, query=ExperimentQuery(visibility=Visibility.ALL, limit=9)).items
    assert [each.id for each in found] == [0]
    assert made(kept, "x") == number + 1
    assert kept.get_experiment(workspace=W, name="x").tags == {"a": "b"}


def test_what_cannot_be_purged(store: Store) -> None:
    number = made(store, "x")
    store.create_runs(workspace=W, new=[new_run("of-x", experiment_id=number)])
    with pytest.raises(Conflict):
        store.purge_experiment(workspace=W, id=number)
    store.write(workspace=W, writes=[RunWrite(run_id="of-x", lifecycle=Lifecycle.DELETED, at=NOW)]).result()
    with pytest.raises(Conflict):
        store.purge_experiment(workspace=W, id=number)
    store.write_experiment(workspace=W, write=ExperimentWrite(id=number, lifecycle=Lifecycle.DELETED, at=NOW))
    store.purge_runs(workspace=W, run_ids=["of-x"])
    store.purge_experiment(workspace=W, id=number)
    for workspace in (W, "elsewhere"):
        with pytest.raises(Conflict):
            store.purge_experiment(workspace=workspace, id=0)
    with pytest.raises(NotFound):
        store.purge_experiment(workspace="elsewhere", id=number + 1)

"""What another workspace holds does not exist: no read shows it, no write reaches it."""

from __future__ import annotations

from stepwell.core.model import ALL_COLUMNS, EVERYTHING, Columns, LogLine, NewExperiment, Record, Visibility
from stepwell.core.series import Order
from stepwell.core.store import Store
from stores import NOW, RUN, Shelf, W, add, batch, change, make_runs, read_rows, rows_told, search, selector

OTHER = "other"


def fill(store: Store, workspace: str, value: float) -> None:
    """The same names in a workspace, with values of its own."""
    store.create_experiment(workspace=workspace, new=NewExperiment(name="e", tags={"v": str(value)}, at=NOW))
    make_runs(store, RUN, workspace=workspace)
    points = batch([(step, 0, value) for step in range(3)])
    change(store, workspace=workspace, points=points, params={"p": str(value)}, set_tags={"t": str(value)})
    lines = [LogLine(stream="o", line=1, time=1, text=str(value))]
    store.append_lines(workspace=workspace, run_id=RUN, lines=lines)
    record = Record(kind="k", id="r", body=str(value), parent=RUN, unique={"n": "x"}, created_at=1, updated_at=1)
    store.put_records(workspace=workspace, records=[record])
    for owner in (RUN, ""):
        writer = store.open_blob(workspace=workspace, owner=owner, path="f", at=NOW)
        writer.write(str(value).encode())
        writer.commit()


def everything(store: Store, workspace: str) -> list[object]:
    """All that reads show of a workspace."""
    contents = []
    for owner in (RUN, ""):
        reader = store.get_blob(workspace=workspace, owner=owner, path="f")
        contents.append(b"".join(reader.chunks()))
        reader.close()
    (buckets,) = store.read_buckets(workspace=workspace, selectors=[selector()], window=EVERYTHING, budget=1)
    (sampled,) = store.sample(workspace=workspace, selectors=[selector()], window=EVERYTHING, limit=9)
    return [
        *contents,
        buckets.mean.tolist(),
        sampled.points.value.tolist(),
        [read_rows(store, order=order, workspace=workspace) for order in Order],
        store.list_series(workspace=workspace, run_id=RUN),
        store.summaries(workspace=workspace, run_ids=[RUN]).by_run(),
        [repr(row) for row in search(store, workspace=workspace, columns=ALL_COLUMNS)],
        store.get_experiment(workspace=workspace, name="e").tags,
        store.read_lines(workspace=workspace, run_id=RUN, stream=None, after=None, limit=9).items,
        store.get_records(workspace=workspace, kind="k", ids=["r"]),
        store.find_records(workspace=workspace, kind="k", where={"n": "x"}, after=None, limit=9).items,
        store.list_blobs(workspace=workspace, owner=RUN, folder=""),
        store.list_blobs(workspace=workspace, owner="", folder=""),
    ]


def test_equal_names_in_two_workspaces_are_two_things(shelf: Shelf):
    store = shelf.store
    fill(store, W, 1.0)
    fill(store, OTHER, 2.0)
    before = everything(store, W)
    assert read_rows(store) == rows_told([(step, 0, 1.0) for step in range(3)])
    assert read_rows(store, workspace=OTHER) == rows_told([(step, 0, 2.0) for step in range(3)])
    store.flush()
    assert everything(store, W) == before
    # Whatever happens in the other one.
    change(store, workspace=OTHER, set_tags={"t": "new"}, points=batch([(9, 9, 9.0)]))
    store.delete_records(workspace=OTHER, kind="k", ids=["r"])
    store.delete_blobs(workspace=OTHER, owner=RUN, path="")
    store.delete_blobs(workspace=OTHER, owner="", path="")
    assert everything(store, W) == before
    assert store.purge_runs(workspace=OTHER, run_ids=[RUN]) == 1
    store.compact()
    assert everything(store, W) == before
    assert everything(shelf.reopen(), W) == before


def test_a_workspace_without_a_write_is_empty(shelf: Shelf):
    store = shelf.store
    fill(store, W, 1.0)
    assert store.get_runs(workspace=OTHER, run_ids=[RUN], columns=Columns()) == [None]
    assert search(store, workspace=OTHER, visibility=Visibility.ALL) == []
    assert read_rows(store, workspace=OTHER) == []
    assert store.list_series(workspace=OTHER, run_id=RUN) == []
    assert store.purge_runs(workspace=OTHER, run_ids=[RUN]) == 0
    assert store.delete_records(workspace=OTHER, kind="k", ids=["r"]) == 0
    assert store.delete_blobs(workspace=OTHER, owner=RUN, path="") == 0
    assert store.list_blobs(workspace=OTHER, owner="", folder="") == []
    assert [each.name for each in store.list_workspaces()] == [W]
    add(store, [(5, 5, 5.0)])


def test_workspaces_are_sorted_and_made_once(shelf: Shelf):
    store = shelf.store
    first = store.put_workspace(name="b", at=5)
    assert (first.name, first.created_at) == ("b", 5)
    assert store.put_workspace(name="b", at=9) == first
    store.put_workspace(name="a", at=6)
    make_runs(store, RUN, workspace="C")
    assert [each.name for each in shelf.reopen().list_workspaces()] == ["C", "a", "b"]
    assert shelf.store.get_experiment(workspace="b", id=0).created_at == 5

"""What the audit log says of changes, and that it says nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.core import acting
from stepwell.core.access import Credential, Role, WorkspaceAlias
from stepwell.core.acting import SERVER, Actor
from stepwell.core.audit import ACTIONS, AuditEntry, AuditQuery
from stepwell.core.bounds import Kept
from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import ExperimentWrite, Lifecycle, NewExperiment, RunWrite, Status
from stepwell.core.store import Store
from stores import LIVES, NOW, RUN, Shelf, W, add, make_runs

ADA = Actor(via="native", credential_id="ada", address="192.0.2.7", request_id="q-1")
APART = ("points.expire", "store.backup", "store.repair")  # which tests of their own do; the last, no open store
DONE = tuple(action for action in ACTIONS if action not in APART)


def entries(store: Store, **asked: object) -> list[AuditEntry]:
    """Oldest first."""
    return store.read_audit(query=AuditQuery(limit=1000, **asked)).items[::-1]  # type: ignore[arg-type]


def told(store: Store) -> list[tuple[str, str, str]]:
    return [(each.action, each.workspace, each.subject) for each in entries(store)]


def set_lifecycle(store: Store, lifecycle: Lifecycle, run_id: str = RUN) -> None:
    store.write(workspace=W, writes=[RunWrite(run_id=run_id, lifecycle=lifecycle, at=NOW)]).result()


def credential(id_: str = "c1") -> Credential:
    return Credential(id=id_, secret_hash=id_.encode() * 16, workspace=W, role=Role.WRITER, name="ci", created_at=NOW)


def do_everything(store: Store) -> None:
    """Each action of a store once, in the order of DONE."""
    store.put_workspace(name=W, at=NOW)
    made = store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW))
    store.write_experiment(workspace=W, write=ExperimentWrite(id=made.id, lifecycle=Lifecycle.DELETED, at=NOW))
    store.write_experiment(workspace=W, write=ExperimentWrite(id=made.id, lifecycle=Lifecycle.ACTIVE, at=NOW))
    store.purge_experiment(workspace=W, id=made.id)
    make_runs(store, RUN)
    set_lifecycle(store, Lifecycle.DELETED)
    set_lifecycle(store, Lifecycle.ACTIVE)
    store.purge_runs(workspace=W, run_ids=[RUN])
    writer = store.open_blob(workspace=W, owner="", path="a/b.txt", at=NOW)
    writer.write(b"x")
    writer.commit()
    store.delete_blobs(workspace=W, owner="", path="a")
    store.put_credential(credential=credential())
    store.revoke_credential(id="c1", at=NOW)
    store.put_workspace_alias(alias=WorkspaceAlias(dialect="d", id="x/y", workspace="elsewhere"))
    store.delete_workspace_alias(dialect="d", id="x/y")
    store.put_bounds(workspace=W, experiment_id=None, values={"deleted_runs_days": 1, "points": 9})


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES.keys())
def test_every_action_is_noted_once_with_who_and_when(live: Callable[[Shelf], Store], shelf: Shelf):
    acting.begin(lambda: ADA)
    try:
        do_everything(shelf.store)
    finally:
        acting.begin(lambda: SERVER)
    found = entries(live(shelf))
    assert [each.action for each in found] == list(DONE)
    assert [each.number for each in found] == list(range(1, len(DONE) + 1))
    assert {each.at for each in found} == {NOW}
    assert {each.actor for each in found} == {ADA}
    subjects = {each.action: (each.workspace, each.subject, dict(each.details)) for each in found}
    assert subjects["experiment.delete"] == (W, "1", {"name": "e"})
    assert subjects["run.purge"] == (W, RUN, {})
    assert subjects["files.delete"] == (W, "a", {"files": "1"})
    assert subjects["credential.create"] == (W, "c1", {"role": "writer", "name": "ci"})
    assert subjects["alias.put"] == ("elsewhere", "d/x/y", {})


@pytest.mark.needs("copies")
def test_a_backup_is_noted(store: Store, tmp_path: Path):
    list(store.backup(target=tmp_path / "copy"))
    noted = entries(store)[-1]
    assert noted.action == "store.backup"
    assert (noted.workspace, noted.subject) == ("*", str(tmp_path / "copy"))
    assert noted.details == {"credentials": "no"}


@pytest.mark.needs("expiry")
def test_what_expires_is_noted(store: Store):
    add(store, [(0, 0, 0.0), (1, 0, 0.0)])
    list(store.expire_points(workspace=W, experiment_id=0, kept=Kept(latest=1)))
    assert told(store)[-1][:2] == ("points.expire", W)


def test_what_changes_nothing_is_not_noted(store: Store):
    store.put_credential(credential=credential())
    store.revoke_credential(id="c1", at=NOW)
    set_lifecycle(store, Lifecycle.DELETED)
    before = told(store)
    set_lifecycle(store, Lifecycle.DELETED)
    store.revoke_credential(id="c1", at=NOW + 1)
    store.put_workspace(name=W, at=NOW)
    store.purge_runs(workspace=W, run_ids=["none"])
    store.delete_blobs(workspace=W, owner="", path="none")
    assert told(store) == before


def test_what_is_refused_is_not_noted(store: Store):
    before = told(store)
    with pytest.raises(NotFound):
        store.revoke_credential(id="none", at=NOW)
    with pytest.raises(Conflict):
        store.purge_experiment(workspace=W, id=0)
    writes = [RunWrite(run_id=RUN, lifecycle=Lifecycle.DELETED, at=NOW), RunWrite(run_id="none", name="x", at=NOW)]
    with pytest.raises(NotFound):
        store.write(workspace=W, writes=writes).result()
    assert told(store) == before


def test_a_runs_own_writes_are_not_noted(store: Store):
    before = told(store)
    write = RunWrite(run_id=RUN, params={"p": "1"}, set_tags={"t": "1"}, status=Status.FINISHED, at=NOW)
    store.write(workspace=W, writes=[write]).result()
    assert told(store) == before


def test_entries_are_found_and_paged(store: Store):
    make_runs(store, "r2", "r3")
    store.purge_runs(workspace=W, run_ids=["r2", "r3"])
    store.put_workspace(name="other", at=NOW)
    assert [each.subject for each in entries(store, action="run.purge")] == ["r2", "r3"]
    assert [each.subject for each in entries(store, action="run")] == ["r2", "r3"]
    assert entries(store, action="ru") == []
    assert [each.subject for each in entries(store, workspace="other")] == ["other"]
    assert entries(store, credential_id="ada") == []
    assert entries(store, since=NOW + 1) == entries(store, until=NOW - 1) == []
    assert len(entries(store, since=NOW, until=NOW)) == 4
    pages, before = [], 2**63 - 1
    for _ in range(4):
        page = store.read_audit(query=AuditQuery(limit=1, before=before))
        pages += page.items
        before = page.items[-1].number
    assert page.after is None
    assert pages == entries(store)[::-1]

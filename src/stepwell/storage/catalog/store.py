"""The catalog as the engine shows it: changes go to the thread that writes, each read takes a short snapshot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from stepwell.core.access import Credential, WorkspaceAlias
from stepwell.core.audit import AuditEntry, AuditQuery
from stepwell.core.bounds import Bound
from stepwell.core.filters import Kind
from stepwell.core.model import (
    BlobInfo,
    Columns,
    Damage,
    Event,
    Experiment,
    ExperimentQuery,
    ExperimentWrite,
    LogLine,
    NewExperiment,
    NewRun,
    Record,
    Run,
    RunQuery,
    RunRow,
    Workspace,
)
from stepwell.core.page import Page, Position
from stepwell.storage.catalog import (
    audit,
    bounds,
    credentials,
    experiments,
    logs,
    lookup,
    run_rows,
    runs,
    searching,
    workspaces,
)
from stepwell.storage.catalog import records as record_rows
from stepwell.storage.catalog.blobs import AdmitFile, Blobs, Reader, Snapshot, Submit, Writer, no_quota
from stepwell.storage.catalog.live import Live, LiveSeries
from stepwell.storage.catalog.read_cache import CACHED, ReadCaches, Reading
from stepwell.storage.catalog.searching import Plan
from stepwell.storage.catalog.sql import Connection
from stepwell.storage.contents import Contents

T = TypeVar("T")


class Catalog:
    """Implements core.store.CatalogStore but for the purge of runs, AuditStore, RecordStore, LogStore, BlobStore.

    Any number of threads may share one.
    """

    def __init__(
        self,
        *,
        submit: Submit,
        snapshot: Snapshot,
        live: LiveSeries | None,
        contents: Contents,
        caches: ReadCaches,
        full: Callable[[], bool] = bool,
        admit_file: AdmitFile = no_quota,
    ) -> None:
        """submit: runs a change inside a transaction of the writing thread; its Future resolves once it is durable.
        snapshot: a reading connection. live: the series that wait in memory; None: none ever do. contents: of files.
        full: whether the disk is (never, when not given). admit_file: may refuse a file of a workspace for its size, in
        the transaction that names it."""
        self._catalog_submit = submit
        self._catalog_snapshot = snapshot
        self._catalog_live = live
        self._caches = caches
        self._blobs = Blobs(contents, submit=submit, snapshot=snapshot, full=full, admit=admit_file)

    def _done(self, run: Callable[[Connection], T]) -> T:
        return self._catalog_submit(run).result()

    # Workspaces and experiments ---------------------------------------------------------------------------------------

    def put_workspace(self, *, name: str, at: int) -> Workspace:
        """See CatalogStore."""
        return self._done(lambda conn: workspaces.put(conn, name, at=at))

    def list_workspaces(self) -> list[Workspace]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return workspaces.every(conn)

    def put_workspace_alias(self, *, alias: WorkspaceAlias) -> None:
        """See CatalogStore."""
        self._done(lambda conn: workspaces.put_alias(conn, alias))

    def list_workspace_aliases(self) -> list[WorkspaceAlias]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return workspaces.aliases(conn)

    def delete_workspace_alias(self, *, dialect: str, id: str) -> WorkspaceAlias:
        """See CatalogStore."""
        return self._done(lambda conn: workspaces.drop_alias(conn, dialect, id))

    def create_experiment(self, *, workspace: str, new: NewExperiment) -> Experiment:
        """See CatalogStore."""
        return self._done(lambda conn: experiments.create(conn, workspace, new))

    def get_experiment(self, *, workspace: str, id: int | None = None, name: str | None = None) -> Experiment:
        """See CatalogStore."""
        if id is None:
            with self._catalog_snapshot() as conn:
                return experiments.get(conn, workspace, name=name)
        place = (workspace, id)
        with self._caches.experiments.reading() as reading:
            found = reading.take((place,)).get(place)
            if found is None:
                with self._catalog_snapshot() as conn:
                    found = experiments.get(conn, workspace, id=id)
                if found.created_at:  # else it is that of a workspace which any write may make
                    reading.keep({place: found})
            return found

    def write_experiment(self, *, workspace: str, write: ExperimentWrite) -> Experiment:
        """See CatalogStore."""

        def run(conn: Connection) -> Experiment:
            if write.lifecycle is not None:
                self._caches.rows.all_change()
            self._caches.experiments.changes((workspace, write.id))
            return experiments.apply(conn, workspace, write)

        return self._done(run)

    def purge_experiment(self, *, workspace: str, id: int) -> None:
        """See CatalogStore."""

        def run(conn: Connection) -> None:
            self._caches.experiments.changes((workspace, id))
            experiments.purge(conn, workspace, id)

        self._done(run)

    def search_experiments(self, *, workspace: str, query: ExperimentQuery) -> Page[Experiment]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return searching.find_experiments(conn, workspace, query)

    # Runs -------------------------------------------------------------------------------------------------------------

    def create_runs(self, *, workspace: str, new: Sequence[NewRun]) -> list[Run]:
        """See CatalogStore."""
        return self._done(lambda conn: runs.create(conn, workspace, new))

    def get_runs(self, *, workspace: str, run_ids: Sequence[str], columns: Columns) -> list[RunRow | None]:
        """See CatalogStore."""
        with self._caches.rows.reading(wanted=columns == CACHED) as reading:
            with self._catalog_snapshot() as conn:
                keys = runs.keys_of(conn, workspace, run_ids)
                found, fresh = self._rows(conn, reading, workspace, list(keys.values()), columns)
            found |= self._kept(reading, fresh, columns)
        return [found.get(keys.get(run_id, -1)) for run_id in run_ids]

    def run_ids(self, *, workspace: str, keys: Sequence[int]) -> list[str | None]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return lookup.ids_of_keys(conn, workspace, keys)

    def run_ids_by_number(self, *, workspace: str, numbers: Sequence[tuple[int, int]]) -> list[str | None]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return lookup.ids_of_numbers(conn, workspace, numbers)

    def metric_names(
        self,
        *,
        workspace: str,
        experiment_id: int,
        run_ids: Sequence[str] | None = None,
        contains: str = "",
        limit: int,
    ) -> list[str]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return lookup.metric_names(conn, workspace, experiment_id, run_ids=run_ids, contains=contains, limit=limit)

    def names(
        self,
        *,
        workspace: str,
        kind: Kind,
        experiment_ids: Sequence[int] | None = None,
        contains: str = "",
        limit: int,
    ) -> list[str]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return lookup.names(conn, workspace, kind, experiment_ids=experiment_ids, contains=contains, limit=limit)

    def search_runs(self, *, workspace: str, query: RunQuery) -> Page[RunRow]:
        """See CatalogStore. The metrics of the rows may be newer than what chose them, never older."""
        with self._caches.rows.reading(wanted=query.columns == CACHED) as reading:
            plan, live = self._before(workspace, query, searching.metrics_asked(query), searching.plan_search)
            with self._catalog_snapshot() as conn:
                page = searching.find_runs(conn, plan or searching.plan_search(conn, workspace, query), live)
                found, fresh = self._rows(conn, reading, workspace, page.keys, query.columns)
            found |= self._kept(reading, fresh, query.columns)
        return Page(items=[found[key] for key in page.keys if key in found], after=page.after)

    def count_runs(self, *, workspace: str, query: RunQuery) -> int:
        """See CatalogStore."""
        plan, live = self._before(workspace, query, searching.metrics_compared(query), searching.plan_count)
        with self._catalog_snapshot() as conn:
            return searching.count_runs(conn, plan or searching.plan_count(conn, workspace, query), live)

    def _before(
        self, workspace: str, query: RunQuery, metrics: Collection[str], make: Callable[..., Plan | None]
    ) -> tuple[Plan | None, Sequence[Live]]:
        """What a search takes along into its snapshot: the live series of the metrics, and where these can be of few
        runs alone, the plan that tells which."""
        if not metrics or self._catalog_live is None:
            return None, ()
        plan = None
        if searching.may_be_few(query):
            with self._catalog_snapshot() as conn:
                plan = make(conn, workspace, query)
        return plan, self._catalog_live(None if plan is None else plan.among, metrics)

    def _rows(
        self, conn: Connection, reading: Reading[int, RunRow], workspace: str, keys: Sequence[int], columns: Columns
    ) -> tuple[dict[int, RunRow], list[RunRow]]:
        """The rows of runs: by key those that were kept, whole, and the others without metrics; some may be gone."""
        found = reading.take(keys)
        return found, run_rows.read(conn, workspace, [key for key in keys if key not in found], columns)

    def _kept(self, reading: Reading[int, RunRow], fresh: list[RunRow], columns: Columns) -> dict[int, RunRow]:
        """Rows with their metrics, by key, from now on kept."""
        found = {row.run.key: row for row in self._with_metrics(fresh, columns)}
        reading.keep(found)
        return found

    def _with_metrics(self, rows: list[RunRow], columns: Columns) -> list[RunRow]:
        if not rows or (columns.metrics is not None and not columns.metrics):
            return rows
        live = () if self._catalog_live is None else self._catalog_live([row.run.key for row in rows], columns.metrics)
        with self._catalog_snapshot() as conn:
            run_rows.add_metrics(conn, rows, columns, live)
        return rows

    def read_events(self, *, workspace: str, run_id: str) -> list[Event]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return runs.events(conn, workspace, run_id)

    # Credentials ------------------------------------------------------------------------------------------------------

    def put_credential(self, *, credential: Credential) -> None:
        """See CatalogStore."""
        self._done(lambda conn: credentials.put(conn, credential))

    def get_credential(
        self, *, id: str | None = None, secret_hash: bytes | None = None, key_id: str | None = None
    ) -> Credential | None:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return credentials.get(conn, id=id, secret_hash=secret_hash, key_id=key_id)

    def list_credentials(self) -> list[Credential]:
        """See CatalogStore."""
        with self._catalog_snapshot() as conn:
            return credentials.every(conn)

    def revoke_credential(self, *, id: str, at: int) -> Credential:
        """See CatalogStore."""
        return self._done(lambda conn: credentials.revoke(conn, id, at=at))

    def read_audit(self, *, query: AuditQuery) -> Page[AuditEntry]:
        """See AuditStore."""
        with self._catalog_snapshot() as conn:
            return audit.find(conn, query)

    # Bounds -----------------------------------------------------------------------------------------------------------

    def put_bounds(self, *, workspace: str, experiment_id: int | None, values: Mapping[str, int | None]) -> None:
        """See BoundStore."""
        self._done(lambda conn: bounds.put(conn, workspace, experiment_id, values))

    def list_bounds(self) -> list[Bound]:
        """See BoundStore."""
        with self._catalog_snapshot() as conn:
            return bounds.every(conn)

    def runs_deleted_before(
        self, *, workspace: str, experiment_id: int, before: int, after: str = "", limit: int
    ) -> list[str]:
        """See BoundStore."""
        with self._catalog_snapshot() as conn:
            return runs.deleted_before(conn, workspace, experiment_id, before=before, after=after, limit=limit)

    # Records ----------------------------------------------------------------------------------------------------------

    def put_records(
        self,
        *,
        workspace: str,
        records: Sequence[Record],
        remove: Sequence[Record] = (),
        unchanged: Sequence[Record] = (),
    ) -> None:
        """See RecordStore."""
        self._done(lambda conn: record_rows.change(conn, workspace, records, remove=remove, unchanged=unchanged))

    def get_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> list[Record | None]:
        """See RecordStore."""
        with self._catalog_snapshot() as conn:
            return record_rows.get(conn, workspace, kind, ids)

    def find_records(
        self, *, workspace: str, kind: str, where: Mapping[str, str], after: Position | None, limit: int
    ) -> Page[Record]:
        """See RecordStore."""
        with self._catalog_snapshot() as conn:
            return record_rows.find(conn, workspace, kind, where=where, after=after, limit=limit)

    def records_of_runs(
        self, *, workspace: str, kinds: Sequence[str], run_ids: Sequence[str]
    ) -> dict[str, list[Record]]:
        """See RecordStore."""
        with self._catalog_snapshot() as conn:
            return record_rows.of_runs(conn, workspace, kinds, run_ids)

    def delete_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> int:
        """See RecordStore."""
        return self._done(lambda conn: record_rows.delete(conn, workspace, kind, ids))

    # Console lines ----------------------------------------------------------------------------------------------------

    def append_lines(self, *, workspace: str, run_id: str, lines: Sequence[LogLine]) -> None:
        """See LogStore."""
        self._done(lambda conn: logs.append(conn, workspace, run_id, lines))

    def read_lines(
        self, *, workspace: str, run_id: str, stream: str | None, after: Position | None, limit: int
    ) -> Page[LogLine]:
        """See LogStore."""
        with self._catalog_snapshot() as conn:
            return logs.read(conn, workspace, run_id, stream=stream, after=after, limit=limit)

    def read_newest_lines(
        self, *, workspace: str, run_id: str, stream: str, upto: Position | None = None, limit: int
    ) -> list[LogLine]:
        """See LogStore."""
        with self._catalog_snapshot() as conn:
            return logs.read_newest(conn, workspace, run_id, stream=stream, upto=upto, limit=limit)

    def read_numbered_lines(
        self, *, workspace: str, run_id: str, stream: str | None, skip: int = 0, limit: int
    ) -> list[LogLine]:
        """See LogStore."""
        with self._catalog_snapshot() as conn:
            return logs.read_numbered(conn, workspace, run_id, stream=stream, skip=skip, limit=limit)

    def count_lines(self, *, workspace: str, run_id: str, stream: str | None) -> int:
        """See LogStore."""
        with self._catalog_snapshot() as conn:
            return logs.count(conn, workspace, run_id, stream=stream)

    # Files ------------------------------------------------------------------------------------------------------------

    def open_blob(self, *, workspace: str, owner: str, path: str, at: int) -> Writer:
        """See BlobStore."""
        return self._blobs.open_blob(workspace=workspace, owner=owner, path=path, at=at)

    def get_blob(self, *, workspace: str, owner: str, path: str) -> Reader:
        """See BlobStore."""
        return self._blobs.get_blob(workspace=workspace, owner=owner, path=path)

    def list_blobs(self, *, workspace: str, owner: str, folder: str) -> list[BlobInfo]:
        """See BlobStore."""
        return self._blobs.list_blobs(workspace=workspace, owner=owner, folder=folder)

    def delete_blobs(self, *, workspace: str, owner: str, path: str) -> int:
        """See BlobStore."""
        return self._blobs.delete_blobs(workspace=workspace, owner=owner, path=path)

    def forget_files(self, names: Iterable[str]) -> None:
        """Remove contents whose rows are gone."""
        self._blobs.remove(names)

    def files_failed(self) -> str:
        """ "" or, in a sentence, why no file can be stored until a restart."""
        return self._blobs.failed

    def remove_files(self) -> None:
        """Remove contents of files that nothing refers to."""
        self._blobs.sweep()

    def check_files(self) -> Iterator[Damage]:
        """Read all files and name those that are damaged."""
        return self._blobs.check()

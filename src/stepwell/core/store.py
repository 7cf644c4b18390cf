"""THE storage interface. An engine implements all of it; nobody above knows which engine it is.

Promises that hold for every engine (tests/conformance):

- Every method is scoped by workspace. What another workspace holds does not exist here: reads are empty, writes
  raise NotFound.
- A write is all or nothing. Its Future resolves once the write is durable (fsynced) and visible to every read,
  summaries and search
  included; it raises what went wrong, and then nothing of it is stored. After StorageFailed a write may exist, whole;
  never in part.
- Writes to one run from one caller take effect in the order of the calls.
- Reads hold no locks or transactions when they return.
- A refusal is told once what it rests on is durable and visible: after AlreadyExists the other can be read.
- Errors: core.errors only. NotFound, AlreadyExists, Conflict, Invalid, Busy, StorageFull, StorageFailed, Corrupt.
- Points that repeat a stored one exactly (`Repeats.RETRY`) are not stored again and are no error.
- Purged things are gone for every later read; a write in flight either precedes the purge or gets NotFound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stepwell.core.access import ANY_WORKSPACE, Credential, WorkspaceAlias
from stepwell.core.audit import AuditEntry, AuditQuery
from stepwell.core.bounds import Bound, Expired, Kept, Usage
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled
from stepwell.core.filters import Kind
from stepwell.core.model import (
    BlobInfo,
    Columns,
    Copied,
    Damage,
    Event,
    Experiment,
    ExperimentQuery,
    ExperimentWrite,
    LabelSet,
    LogLine,
    NewExperiment,
    NewRun,
    Record,
    Run,
    RunQuery,
    RunRow,
    RunWrite,
    Selector,
    SeriesInfo,
    Stats,
    Window,
    Workspace,
    Writing,
)
from stepwell.core.page import Page, Position
from stepwell.core.series import I64, Labels, Order, Points
from stepwell.core.summary import SummaryTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPage:
    """Points in the order asked for, and the position after which the next page begins (None: no more now).

    In arrival order `after` is given always, also for an empty page, so that a live reader can go on from it.
    """

    points: Points
    after: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPoints:
    """Points of all series of one run as they arrived: point i belongs to the series `series[which[i]]`.

    `series` has each (metric, labels) once, and only those with a point in here; which: int64. `row` is the run at the
    same moment, without metrics; None where there is none. Points that arrived from `end` on came after that moment.
    """

    row: RunRow | None
    series: tuple[tuple[str, Labels], ...]
    which: I64
    points: Points
    end: int


class PointStore(Protocol):
    """Points in and out."""

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """Apply all writes, in one transaction. Raises Busy, StorageFull and StorageFailed itself where it takes none
        of them. What else may be wrong the Future tells. NotFound: no such run, or a tag to remove is not there;
        Conflict: the run is deleted (restoring it is allowed), a param has another value, or a record or tag that must
        be unchanged is not stored as it is there; AlreadyExists: as for put_records; for a run to make also what
        create_runs says."""
        ...

    def list_series(
        self, *, workspace: str, run_id: str, metric: str | None = None, prefixes: Sequence[str] | None = None
    ) -> list[SeriesInfo]:
        """Series of a run with their summaries, sorted by (metric, labels); empty when there is no such run. Only those
        of `metric`, or else those whose metric begins with one of `prefixes`, where they are given."""
        ...

    def label_sets(self, *, workspace: str, run_ids: Sequence[str]) -> list[LabelSet]:
        """The series of runs whose metrics have labels in one of these runs: each run's together, sorted by (metric,
        labels). Unknown runs, and metrics without labels, are absent."""
        ...

    def read(
        self,
        *,
        workspace: str,
        selector: Selector,
        order: Order,
        window: Window,
        after: Position | None,
        limit: int,
    ) -> PointPage:
        """Up to `limit` points of the window in `order`, after a position of that order. Unknown series are empty."""
        ...

    def read_runs(
        self,
        *,
        workspace: str,
        run_ids: Sequence[str],
        columns: Columns,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[RunPoints]:
        """For each run, in the order given, its row and the points of all its series as they arrived; none where there
        is no such run. What is answered is of one moment: of a write, all is in it or nothing. `columns.metrics` is not
        looked at. At most `limit` points in all: the run that reaches it is the last one of the answer, perhaps with a
        part of its points; ask again from that run on with the arrival of the last point as `after` and, to stay in
        the moment of its row, `end` as `before`. Both concern the first run alone."""
        ...

    def read_buckets(
        self, *, workspace: str, selectors: Sequence[Selector], window: Window, budget: int
    ) -> list[Buckets]:
        """For each selector at most `budget` buckets of the window's points in key order; edges may differ in width by
        a node.
        """
        ...

    def sample(self, *, workspace: str, selectors: Sequence[Selector], window: Window, limit: int) -> list[Sampled]:
        """For each selector at most `limit` stored points, one a step, by the rule of core.downsample.sample."""
        ...

    def summaries(
        self, *, workspace: str, run_ids: Sequence[str], metrics: Sequence[str] | None = None
    ) -> SummaryTable:
        """Of each run and metric the summary of the union of its label sets. Unknown runs and metrics are absent."""
        ...


class CatalogStore(Protocol):
    """Workspaces, experiments, runs, and who may come in."""

    def put_workspace(self, *, name: str, at: int) -> Workspace:
        """Make it, with its experiment 0 "Default", or find it."""
        ...

    def list_workspaces(self) -> list[Workspace]:
        """Sorted by name."""
        ...

    def put_workspace_alias(self, *, alias: WorkspaceAlias) -> None:
        """Store it in the place of an older one of the same dialect and id. The workspace need not exist yet."""
        ...

    def list_workspace_aliases(self) -> list[WorkspaceAlias]:
        """Sorted by dialect, then id."""
        ...

    def delete_workspace_alias(self, *, dialect: str, id: str) -> WorkspaceAlias:
        """The one that was removed. NotFound."""
        ...

    def create_experiment(self, *, workspace: str, new: NewExperiment) -> Experiment:
        """Makes the workspace too when it is missing. AlreadyExists: the name is taken, also by a deleted one."""
        ...

    def get_experiment(self, *, workspace: str, id: int | None = None, name: str | None = None) -> Experiment:
        """By id or by name, deleted ones too. NotFound. Experiment 0 exists in every workspace, even before its first
        write.
        """
        ...

    def write_experiment(self, *, workspace: str, write: ExperimentWrite) -> Experiment:
        """The changed experiment. NotFound: it, or a tag to remove, is missing; AlreadyExists: the new name is taken;
        Conflict: a change other than of lifecycle to a deleted one, or a lifecycle that it has already."""
        ...

    def search_experiments(self, *, workspace: str, query: ExperimentQuery) -> Page[Experiment]:
        """A page in the order of the query."""
        ...

    def create_runs(self, *, workspace: str, new: Sequence[NewRun]) -> list[Run]:
        """Makes the workspace too when it is missing. NotFound: no such experiment; Conflict: it is deleted;
        AlreadyExists: the id is taken."""
        ...

    def get_runs(self, *, workspace: str, run_ids: Sequence[str], columns: Columns) -> list[RunRow | None]:
        """One item for each id, in that order; None where there is no such run. Deleted runs too."""
        ...

    def run_ids(self, *, workspace: str, keys: Sequence[int]) -> list[str | None]:
        """The ids of runs by their keys, deleted ones too: one item for each key, None where there is no such run."""
        ...

    def run_ids_by_number(self, *, workspace: str, numbers: Sequence[tuple[int, int]]) -> list[str | None]:
        """As `run_ids`, by (experiment id, project number)."""
        ...

    def metric_names(
        self,
        *,
        workspace: str,
        experiment_id: int,
        run_ids: Sequence[str] | None = None,
        contains: str = "",
        limit: int,
    ) -> list[str]:
        """The first `limit` names, sorted, of the metrics in an experiment's active runs, or in those of them that
        `run_ids` names; `contains` in any case of ASCII letters."""
        ...

    def names(
        self,
        *,
        workspace: str,
        kind: Kind,
        experiment_ids: Sequence[int] | None = None,
        contains: str = "",
        limit: int,
    ) -> list[str]:
        """The first `limit` names, sorted, of the metrics, params or tags (`kind`) of active runs, of all experiments
        or of some; `contains` in any case of ASCII letters."""
        ...

    def search_runs(self, *, workspace: str, query: RunQuery) -> Page[RunRow]:
        """A page in the order of the query. Over all pages, whatever is written meanwhile, a run is found exactly once
        as long as its place in the order stays; one whose sort values change may be found again further on, or missed.
        """
        ...

    def count_runs(self, *, workspace: str, query: RunQuery) -> int:
        """How many runs `search_runs` finds over all pages: experiments, filter and visibility count; order, position
        and limit do not."""
        ...

    def purge_runs(self, *, workspace: str, run_ids: Sequence[str], deleted_before: int | None = None) -> int:
        """Remove runs and all that belongs to them; how many there were. The ids may be used again and get new keys.
        With `deleted_before` those alone that are deleted, and were before that time."""
        ...

    def purge_experiment(self, *, workspace: str, id: int) -> None:
        """Remove an experiment without runs; its name is free, its number is never used again. NotFound; Conflict: it
        has runs, deleted ones count too, or it is experiment 0."""
        ...

    def read_events(self, *, workspace: str, run_id: str) -> list[Event]:
        """Oldest first."""
        ...

    def put_credential(self, *, credential: Credential) -> None:
        """Store it; makes its workspace when missing. AlreadyExists: the id, the secret or the key id is taken."""
        ...

    def get_credential(
        self, *, id: str | None = None, secret_hash: bytes | None = None, key_id: str | None = None
    ) -> Credential | None:
        """By the first of these that is given; revoked and expired ones too."""
        ...

    def list_credentials(self) -> list[Credential]:
        """Sorted by creation."""
        ...

    def revoke_credential(self, *, id: str, at: int) -> Credential:
        """NotFound. Revoking twice keeps the first time."""
        ...


class AuditStore(Protocol):
    """The audit log. What core.audit lists is added to it by the store itself, in the transaction of what is done, on
    behalf of whoever acts (core.acting) where the method is called."""

    def read_audit(self, *, query: AuditQuery) -> Page[AuditEntry]:
        """A page, newest first; its position is a `before`."""
        ...


class BoundStore(Protocol):
    """What admins set, and what goes because of it. Who calls the second half, and when, is the services' business."""

    def put_bounds(self, *, workspace: str, experiment_id: int | None, values: Mapping[str, int | None]) -> None:
        """Set bounds of core.bounds by name, of a workspace, `*` or (not None) an experiment; None takes one away. The
        place need not exist."""
        ...

    def list_bounds(self) -> list[Bound]:
        """Sorted by workspace, experiment (those of all of it first), name."""
        ...

    def share_requests(self, *, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Tell the other processes that serve the store how many requests were let through here since the last call, by
        whatever they count for; what all of them together have told since. Nothing where there is only one process."""
        ...

    def usage(self, *, workspace: str) -> Usage:
        """What a workspace has now; nothing, when there is none. Counted, which takes a while for millions of series.
        Writes keep to the quotas (core.bounds.QUOTAS but requests) that hold where they come in: QuotaExceeded."""
        ...

    def runs_deleted_before(
        self, *, workspace: str, experiment_id: int, before: int, after: str = "", limit: int
    ) -> list[str]:
        """The first `limit` ids above `after`, sorted, of runs that were deleted before a time."""
        ...

    def expire_points(self, *, workspace: str, experiment_id: int, kept: Kept, dry: bool = False) -> Iterator[Expired]:
        """Remove the points of an experiment's runs that are not to be kept, deleted runs' too, step by step: of a
        series a step removes all of its points that it is about, in one transaction with the summary of those that
        stay, or none. What waits in memory stays until it is flushed. `dry`: only say what would go. A series whose
        blocks are damaged is left as it is."""
        ...


class RecordStore(Protocol):
    """Typed entities that need no table of their own."""

    def put_records(
        self,
        *,
        workspace: str,
        records: Sequence[Record],
        remove: Sequence[Record] = (),
        unchanged: Sequence[Record] = (),
    ) -> None:
        """Insert or replace by (kind, id), and remove others, all or none. AlreadyExists: a unique value belongs to
        another id; NotFound: the parent is no run; Conflict: one of `unchanged` is not stored any more with the body
        and times that it has here."""
        ...

    def get_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> list[Record | None]:
        """One item for each id."""
        ...

    def find_records(
        self, *, workspace: str, kind: str, where: Mapping[str, str], after: Position | None, limit: int
    ) -> Page[Record]:
        """Records whose unique, indexed or 'parent' values equal all of `where`, in the order of creation, then id."""
        ...

    def records_of_runs(
        self, *, workspace: str, kinds: Sequence[str], run_ids: Sequence[str]
    ) -> dict[str, list[Record]]:
        """run id -> the records of these kinds whose parent it is, in the order of creation, then kind, then id. Runs
        without any are absent."""
        ...

    def delete_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> int:
        """How many there were."""
        ...


class LogStore(Protocol):
    """Console lines."""

    def append_lines(self, *, workspace: str, run_id: str, lines: Sequence[LogLine]) -> None:
        """A line number that exists in its stream is replaced. NotFound, Conflict as for write."""
        ...

    def read_lines(
        self, *, workspace: str, run_id: str, stream: str | None, after: Position | None, limit: int
    ) -> Page[LogLine]:
        """In the order (stream, line)."""
        ...

    def read_newest_lines(
        self, *, workspace: str, run_id: str, stream: str, upto: Position | None = None, limit: int
    ) -> list[LogLine]:
        """The last `limit` lines of a stream, in their order; as cheap as its first ones. `upto`: the last of them up
        to this (stream, line)."""
        ...

    def read_numbered_lines(
        self, *, workspace: str, run_id: str, stream: str | None, skip: int = 0, limit: int
    ) -> list[LogLine]:
        """In the order (line, stream), without the first `skip`; skipping costs a look at each."""
        ...

    def count_lines(self, *, workspace: str, run_id: str, stream: str | None) -> int:
        """How many lines a run or one of its streams has; 0 when there is no such run."""
        ...


class BlobWriter(Protocol):
    """A file being stored. It is not there until commit returns; without commit it never was."""

    def write(self, chunk: bytes) -> None:
        """Append bytes. StorageFull, StorageFailed. QuotaExceeded: the files on their way to the workspace are more
        than it may have."""
        ...

    def commit(self) -> BlobInfo:
        """Make it durable and visible, replacing an older file of the same path."""
        ...

    def abort(self) -> None:
        """Forget it; also after commit, then it does nothing."""
        ...


class BlobReader(Protocol):
    """An open file that stays readable when it is replaced or deleted meanwhile."""

    info: BlobInfo

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """The content, in order. Corrupt at the end when it does not match its checksum or length."""
        ...

    def close(self) -> None:
        """Always call it."""
        ...


class BlobStore(Protocol):
    """Files. `owner` is a run id, or "" for files of the workspace."""

    def open_blob(self, *, workspace: str, owner: str, path: str, at: int) -> BlobWriter:
        """Begin to store. Invalid: the path is empty, absolute, has '.', '..', empty segments, NUL or backslashes, or
        a file
        stands where a folder is needed (and the reverse); NotFound: no such run."""
        ...

    def get_blob(self, *, workspace: str, owner: str, path: str) -> BlobReader:
        """NotFound."""
        ...

    def list_blobs(self, *, workspace: str, owner: str, folder: str) -> list[BlobInfo]:
        """The direct children of a folder ("" is the root), folders too, sorted by path. Paths are relative to the
        owner.
        If `folder` names a file: that file alone. Empty when there is nothing."""
        ...

    def delete_blobs(self, *, workspace: str, owner: str, path: str) -> int:
        """The file, or all files below the folder ("" is everything of the owner); how many there were."""
        ...


class Maintenance(Protocol):
    """Care for the store."""

    def flush(self) -> None:
        """Bring everything that waits in memory to its final place."""
        ...

    def compact(self) -> None:
        """Merge small and overlapping blocks, remove what is purged, give space back."""
        ...

    def check(self) -> Iterator[Damage]:
        """Read everything and name what is damaged."""
        ...

    def stats(self) -> Stats:
        """Numbers for operators."""
        ...

    def writing(self, *, workspace: str = ANY_WORKSPACE, limit: int) -> list[Writing]:
        """The runs (of a workspace) with the most points that came lately and wait in memory, those with the most
        first."""
        ...

    def give_way(self) -> None:
        """For a thread that is about to read for long: return once nothing is being written that it would hold up, and
        after some milliseconds in any case.
        """
        ...

    def healthy(self) -> str:
        """ "" or, in a sentence, why writes are refused."""
        ...

    def backup(self, *, target: Path, credentials: bool = False) -> Iterator[Copied]:
        """Write a consistent copy into a new directory while the store is in use, telling how far it is; it is whole
        when the iterator ends. Without `credentials` it has none. AlreadyExists, StorageFull, StorageFailed.
        """
        ...

    def close(self) -> None:
        """Finish what was accepted, flush, release everything. Later calls raise."""
        ...


class Store(PointStore, CatalogStore, AuditStore, BoundStore, RecordStore, LogStore, BlobStore, Maintenance, Protocol):
    """A whole engine."""

"""The whole of a workspace and a dictionary are told the same: runs that come, go and come back under the same id,
experiments, what is not kept, quotas, copies; whatever is asked of both, they answer the same.

`test_model` asks for points in every way, its rules come along; here is what lies around them. The limits of the
engine are as small as there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from property.test_model import TightMachine, assert_sums_up, batches, outcome
from stepwell.core.bounds import Kept
from stepwell.core.errors import AlreadyExists, Conflict, NotFound, QuotaExceeded, StepwellError
from stepwell.core.filter_match import RowValues, compile_filter, sort_rows
from stepwell.core.filters import RUNS, Aggregate, Comparison, Field, Kind, Op, OrderBy, complete_order
from stepwell.core.model import (
    ALL_COLUMNS,
    Columns,
    ExperimentWrite,
    Lifecycle,
    LogLine,
    NewExperiment,
    PointBatch,
    Record,
    RunQuery,
    RunWrite,
    Selector,
    Status,
    Visibility,
)
from stepwell.core.series import Order, value_key
from stepwell.core.store import Store
from stepwell.storage import restore_store
from store_model import Model, ModelRun
from stores import NOW, W, new_run, search

IDS = ("a", "b", "c", "d")
METRICS = ("loss", "acc", "resource/cpu")
TEXTS = ("", "a", "B", "10", "9", "ß")
NAMES = ("x", "y")
PAGES = (1, 2, 3, 100)
MOST = 100

run_ids = st.sampled_from(IDS)
numbers = st.integers(0, 3)
texts = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS), max_size=2)
times = st.none() | st.integers(-2, 5)
lifecycles = st.none() | st.none() | st.sampled_from(Lifecycle)


@dataclass(kw_only=True)
class Known(ModelRun):
    """A run, and what belongs to it."""

    experiment: int
    name: str
    status: Status
    start_time: int | None
    end_time: int | None = None
    info: dict[str, str] = field(default_factory=dict)
    deleted_at: int = 0
    lines: dict[tuple[str, int], str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many points it has."""
        return sum(map(len, self.series.values()))


class Catalog(Model):
    """The runs and experiments of one workspace."""

    runs: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.experiments: dict[int, tuple[str, bool]] = {0: ("Default", False)}
        self.numbers = 1

    def find(self, run_id: str) -> Known | None:
        found: Known | None = self.runs.get(run_id)
        return found

    def make(self, run_id: str, experiment: int, **fields: Any) -> type[StepwellError] | None:
        if experiment not in self.experiments:
            return NotFound
        if self.experiments[experiment][1]:
            return Conflict
        if run_id in self.runs:
            return AlreadyExists
        self.runs[run_id] = Known(experiment=experiment, **fields)
        return None

    def _apply(self, write: RunWrite) -> type[StepwellError] | None:
        refused = super()._apply(write)
        if refused is None and write.lifecycle is not None:
            self.runs[write.run_id].deleted_at = write.at
        return refused

    def change(self, write: RunWrite) -> type[StepwellError] | None:
        """One write, whole or not at all."""
        made = write.make is not None and write.run_id not in self.runs
        if made and write.make is not None:
            new = write.make
            refused = self.make(new.id, new.experiment_id, name=new.name, status=new.status, start_time=new.start_time)
            if refused is not None:
                return refused
        refused = self.write([replaced(write)])
        if refused is not None:
            if made:
                del self.runs[write.run_id]
            return refused
        run = self.runs[write.run_id]
        for name in write.clear_tags:
            if name not in write.set_tags:
                run.tags.pop(name, None)
        run.info |= write.set_custom_info
        for name in ("name", "status", "start_time", "end_time"):
            if getattr(write, name) is not None:
                setattr(run, name, getattr(write, name))
        run.records |= {record.id: record.body for record in write.records}
        return None

    def expire_in(self, experiment: int, kept: Kept) -> int:
        """Forget points of an experiment that are not to be kept; how many."""
        others = {name: run for name, run in self.runs.items() if run.experiment != experiment}
        self.runs, every = {name: run for name, run in self.runs.items() if name not in others}, self.runs
        try:
            return self.expire(kept)
        finally:
            self.runs = every

    def values(self, run_id: str) -> RowValues:
        """See Model; the attributes too."""
        run = self.runs[run_id]
        return replace(
            super().values(run_id),
            attributes={
                "run_id": run_id,
                "run_name": run.name,
                "user_id": "",
                "status": run.status.value,
                "artifact_uri": "",
                "start_time": run.start_time,
                "end_time": run.end_time,
            },
        )


def replaced(write: RunWrite) -> RunWrite:
    """A write as the model of points knows it: what it leaves out must still count as a change."""
    others = RunWrite(run_id=write.run_id, lifecycle=write.lifecycle, repeats=write.repeats, at=write.at)
    plain = replace(write, make=None)
    known = ("params", "set_tags", "remove_tags", "points")
    told = replace(others, **{name: getattr(plain, name) for name in known})
    return told if plain == others or told != others else replace(told, name="changed")


fields = st.one_of(
    st.builds(
        Field,
        kind=st.just(Kind.METRIC),
        key=st.sampled_from(METRICS[:2]),
        aggregate=st.sampled_from(list(Aggregate)[:3]),
    ),
    st.builds(Field, kind=st.just(Kind.METRIC), key=st.sampled_from(METRICS), aggregate=st.just(Aggregate.COUNT)),
    st.builds(Field, kind=st.sampled_from([Kind.PARAM, Kind.TAG]), key=st.sampled_from(NAMES)),
    st.builds(
        Field,
        kind=st.just(Kind.ATTRIBUTE),
        key=st.sampled_from(["run_id", "run_name", "status", "start_time", "end_time"]),
    ),
)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    found = draw(fields)
    op = draw(st.sampled_from(sorted(RUNS.ops(found) - {Op.LIKE, Op.ILIKE, Op.IN, Op.NOT_IN})))
    if op in {Op.IS_NULL, Op.IS_NOT_NULL}:
        return Comparison(field=found, op=op, value=None)
    if found.kind is Kind.METRIC or RUNS.is_numeric(found):
        value: Any = draw(st.sampled_from([0.0, 1.0, 2.5, -1.0, 3.0]))
    else:
        value = draw(st.sampled_from([*TEXTS, *IDS, "RUNNING", "FINISHED"]))
    return Comparison(field=found, op=op, value=value)


searches = st.builds(
    RunQuery,
    experiment_ids=st.none() | st.lists(numbers, max_size=2, unique=True).map(tuple),
    filter=st.lists(comparisons(), max_size=2).map(tuple),
    order=st.lists(
        st.builds(OrderBy, field=fields, descending=st.booleans()), max_size=2, unique_by=lambda by: by.field
    ).map(tuple),
    visibility=st.sampled_from(Visibility),
    limit=st.sampled_from(PAGES),
    columns=st.sampled_from([ALL_COLUMNS, Columns(metrics=("loss",)), Columns(last=True, custom_info=None)]),
)


@st.composite
def changes(draw: st.DrawFn) -> RunWrite:
    """Anything that a request may change."""
    run_id = draw(run_ids)
    make = new_run(run_id, experiment_id=draw(numbers)) if draw(st.booleans()) else None
    records = draw(st.dictionaries(st.sampled_from("12"), st.sampled_from(["{}", "[]"]), max_size=1))
    return RunWrite(
        run_id=run_id,
        make=make,
        points=draw(st.none() | batches()),
        params=draw(texts),
        set_tags=draw(texts),
        clear_tags=tuple(draw(st.sets(st.sampled_from(NAMES), max_size=1))),
        set_custom_info=draw(texts),
        name=draw(st.none() | st.sampled_from(TEXTS)),
        status=draw(st.none() | st.sampled_from(Status)),
        start_time=draw(times),
        end_time=draw(times),
        lifecycle=draw(lifecycles),
        records=tuple(
            Record(kind="k", id=f"{run_id}/{name}", body=body, parent=run_id, created_at=1, updated_at=1)
            for name, body in records.items()
        ),
        at=NOW + draw(st.integers(0, 3)),
    )


class CatalogMachine(TightMachine):
    """The rules of points come along; these are asked beside them."""

    model: Catalog

    def __init__(self) -> None:
        super().__init__()
        self.model = Catalog()
        self.copies = 0

    @initialize(some=st.sets(run_ids, min_size=1))
    def begin(self, some: set[str]) -> None:
        for run_id in sorted(some):
            self.create_in(run_id, 0, {}, {}, None)

    # Writing ----------------------------------------------------------------------------------------------------------

    def create(self, run_id: str, params: dict[str, str], tags: dict[str, str]) -> None:
        self.create_in(run_id, 0, params, tags, None)

    @rule(run_id=run_ids, experiment=numbers, params=texts, tags=texts, start=times)
    def create_in(
        self, run_id: str, experiment: int, params: dict[str, str], tags: dict[str, str], start: int | None
    ) -> None:
        told = {"params": dict(params), "tags": dict(tags), "start_time": start}
        refused = self.model.make(run_id, experiment, name=run_id, status=Status.RUNNING, **told)
        new = new_run(run_id, experiment_id=experiment, **told)
        assert outcome(lambda: self.store.create_runs(workspace=W, new=[new])) is refused

    @rule(write=changes())
    def change(self, write: RunWrite) -> None:
        refused = self.model.change(write)
        assert outcome(lambda: self.store.write(workspace=W, writes=[write]).result()) is refused

    @rule(name=st.sampled_from(["e", "f"]))
    def create_experiment(self, name: str) -> None:
        taken = any(name == known for known, _ in self.model.experiments.values())
        new = NewExperiment(name=name, at=NOW)
        assert outcome(lambda: self.store.create_experiment(workspace=W, new=new)) is (AlreadyExists if taken else None)
        if not taken:
            assert self.store.get_experiment(workspace=W, name=name).id == self.model.numbers, "never used again"
            self.model.experiments[self.model.numbers] = (name, False)
            self.model.numbers += 1

    @rule(number=numbers, lifecycle=st.sampled_from(Lifecycle))
    def mark_experiment(self, number: int, lifecycle: Lifecycle) -> None:
        known = self.model.experiments.get(number)
        deleted = lifecycle is Lifecycle.DELETED
        refused = NotFound if known is None else Conflict if known[1] is deleted else None
        write = ExperimentWrite(id=number, lifecycle=lifecycle, at=NOW)
        assert outcome(lambda: self.store.write_experiment(workspace=W, write=write)) is refused
        if known is not None and refused is None:
            self.model.experiments[number] = (known[0], deleted)
            for run in self.model.runs.values():
                if run.experiment == number:
                    if run.deleted is not deleted:
                        run.deleted_at = NOW
                    run.deleted = deleted

    @rule(number=numbers)
    def purge_experiment(self, number: int) -> None:
        used = any(run.experiment == number for run in self.model.runs.values())
        known = number in self.model.experiments
        refused = NotFound if not known else Conflict if used or number == 0 else None
        assert outcome(lambda: self.store.purge_experiment(workspace=W, id=number)) is refused
        if refused is None:
            del self.model.experiments[number]

    @rule(experiment=numbers, since=st.none() | st.integers(-1, 4), latest=st.none() | st.integers(1, 12))
    def expire(self, experiment: int, since: int | None, latest: int | None) -> None:
        kept = Kept(since=since, latest=latest)
        gone = self.model.expire_in(experiment, kept)
        self.store.flush()
        for dry in (True, False):
            steps = self.store.expire_points(workspace=W, experiment_id=experiment, kept=kept, dry=dry)
            assert sum(step.points for step in steps) == gone

    @rule(run_id=run_ids, stream=st.sampled_from(["out", "err"]), number=st.integers(0, 3), text=st.sampled_from(TEXTS))
    def append_line(self, run_id: str, stream: str, number: int, text: str) -> None:
        run = self.model.find(run_id)
        line = LogLine(stream=stream, line=number, time=1, text=text)
        refused = NotFound if run is None else Conflict if run.deleted else None
        assert outcome(lambda: self.store.append_lines(workspace=W, run_id=run_id, lines=[line])) is refused
        if run is not None and refused is None:
            run.lines[stream, number] = text

    @rule(run_id=run_ids, path=st.sampled_from(["f", "d/f"]), content=st.sampled_from([b"", b"x" * 10]))
    def store_file(self, run_id: str, path: str, content: bytes) -> None:
        def put() -> None:
            writer = self.store.open_blob(workspace=W, owner=run_id, path=path, at=NOW)
            writer.write(content)
            writer.commit()

        run = self.model.find(run_id)
        assert outcome(put) is (NotFound if run is None else None)
        if run is not None:
            run.files[path] = content

    @rule(room=st.integers(0, 20), batch=batches(), run_id=run_ids)
    def write_within_a_quota(self, room: int, batch: PointBatch, run_id: str) -> None:
        """What is there, and so much more: whether a request fits, what it repeats not counting."""
        before = sum(run.count for run in self.model.runs.values())
        self.store.put_bounds(workspace=W, experiment_id=None, values={"points": max(before + room, 1)})
        write = RunWrite(run_id=run_id, points=batch, at=NOW)
        run = self.model.find(run_id)
        fits = len(batch) <= max(before + room, 1) - before
        refused = NotFound if run is None else Conflict if run.deleted else None if fits else QuotaExceeded
        assert outcome(lambda: self.store.write(workspace=W, writes=[write]).result()) is refused
        if refused is None:
            assert self.model.write([write]) is None
        self.store.put_bounds(workspace=W, experiment_id=None, values={"points": None})

    @rule(zipped=st.booleans())
    def go_on_in_a_copy(self, *, zipped: bool) -> None:
        """A backup, restored."""
        self.copies += 1
        folder = self.shelf.directory.parent
        copy = folder / f"copy-{self.copies}{'.zip' if zipped else ''}"
        list(self.store.backup(target=copy))
        self.store.close()
        shutil.rmtree(self.shelf.directory)
        list(restore_store(copy, self.shelf.directory))
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
        self.shelf.store = self.shelf.open(self.shelf.directory)

    # Asking -----------------------------------------------------------------------------------------------------------

    @rule(query=searches)
    def search_for(self, query: RunQuery) -> None:
        seen = {
            run_id: self.model.values(run_id)
            for run_id, run in self.model.runs.items()
            if (query.visibility is Visibility.ALL or run.deleted is (query.visibility is Visibility.DELETED))
            and (query.experiment_ids is None or run.experiment in query.experiment_ids)
        }
        kept = [row for row in seen.values() if compile_filter(query.filter)(row)]
        wanted = sort_rows(kept, complete_order(query.order, schema=RUNS), schema=RUNS)
        asked = {name: getattr(query, name) for name in ("experiment_ids", "filter", "order", "visibility", "columns")}
        found = search(self.store, page=query.limit, **asked)
        assert [row.run.id for row in found] == [row.attributes["run_id"] for row in wanted]
        assert self.store.count_runs(workspace=W, query=query) == len(wanted)
        for row in found:
            self._same(row, query.columns)

    @rule(columns=st.sampled_from([ALL_COLUMNS, Columns(metrics=("acc",), params=("x",), tags=()), Columns(last=True)]))
    def get(self, columns: Columns) -> None:
        found = self.store.get_runs(workspace=W, run_ids=[*IDS, "none"], columns=columns)
        assert [row is None for row in found] == [run_id not in self.model.runs for run_id in (*IDS, "none")]
        for row in found:
            if row is not None:
                self._same(row, columns)
        there = [row.run for row in found if row is not None]
        assert self.store.run_ids(workspace=W, keys=[run.key for run in there]) == [run.id for run in there]
        places = [(run.experiment_id, run.project_number) for run in there]
        assert self.store.run_ids_by_number(workspace=W, numbers=places) == [run.id for run in there]

    def _same(self, row: Any, columns: Columns) -> None:
        known = self.model.runs[row.run.id]
        assert (row.run.experiment_id, row.run.name, row.run.status) == (known.experiment, known.name, known.status)
        assert (row.run.start_time, row.run.end_time) == (known.start_time, known.end_time)
        assert (row.run.lifecycle is Lifecycle.DELETED) is known.deleted
        assert dict(row.params) == chosen(known.params, columns.params)
        assert dict(row.tags) == chosen(known.tags, columns.tags)
        assert dict(row.custom_info) == chosen(known.info, columns.custom_info)
        metrics = {metric for metric, _ in known.series if columns.metrics is None or metric in columns.metrics}
        points = {metric: sorted(known.points(metric, None)) for metric in metrics}
        if columns.last:
            found = zip(row.last.metrics, row.last.steps, row.last.times, map(value_key, row.last.values), strict=True)
            assert list(found) == [(metric, *points[metric][-1][:3]) for metric in sorted(metrics)]
            return
        assert set(row.metrics) == metrics
        for metric in metrics:
            assert_sums_up(row.metrics[metric], points[metric])

    @rule()
    def count(self) -> None:
        usage = self.store.usage(workspace=W)
        every = list(self.model.runs.values())
        assert usage.points == sum(run.count for run in every)
        assert usage.series == sum(len(run.series) for run in every)
        assert (usage.runs, usage.file_bytes) == (len(every), sum(len(b) for run in every for b in run.files.values()))

    @rule(experiment=numbers, contains=st.sampled_from(["", "O", "a", "zz"]))
    def names(self, experiment: int, contains: str) -> None:
        active = [run for run in self.model.runs.values() if not run.deleted]
        inside = [run for run in active if run.experiment == experiment]
        word = contains.lower()
        wanted = sorted({metric for run in inside for metric, _ in run.series if word in metric.lower()})
        asked: dict[str, Any] = {"workspace": W, "contains": contains, "limit": MOST}
        assert self.store.metric_names(experiment_id=experiment, **asked) == wanted
        some = self.store.metric_names(experiment_id=experiment, run_ids=["a", "b"], **asked)
        assert some == sorted(
            {
                metric
                for run_id in "ab"
                if (run := self.model.find(run_id)) in inside and run is not None
                for metric, _ in run.series
                if word in metric.lower()
            }
        )
        for kind, of in ((Kind.METRIC, metric_names), (Kind.PARAM, param_names), (Kind.TAG, tag_names)):
            for chosen_in, runs in ((None, active), ([experiment], inside)):
                found = self.store.names(kind=kind, experiment_ids=chosen_in, **asked)
                assert found == sorted({name for run in runs for name in of(run) if word in name.lower()})

    @rule(metric=st.sampled_from(METRICS))
    def some_summaries(self, metric: str) -> None:
        found = self.store.summaries(workspace=W, run_ids=IDS, metrics=[metric, "none"]).by_run()
        for run_id in IDS:
            points = self.model.points(Selector(run_id=run_id, metric=metric))
            assert set(found.get(run_id, {})) == ({metric} if points else set())
            if points:
                assert_sums_up(found[run_id][metric], points)
        for run_id in IDS:
            infos = self.store.list_series(workspace=W, run_id=run_id, prefixes=["resource/", "a"])
            run = self.model.find(run_id)
            names = [name for name in (run.series if run else ()) if name[0].startswith(("resource/", "a"))]
            assert [(info.metric, info.labels) for info in infos] == sorted(names)

    @rule(limit=st.sampled_from([1, 3, 7, 1000]))
    def whole_runs(self, limit: int) -> None:
        """Points of all series as they arrived, part by part."""
        for run_id in IDS:
            run = self.model.find(run_id)
            rows, after = [], None
            while True:
                (found,) = self.store.read_runs(
                    workspace=W, run_ids=[run_id], columns=ALL_COLUMNS, after=after, limit=limit
                )
                assert (found.row is None) is (run is None)
                assert len(found.points) <= limit
                keys = found.points.sort_columns(Order.KEY)[2]
                for at in range(len(found.points)):
                    name = found.series[int(found.which[at])]
                    rows.append((name, int(found.points.step[at]), int(found.points.time[at]), int(keys[at])))
                if len(found.points) < limit:
                    break
                after = int(found.points.arrival[-1])
            arrived = sorted(
                (point[4], name, point) for name, points in (run.series if run else {}).items() for point in points
            )
            assert rows == [(name, point[0], point[1], point[2]) for _, name, point in arrived]

    @rule()
    def belongings(self) -> None:
        records = self.store.records_of_runs(workspace=W, kinds=["k"], run_ids=IDS)
        for run_id in IDS:
            run = self.model.find(run_id)
            lines = self.store.read_lines(workspace=W, run_id=run_id, stream=None, after=None, limit=MOST).items
            told = {(line.stream, line.line): line.text for line in lines}
            assert told == (run.lines if run else {})
            assert list(told) == sorted(told)
            assert {each.id: each.body for each in records.get(run_id, [])} == (run.records if run else {})
            for path in ("f", "d/f"):
                content = read_file(self.store, run_id, path)
                assert content == (run.files.get(path) if run else None)

    @rule(experiment=numbers, before=st.integers(NOW, NOW + 4), purge=st.booleans())
    def deleted_runs(self, experiment: int, before: int, *, purge: bool) -> None:
        wanted = sorted(
            run_id
            for run_id, run in self.model.runs.items()
            if run.deleted and run.experiment == experiment and run.deleted_at < before
        )
        found: list[str] = []
        while page := self.store.runs_deleted_before(
            workspace=W, experiment_id=experiment, before=before, after=found[-1] if found else "", limit=2
        ):
            found += page
        assert found == wanted
        if purge:
            assert self.store.purge_runs(workspace=W, run_ids=found, deleted_before=before) == len(found)
            self.model.purge(found)


def metric_names(run: Known) -> list[str]:
    return [metric for metric, _ in run.series]


def param_names(run: Known) -> list[str]:
    return list(run.params)


def tag_names(run: Known) -> list[str]:
    return list(run.tags)


def chosen(known: dict[str, str], names: tuple[str, ...] | None) -> dict[str, str]:
    return {name: text for name, text in sorted(known.items()) if names is None or name in names}


def read_file(store: Store, run_id: str, path: str) -> bytes | None:
    try:
        reader = store.get_blob(workspace=W, owner=run_id, path=path)
    except NotFound:
        return None
    try:
        return b"".join(reader.chunks())
    finally:
        reader.close()


TestCatalog = CatalogMachine.TestCase

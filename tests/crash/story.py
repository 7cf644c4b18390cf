"""A caller's story: acts done to a store one after another, and the states through which they lead it.

The model is as plain as it can be, since it is what a store that lost its power is held against. One caller's acts take
effect in their order, so whatever was acknowledged, a store is in the state after some number of acts and in no other.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import ALL_COLUMNS, Repeats, RunWrite, Selector, Status
from stepwell.core.series import Labels, Order
from stepwell.core.store import Store
from stepwell.core.summary import Summary
from stepwell.storage.embedded import EmbeddedStore
from stores import NOW, Row, Told, W, batch_of, new_run, read_points, rows_told, search, told

Name: TypeAlias = tuple[str, Labels]
ALL = slice(None)
Series: TypeAlias = Mapping[Name, Sequence[Row]]


@dataclass(slots=True)
class RunState:
    """A run: its points by series in the order of arrival, and the rest of it."""

    points: dict[Name, list[Told]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    status: Status = Status.RUNNING


@dataclass(slots=True)
class State:
    """What one caller's runs and files are."""

    runs: dict[str, RunState] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)  # (owner, path) -> content


class Act(Protocol):
    """Something a caller does."""

    def do(self, store: EmbeddedStore) -> Future[None] | None:
        """Do it. Acknowledged by returning, or by the Future."""
        ...

    def change(self, state: State) -> None:
        """What it means."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """New runs; those that are there are left alone."""

    runs: tuple[str, ...]

    def do(self, store: EmbeddedStore) -> None:
        there = store.get_runs(workspace=W, run_ids=self.runs, columns=ALL_COLUMNS)
        new = [new_run(run) for run, row in zip(self.runs, there, strict=True) if row is None]
        if new:
            store.create_runs(workspace=W, new=new)

    def change(self, state: State) -> None:
        for run in self.runs:
            state.runs.setdefault(run, RunState())


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request to several runs. With a run that is not there, or another value of a param, nothing of it happens."""

    points: Mapping[str, Series]
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    status: Status | None = None
    append: bool = False

    def requests(self) -> list[RunWrite]:
        """As a store is told."""
        repeats = Repeats.APPEND if self.append else Repeats.RETRY
        return [
            RunWrite(
                run_id=run,
                points=batch_of(series),
                repeats=repeats,
                params=self.params,
                set_tags=self.tags,
                status=self.status,
                at=NOW,
            )
            for run, series in self.points.items()
        ]

    def do(self, store: EmbeddedStore) -> Future[None]:
        return store.write(workspace=W, writes=self.requests())

    def change(self, state: State) -> None:
        if any(run not in state.runs or self._clashes(state.runs[run]) for run in self.points):
            return
        for run, series in self.points.items():
            there = state.runs[run]
            there.params.update(self.params)
            there.tags.update(self.tags)
            there.status = self.status or there.status
            for name, rows in series.items():
                kept = there.points.setdefault(name, [])
                kept.extend(_new(rows_told(rows), kept, append=self.append))

    def _clashes(self, run: RunState) -> bool:
        return any(run.params.get(name, value) != value for name, value in self.params.items())


def _new(rows: Iterable[Told], there: Sequence[Told], *, append: bool) -> list[Told]:
    known, new = set(there), []
    for row in rows:
        if append or row not in known:
            new.append(row)
        known.add(row)
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A file, which may replace another. Without its run nothing happens."""

    owner: str
    path: str
    content: bytes

    def do(self, store: EmbeddedStore) -> None:
        try:
            writer = store.open_blob(workspace=W, owner=self.owner, path=self.path, at=NOW)
        except NotFound:
            return
        half = len(self.content) // 2
        try:
            writer.write(self.content[:half])
            writer.write(self.content[half:])
            writer.commit()
        finally:
            writer.abort()

    def change(self, state: State) -> None:
        if not self.owner or self.owner in state.runs:
            state.files[self.owner, self.path] = self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A file goes."""

    owner: str
    path: str

    def do(self, store: EmbeddedStore) -> None:
        store.delete_blobs(workspace=W, owner=self.owner, path=self.path)

    def change(self, state: State) -> None:
        state.files.pop((self.owner, self.path), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """Runs and all that is theirs go."""

    runs: tuple[str, ...]

    def do(self, store: EmbeddedStore) -> None:
        store.purge_runs(workspace=W, run_ids=self.runs)

    def change(self, state: State) -> None:
        for run in self.runs:
            state.runs.pop(run, None)
            state.files = {key: content for key, content in state.files.items() if key[0] != run}


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """Something that moves bytes and changes nothing that can be seen."""

    name: str

    def do(self, store: EmbeddedStore) -> None:
        {"flush": store.flush, "compact": store.compact, "empty the log": lambda: _empty_log(store)}.get(
            self.name, lambda: _copy_log_soon(store)
        )()

    def change(self, state: State) -> None:
        del state


def _empty_log(store: EmbeddedStore) -> None:
    background = store._background
    background._ask(background._checkpoints.truncate)


def _copy_log_soon(store: EmbeddedStore) -> None:
    """The next commit is followed by a checkpoint that waits for nobody."""
    store._checkpoints._due = 1


class Story:
    """The acts of one caller, and the state after each number of them."""

    def __init__(self, caller: str, acts: Sequence[Act]) -> None:
        self.caller = caller
        self.acts = tuple(acts)
        self.states = [State()]
        for act in acts:
            state = copy.deepcopy(self.states[-1])
            act.change(state)
            self.states.append(state)
        self.runs = sorted({run for state in self.states for run in state.runs})
        self.owners = sorted({owner for state in self.states for owner, _ in state.files})

    def tell(
        self, store: EmbeddedStore, *, mark: Callable[[object], None], part: slice = ALL, at_once: int = 1
    ) -> None:
        """Do a part of the acts, `mark` before each ("sent", caller, n) and on its acknowledgement ("done", caller, n).

        Up to `at_once` writes are under way at a time. A refusal (Conflict, NotFound) promises nothing.
        """
        waiting: list[Future[None]] = []
        for number, act in list(enumerate(self.acts))[part]:
            if not isinstance(act, Write | Remove):  # those queue up behind what is under way; a purge overtakes it
                _answers(waiting)
            mark(("sent", self.caller, number))
            future = act.do(store)
            if future is None:
                mark(("done", self.caller, number))
                continue

            def acknowledge(done: Future[None], number: int = number) -> None:
                if done.exception() is None:
                    mark(("done", self.caller, number))

            future.add_done_callback(acknowledge)
            waiting.append(future)
            _answers(waiting, left=at_once - 1)
        _answers(waiting)

    def possible(self, marks: Iterable[object]) -> list[State]:
        """The states that a store may be in that lost its power after these marks: no act lost that was
        acknowledged, none there that was not sent.
        """
        sent = done = -1
        for mark in marks:
            match mark:
                case ("sent", self.caller, int(number)):
                    sent = max(sent, number)
                case ("done", self.caller, int(number)):
                    done = max(done, number)
                case _:
                    pass
        return self.states[done + 1 : sent + 2]

    def seen(self, store: Store) -> State:
        """The state as the store shows it."""
        state = State()
        rows = store.get_runs(workspace=W, run_ids=self.runs, columns=ALL_COLUMNS)
        for run, row in zip(self.runs, rows, strict=True):
            if row is None:
                assert not store.list_series(workspace=W, run_id=run), f"series of the missing run {run}"
                continue
            points = {
                (info.metric, info.labels): series_of(store, run, (info.metric, info.labels), info.summary)
                for info in store.list_series(workspace=W, run_id=run)
            }
            state.runs[run] = RunState(points, dict(row.params), dict(row.tags), row.run.status)
        for owner in self.owners:
            state.files.update(files_of(store, owner))
        return state


def difference(found: State, right: State) -> str:
    """Where two states differ, in a few words."""
    for run in sorted({*found.runs, *right.runs}):
        one, other = found.runs.get(run), right.runs.get(run)
        if one is None or other is None:
            return f"run {run} is {'missing' if one is None else 'there'}"
        for name in {*one.points, *other.points}:
            rows, due = one.points.get(name, []), other.points.get(name, [])
            if rows != due:
                lost, extra = [r for r in due if r not in rows], [r for r in rows if r not in due]
                return f"run {run} {name}: {len(rows)} rows for {len(due)}, lost {lost[:3]}, too many {extra[:3]}"
        if one != other:
            return f"run {run}: {one.params} {one.tags} {one.status} for {other.params} {other.tags} {other.status}"
    files = [key for key in {*found.files, *right.files} if found.files.get(key) != right.files.get(key)]
    return f"files {files}"


def _answers(waiting: list[Future[None]], *, left: int = 0) -> None:
    """Wait for the oldest until so many are left."""
    while len(waiting) > left:
        with suppress(Conflict, NotFound):
            waiting.pop(0).result(60)


def series_of(store: Store, run: str, name: Name, summary: Summary) -> list[Told]:
    """The points of a series as they arrived, after every order and the summary have agreed about them."""
    which = Selector(run_id=run, metric=name[0], labels=name[1])
    arrived = read_points(store, which, order=Order.ARRIVAL, page=100)
    in_key_order = read_points(store, which, order=Order.KEY, page=100)
    rows = told(arrived)
    assert sorted(rows) == told(in_key_order)
    assert len(set(arrived.arrival.tolist())) == len(rows), f"an arrival number twice in {run} {name}"
    assert_summary(summary, Summary.of(in_key_order))
    return rows


def assert_summary(found: Summary, right: Summary) -> None:
    """Equal in every number but the last bits of mean and m2, which depend on the order of adding."""
    assert (found.count, found.finite_count, found.nan_count) == (right.count, right.finite_count, right.nan_count)
    assert (found.pos_inf_count, found.neg_inf_count) == (right.pos_inf_count, right.neg_inf_count)
    for name in ("first", "last", "min", "max"):
        assert repr(getattr(found, name)) == repr(getattr(right, name)), name  # NaN equals NaN, -0.0 not 0.0
    assert (found.min_time, found.max_time) == (right.min_time, right.max_time)
    assert found.repeated_steps >= right.repeated_steps
    scale = max(abs(right.min.value), abs(right.max.value))
    assert math.isclose(found.mean, right.mean, rel_tol=1e-9, abs_tol=1e-9 * scale) or not found.finite_count
    assert math.isclose(found.m2, right.m2, rel_tol=1e-6, abs_tol=1e-12 * scale * scale * right.count)


def files_of(store: Store, owner: str, folder: str = "") -> dict[tuple[str, str], bytes]:
    """All files of an owner with their contents."""
    found: dict[tuple[str, str], bytes] = {}
    for info in store.list_blobs(workspace=W, owner=owner, folder=folder):
        if info.size is None:
            found.update(files_of(store, owner, info.path))
            continue
        with closing(store.get_blob(workspace=W, owner=owner, path=info.path)) as reader:
            found[owner, info.path] = b"".join(reader.chunks())
    return found


def assert_sound(store: Store) -> None:
    """What holds in every state: nothing is damaged, searches agree with summaries."""
    assert not list(store.check())
    for row in search(store, columns=ALL_COLUMNS):
        run = row.run.id
        summaries = store.summaries(workspace=W, run_ids=[run]).by_run().get(run, {})
        assert {name: repr(s) for name, s in row.metrics.items()} == {name: repr(s) for name, s in summaries.items()}

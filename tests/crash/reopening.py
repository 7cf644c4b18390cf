"""Opening the store of a disk: the live one, and those that a power loss leaves; and what each of them must show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crash.powerloss import CrashImage, PowerLossDisk
from crash.story import State, Story, Write, assert_sound, difference
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.files import RealFiles, RealWriting
from stores import NOW, Row, Told, W, add, make_runs, read_points, rows_told, selector


class SparseFiles(RealFiles):
    """Real files whose held-back space is a hole: thousands of images must not fill the memory with it."""

    def create(self, name: str) -> RealWriting:
        made = super().create(name)
        if name != "reserve":
            return made
        with_hole = _Sparse(os.dup(made._open()))
        made.close()
        return with_hole


class _Sparse(RealWriting):
    def allocate(self, size: int) -> None:
        os.ftruncate(self._open(), size)


@contextmanager
def on_disk(disk: PowerLossDisk) -> Iterator[EmbeddedStore]:
    """The store of the live folder, closed at the end."""
    store = EmbeddedStore(disk.root, clock=lambda: NOW, files=disk.files, background=False)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def after_crash(folder: Path) -> Iterator[EmbeddedStore]:
    """The store of an image."""
    store = EmbeddedStore(folder, clock=lambda: NOW, files=SparseFiles(folder), background=False)
    try:
        yield store
    finally:
        store.close()


def marking(disk: PowerLossDisk, store: EmbeddedStore) -> Callable[[object], None]:
    """Marks with the store's arrival counter beside them."""

    def mark(value: object) -> None:
        disk.mark(value)
        disk.mark(("next arrival", store._writer.next_arrival))

    return mark


def checker(stories: Sequence[Story]) -> Callable[[CrashImage], None]:
    """A check for `disk.replay`: each caller finds a state that its acknowledgements allow, and can go on."""

    def check(image: CrashImage) -> None:
        with after_crash(image.path) as store:
            states = [seen(store, story, image.marks) for story in stories]
            assert_sound(store)
            used = max((mark[1] for mark in image.marks if mark[0] == "next arrival"), default=0)
            assert store._writer.next_arrival >= used, "arrival numbers would be used twice"
            send_again(store, stories, states)
            unchanged(store, stories, states, "sending again changed something")
            goes_on(store, used)
        with after_crash(image.path) as store:
            unchanged(store, stories, states, "the next opening shows another state")

    return check


def seen(store: EmbeddedStore, story: Story, marks: Sequence[object]) -> State:
    """The state of a story, which must be one that it may be in."""
    state, possible = story.seen(store), story.possible(marks)
    for number, one in enumerate(possible):
        if state == one:
            return state
        assert number < len(possible) - 1, f"{story.caller}: {difference(state, one)}"
    raise AssertionError(f"{story.caller}: no state is possible")


def unchanged(store: EmbeddedStore, stories: Sequence[Story], states: Sequence[State], trouble: str) -> None:
    for story, before in zip(stories, states, strict=True):
        state = story.seen(store)
        if state != before:
            raise AssertionError(f"{trouble}: {difference(state, before)}")


def send_again(store: EmbeddedStore, stories: Sequence[Story], states: Sequence[State]) -> None:
    """What a client does that heard nothing: all points of the runs that are there, once more."""
    for story, state in zip(stories, states, strict=True):
        for run, there in state.runs.items():
            stored = {name: set(rows) for name, rows in there.points.items()}
            for act in story.acts:
                if isinstance(act, Write) and run in act.points and not act.append:
                    sent = {name: _among(rows, stored.get(name, set())) for name, rows in act.points[run].items()}
                    again = {name: rows for name, rows in sent.items() if rows}
                    if again:
                        Write(points={run: again}).do(store).result(60)


def _among(rows: Sequence[Row], stored: set[Told]) -> list[Row]:
    return [row for row, one in zip(rows, rows_told(rows), strict=True) if one in stored]


def goes_on(store: EmbeddedStore, used: int) -> None:
    """New points are taken, seen, and numbered above all that were there; a flush and a check go well."""
    make_runs(store, "later")
    add(store, [(1, 1, 0.5), (2, 2, 0.25)], "later")
    store.flush()
    points = read_points(store, selector("later"))
    assert points.value.tolist() == [0.5, 0.25]
    assert int(points.arrival.min()) >= used
    assert not list(store.check())
    store.purge_runs(workspace=W, run_ids=["later"])

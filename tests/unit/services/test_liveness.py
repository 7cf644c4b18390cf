"""Runs that promised signs of life: who is found silent, when, and who is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.core.model import NO_COLUMNS, Lifecycle, Record, Run, RunWrite, Status
from stepwell.core.store import Store
from stepwell.services import liveness
from stepwell.services.liveness import NOTED_EVERY, SILENT_AFTER, SILENT_AFTER_NO_BEAT, Hearing
from stores import Shelf, W, change, make_runs, new_run

T0 = 1_700_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    shelf = Shelf(tmp_path / "shelf")
    yield shelf.store
    shelf.close()


def watched_run(store: Store, run_id: str = "w1", *, at: int = T0) -> None:
    write = RunWrite(
        run_id=run_id, make=new_run(run_id, start_time=at), records=(liveness.watched(run_id, at=at),), at=at
    )
    store.write(workspace=W, writes=(write,)).result()


def run_of(store: Store, run_id: str = "w1") -> Run:
    (row,) = store.get_runs(workspace=W, run_ids=(run_id,), columns=NO_COLUMNS)
    assert row is not None
    return row.run


def note(store: Store, at: int, *, beat: bool, run_id: str = "w1") -> None:
    liveness.note(store, workspace=W, run_id=run_id, now=at, beat=beat)


def fails(store: Store, at: int, *, since: int = T0) -> int:
    return liveness.fail_silent(store, now=at, since=since)


def test_a_run_that_never_gave_a_beat_has_half_an_hour(store: Store) -> None:
    watched_run(store)
    assert fails(store, T0 + SILENT_AFTER_NO_BEAT) == 0
    assert fails(store, T0 + SILENT_AFTER_NO_BEAT + 1) == 1
    run = run_of(store)
    assert (run.status, run.status_reason, run.end_time) == (Status.FAILED, liveness.REASON, T0)
    (event,) = store.read_events(workspace=W, run_id="w1")
    assert (event.kind, '"source": "monitor"' in event.detail) == ("status", True)
    assert fails(store, T0 + 10 * SILENT_AFTER_NO_BEAT) == 0


def test_a_run_that_gave_beats_has_two_minutes_and_a_half(store: Store) -> None:
    watched_run(store)
    last = T0 + 20 * SECOND
    for at in range(T0 + SECOND, last + 1, SECOND):
        note(store, at, beat=True)
    assert fails(store, last + SILENT_AFTER) == 0
    assert fails(store, last + SILENT_AFTER + NOTED_EVERY + 1) == 1
    end = run_of(store).end_time
    assert end is not None
    assert last - NOTED_EVERY <= end <= last


def test_whatever_is_written_is_a_sign(store: Store) -> None:
    watched_run(store)
    note(store, T0 + 10 * SECOND, beat=True)
    wrote = T0 + 120 * SECOND
    note(store, wrote, beat=False)
    assert fails(store, wrote + SILENT_AFTER) == 0
    assert fails(store, wrote + SILENT_AFTER + NOTED_EVERY + 1) == 1


def test_the_first_beat_counts_at_once(store: Store) -> None:
    watched_run(store)
    note(store, T0 + 1, beat=True)
    (record,) = store.get_records(workspace=W, kind=liveness.WATCH, ids=("w1",))
    assert record is not None
    assert liveness.signs_of(record).beat_at == T0 + 1


def test_beats_that_follow_closely_are_not_stored_each(store: Store) -> None:
    watched_run(store)
    commits = store.stats().counters["commits"]
    for second in range(100):
        note(store, T0 + second * SECOND, beat=True)
    assert store.stats().counters["commits"] - commits == 10


def test_nobody_is_blamed_for_silence_while_the_server_was_away(store: Store) -> None:
    watched_run(store)
    note(store, T0 + SECOND, beat=True)
    back = T0 + 3600 * SECOND
    assert fails(store, back + SILENT_AFTER, since=back) == 0
    assert fails(store, back + SILENT_AFTER + NOTED_EVERY + 1, since=back) == 1


def test_runs_that_nobody_watches_are_left_alone(store: Store) -> None:
    make_runs(store, "r2")
    note(store, T0, beat=True, run_id="r2")
    note(store, T0, beat=True, run_id="nobody")
    assert liveness.find(store, workspace=W, run_id="r2") is None
    assert fails(store, T0 + 10 * SILENT_AFTER_NO_BEAT) == 0
    assert run_of(store, "r2").status is Status.RUNNING


@pytest.mark.parametrize("status", [Status.FINISHED, Status.FAILED, Status.KILLED])
def test_a_run_that_is_over_is_watched_no_more(store: Store, status: Status) -> None:
    watched_run(store)
    change(store, "w1", status=status)
    assert fails(store, T0 + 10 * SILENT_AFTER_NO_BEAT) == 0
    assert run_of(store).status is status
    where = {"watched": "yes"}
    assert not store.find_records(workspace=W, kind=liveness.WATCH, where=where, after=None, limit=9).items
    note(store, T0 + 11 * SILENT_AFTER_NO_BEAT, beat=True)  # changes nothing
    assert not store.find_records(workspace=W, kind=liveness.WATCH, where=where, after=None, limit=9).items


def test_a_deleted_run_is_left_alone(store: Store) -> None:
    watched_run(store)
    change(store, "w1", lifecycle=Lifecycle.DELETED)
    assert fails(store, T0 + 10 * SILENT_AFTER_NO_BEAT) == 0
    assert run_of(store).status is Status.RUNNING


def test_a_run_that_ends_meanwhile_keeps_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watched_run(store)
    late = T0 + 10 * SILENT_AFTER_NO_BEAT
    judge = liveness._judge

    def ending(*args: Any) -> bool:
        record = liveness.find(store, workspace=W, run_id="w1")
        assert record is not None
        change(store, "w1", status=Status.FINISHED, records=(liveness.turned(record, on=False, at=late),))
        return judge(*args)

    monkeypatch.setattr(liveness, "_judge", ending)
    assert fails(store, late) == 0
    assert run_of(store).status is Status.FINISHED


def test_a_run_that_goes_on_is_watched_anew(store: Store) -> None:
    watched_run(store)
    note(store, T0 + SECOND, beat=True)
    assert fails(store, T0 + SILENT_AFTER_NO_BEAT) == 1
    record = liveness.find(store, workspace=W, run_id="w1")
    assert record is not None
    again = T0 + 5 * SILENT_AFTER_NO_BEAT
    change(store, "w1", status=Status.RUNNING, records=(liveness.turned(record, on=True, at=again),))
    assert fails(store, again + SILENT_AFTER_NO_BEAT) == 0
    assert fails(store, again + SILENT_AFTER_NO_BEAT + 1) == 1


def test_many_runs_in_many_workspaces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "_PAGE", 3)
    for number in range(8):
        watched_run(store, f"run{number}", at=T0 + number)
        note(store, T0 + 400 * SECOND, beat=True, run_id=f"run{number}") if number % 2 else None
    other = liveness.watched("x", at=T0)
    store.write(workspace="other", writes=(RunWrite(run_id="x", make=new_run("x"), records=(other,), at=T0),)).result()
    store.purge_runs(workspace=W, run_ids=("run0",))
    now = T0 + SILENT_AFTER_NO_BEAT + SECOND
    note(store, now, beat=True, run_id="run1")
    assert fails(store, now) == 3 + 3 + 1  # without a beat, with an old one, in the other workspace
    assert run_of(store, "run1").status is Status.RUNNING


def test_nobody_is_blamed_for_a_step_of_the_clock() -> None:
    now, counted = T0, 1_000.0
    hearing = Hearing(lambda: now, monotonic=lambda: counted)
    for _ in range(100):  # a clock that is a little fast is not one that was changed
        now, counted = now + 16 * SECOND, counted + 15.0
        assert hearing.since() == T0
    for step in (3_600 * SECOND, -7_200 * SECOND):
        now, counted = now + step + 15 * SECOND, counted + 15.0
        assert hearing.since() == now
        changed = now
        now, counted = now + 15 * SECOND, counted + 15.0
        assert hearing.since() == changed


def test_signs_are_noted_after_the_clock_was_put_back(store: Store) -> None:
    """Else the run would count as silent once it is put right."""
    watched_run(store)
    note(store, T0 + SECOND, beat=True)
    earlier = T0 - 3_600 * SECOND
    note(store, earlier, beat=True)
    assert liveness.signs_of(found(store)).beat_at == earlier
    assert liveness.signs_of(found(store)).seen_at == T0 + SECOND
    note(store, T0 + 2 * SECOND, beat=True)
    assert liveness.signs_of(found(store)).beat_at == T0 + 2 * SECOND


def found(store: Store) -> Record:
    (record,) = store.get_records(workspace=W, kind=liveness.WATCH, ids=("w1",))
    assert record is not None
    return record

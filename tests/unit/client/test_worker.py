"""From the queue to the spool."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stepwell.client import records
from stepwell.client import worker as worker_module
from stepwell.client.outbox import Item, Outbox, Place
from stepwell.client.problems import Problems
from stepwell.client.records import Note, Points, encode_note
from stepwell.client.spool import Spool
from stepwell.client.values import Pending
from stepwell.client.worker import Worker


@pytest.fixture
def problems() -> Problems:
    return Problems()


@pytest.fixture
def worker(tmp_path: Path, problems: Problems) -> Worker:
    return Worker(Spool(tmp_path, encode_note(Note("segment", {"version": 1}))), problems)


def written(folder: Path) -> list[Any]:
    """Notes, and (metric, step, time, value) of each point."""
    found: list[Any] = []
    for item in Outbox(folder).items(Place(0, 0), ended=True):
        assert isinstance(item, Item)
        if isinstance(item.record, Points):
            for group in item.record.groups:
                for one in group.series():
                    found += zip([one.metric] * len(one.steps), one.steps, one.times, one.values, strict=True)
        elif item.record.kind != "segment":
            found.append((item.record.kind, item.record.fields))
    return found


def ended(worker: Worker) -> bool:
    worker.stop()
    worker.join(time.monotonic() + 60)
    return worker.whole


def test_points_and_notes_keep_their_order(worker: Worker, tmp_path: Path) -> None:
    worker.start()
    worker.queue.extend([(10, 1, {"a": 1.0, "b": 2}), Note("change", {"x": 1}), (11, 2, {"a": 3.0})])
    assert worker.flush(60)
    assert worker.taken == 3
    assert written(tmp_path) == [
        ("a", 1, 10, 1.0),
        ("b", 1, 10, 2.0),
        ("change", {"x": 1}),
        ("a", 2, 11, 3.0),
    ]
    assert ended(worker)


def test_a_value_that_is_on_its_way_holds_nobody_up(worker: Worker, tmp_path: Path, problems: Problems) -> None:
    class Event:
        def __init__(self) -> None:
            self.reached = threading.Event()

        def query(self) -> bool:
            return self.reached.is_set()

        def synchronize(self) -> None:
            self.reached.set()

    class Tensor:
        def item(self) -> float:
            return 9.0

    worker.start()
    worker.queue.append((1, 1, {"late": Pending(Tensor(), Event()), "beside": 1.0}))
    worker.queue.append((2, 2, {"other": 2.0}))
    while worker.taken != 3 or len(written(tmp_path)) < 1:
        threading.Event().wait(0.01)
    assert written(tmp_path) == [("other", 2, 2, 2.0)]
    assert worker.flush(60)  # waits for it
    assert written(tmp_path)[1:] == [("late", 1, 1, 9.0), ("beside", 1, 1, 1.0)]
    assert ended(worker)
    assert problems.counts() == {}


def test_a_device_that_fails_costs_its_own_values_and_nobody_s_time(
    worker: Worker, tmp_path: Path, problems: Problems
) -> None:
    class Event:
        asked = 0

        def query(self) -> bool:
            self.asked += 1
            if self.asked == 1:
                return False
            raise RuntimeError("an illegal memory access")

        def synchronize(self) -> None:
            raise RuntimeError("an illegal memory access")

    class Tensor:
        def item(self) -> float:
            return 7.0  # what happened to be there

    worker.start()
    worker.queue.append((1, 1, {"first": Pending(Tensor(), Event()), "beside": 1.0}))
    assert worker.flush(20)
    worker.queue.extend([(2, 2, {"second": Pending(Tensor(), Event())}), (3, 3, {"beside": 3.0})])
    assert ended(worker)
    assert written(tmp_path) == [("beside", 1, 1, 1.0), ("beside", 3, 3, 3.0)]
    assert worker.lost == 0
    assert list(problems.counts()) == [
        f"{name}: its device has failed: RuntimeError: an illegal memory access" for name in ("first", "second")
    ]


def test_a_step_or_a_time_that_can_be_none_is_one_kind_of_problem(
    worker: Worker, tmp_path: Path, problems: Problems
) -> None:
    worker.queue.extend([(1.5, 1, {"a": 1.0}), (1, 2**63, {"a": 2.0}), (1, 3, {"a": 3.0})])  # type: ignore[list-item]
    worker.start()
    assert ended(worker)
    assert written(tmp_path) == [("a", 3, 1, 3.0)]
    assert problems.counts() == {"a step or a time is no integer of 64 bits": 2}


def test_a_row_of_very_many_values_goes_into_several_frames(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_FRAME_VALUES", 10)
    worker.queue.append((1, 1, {f"m{i}": float(i) for i in range(35)}))
    worker.start()
    assert ended(worker)
    assert sorted(written(tmp_path), key=lambda point: point[3]) == [(f"m{i}", 1, 1, float(i)) for i in range(35)]


def test_a_note_that_is_no_json_is_told(worker: Worker, tmp_path: Path, problems: Problems) -> None:
    worker.queue.append(Note("change", {"x": object()}))
    worker.queue.append(Note("change", {"x": 2}))
    worker.start()
    assert ended(worker)
    assert written(tmp_path) == [("change", {"x": 2})]
    assert len(problems.counts()) == 1


def test_a_flush_of_a_worker_that_has_ended_does_not_hang(worker: Worker) -> None:
    worker.start()
    assert ended(worker)
    assert not worker.flush(None)


def test_what_is_logged_while_a_run_is_closed_is_counted(worker: Worker, problems: Problems) -> None:
    worker.start()
    assert ended(worker)
    worker.queue.append((1, 1, {"a": 1.0, "b": 2.0}))
    ended(worker)
    assert worker.lost == 2
    assert sum(problems.counts().values()) == 2


def test_what_is_too_large_for_a_frame_is_split(
    worker: Worker, tmp_path: Path, problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FRAME_BYTES", 400)
    values = {f"{at}" + "\u5b57" * 20: float(at) for at in range(9)}
    texts = {f"p{at}": "x" * 100 for at in range(9)}
    worker.queue.extend([(1, 1, values), (2, 2, {"a": 1.0}), (3, 3, values)])
    worker.queue.append(Note("change", {"params": texts, "set_tags": dict(texts), "remove_tags": ["g"], "name": "n"}))
    worker.start()
    assert ended(worker)
    found = written(tmp_path)
    points = sorted(each for each in found if each[0] != "change")
    assert points == sorted([("a", 2, 2, 1.0), *((k, at, at, v) for at in (1, 3) for k, v in values.items())])
    assert records.together(fields for kind, fields in (each[:2] for each in found) if kind == "change") == {
        "params": texts,
        "set_tags": texts,
        "remove_tags": ["g"],
        "name": "n",
    }
    assert (problems.counts(), worker.lost) == ({}, 0)


def test_what_cannot_be_split_is_lost_with_the_limit(
    worker: Worker, tmp_path: Path, problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FRAME_BYTES", 400)
    worker.queue.extend([Note("event", {"event": {"text": "x" * 500}}), (1, 1, {"x" * 500: 1.0, "a": 1.0})])
    worker.queue.append(Note("change", {"params": {"long": "x" * 500, "b": "c"}}))
    worker.start()
    assert ended(worker)
    assert written(tmp_path) == [("a", 1, 1, 1.0), ("change", {"params": {"b": "c"}})]
    assert worker.lost == 3
    told = list(problems.counts())
    assert [each.split()[2] for each in told] == ["event", "points", "change"]
    assert all(each.endswith(" bytes in one piece; the limit is 400") for each in told)


def test_without_a_thread_its_work_is_done_where_somebody_waits(worker: Worker, tmp_path: Path) -> None:
    worker.queue.append((1, 1, {"a": 1.0}))
    assert worker.flush(None)
    assert written(tmp_path) == [("a", 1, 1, 1.0)]
    worker.queue.append((2, 2, {"a": 2.0}))
    assert worker.relieve()
    assert written(tmp_path)[1:] == [("a", 2, 2, 2.0)]
    worker.queue.append((3, 3, {"a": 3.0}))
    assert ended(worker)
    assert written(tmp_path)[2:] == [("a", 3, 3, 3.0)]

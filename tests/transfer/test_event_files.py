"""Event files byte by byte. Files that TensorBoard's own writers made: tests/contract/tensorboard."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.transfer.event_files import Damaged, Event, Scalar, encode, events, masked_crc, record
from transfer.conftest import Program, Stored

FIRST = record(encode(1_000_000, 0))


def read(data: bytes) -> tuple[list[Event], list[str]]:
    told: list[str] = []
    return list(events(BytesIO(data), told.append)), told


def point(step: int, value: float, *, tag: str = "loss", time_us: int = 2_000_000) -> bytes:
    return record(encode(time_us, step, tag=tag, value=value, first=True))


def test_the_checksum_is_crc32c() -> None:
    crc = (masked_crc(b"123456789") - 0xA282EAD8) & 0xFFFFFFFF
    assert (crc << 15 | crc >> 17) & 0xFFFFFFFF == 0xE3069283  # the check value of the CRC's catalogue


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 4_000_000_000_000_000),
    st.floats(allow_nan=False),
    st.text(min_size=1),
)
def test_a_value_is_read_as_it_was_written(step: int, time_us: int, value: float, tag: str) -> None:
    tag = tag.encode(errors="replace").decode()
    found, told = read(FIRST + point(step, value, tag=tag, time_us=time_us))
    scalar = Scalar(tag=tag, value=value, plugin="scalars")
    assert (found, told) == ([Event(time_us=1_000_000), Event(time_us=time_us, step=step, scalars=[scalar])], [])
    assert struct.pack("<d", found[1].scalars[0].value or 0.0) == struct.pack("<d", value or 0.0)


@given(st.integers(0, 200))
def test_half_a_record_at_the_end_is_one_that_is_being_written(cut: int) -> None:
    whole = FIRST + point(1, 0.5)
    found, told = read(whole + point(2, 0.25)[: -1 - cut])
    assert ([event.step for event in found], told) == ([0, 1], [])


def test_a_damaged_value_costs_itself_alone() -> None:
    data = bytearray(FIRST + point(1, 0.5) + point(2, 0.25))
    place = len(FIRST) + 30
    data[place] ^= 1
    found, told = read(bytes(data))
    assert [event.step for event in found] == [0, 2]
    assert told == [f"byte {len(FIRST)}: a record is damaged"]


def test_behind_a_damaged_length_nothing_can_be_found() -> None:
    data = bytearray(FIRST + point(1, 0.5))
    data[len(FIRST)] ^= 1
    with pytest.raises(Damaged, match=f"byte {len(FIRST)}: no record begins here"):
        read(bytes(data))


def write(folder: Path, name: str, *records: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"events.out.tfevents.{name}").write_bytes(b"".join([FIRST, *records]))


def test_each_folder_is_a_run_of_all_its_files(program: Program, stored: Stored, tmp_path: Path) -> None:
    board = tmp_path / uuid4().hex
    write(board / "a", "1", point(1, 0.5), point(2, float("nan"), time_us=3_000_000))
    write(board / "a", "2", point(2, float("-inf"), time_us=4_000_000), point(3, 1.0, tag="acc"))
    write(board / "b" / "c", "1", point(-1, -0.0))
    done = program("import", "tensorboard", board)
    assert (done.status, done.err) == (0, "")
    assert "2 runs with 3 series and 5 points" in done.out
    a, c = stored.runs(board.name)
    assert stored.points(a, "loss") == [(1, 2_000_000, 0.5), (2, 3_000_000, "NaN"), (2, 4_000_000, "-Infinity")]
    assert stored.points(a, "acc") == [(3, 2_000_000, 1.0)]
    assert stored.points(c, "loss") == [(-1, 2_000_000, 0.0)]
    run = stored.run(a)["run"]
    assert (run["name"], run["status"], run["start_time_us"], run["end_time_us"]) == (
        "a",
        "FINISHED",
        1_000_000,
        4_000_000,
    )


def test_what_a_training_adds_is_all_that_is_sent_wherever_the_folder_lies(
    program: Program, stored: Stored, tmp_path: Path
) -> None:
    name = uuid4().hex
    write(tmp_path / name / "a", name, point(1, 0.5))
    assert program("import", "tensorboard", tmp_path / name).status == 0
    before = [stored.run(run_id) for run_id in stored.runs(name)]
    again = program("import", "tensorboard", tmp_path / name)
    assert "0 runs are new, 0 changed; 1 points are on the server already\n0 points sent" in again.out
    assert [stored.run(run_id) for run_id in stored.runs(name)] == before
    write(tmp_path / "moved" / name / "a", name, point(1, 0.5), point(2, 0.25, time_us=9_000_000))
    moved = program("import", "tensorboard", tmp_path / "moved" / name)
    assert "0 runs are new, 1 changed; 1 points are on the server already\n1 points sent" in moved.out
    (run_id,) = stored.runs(name)
    assert stored.points(run_id, "loss") == [(1, 2_000_000, 0.5), (2, 9_000_000, 0.25)]
    assert stored.run(run_id)["run"]["end_time_us"] == 9_000_000


def test_damage_is_named_by_file_and_byte_and_the_rest_comes(program: Program, stored: Stored, tmp_path: Path) -> None:
    board = tmp_path / uuid4().hex
    write(board, board.name, point(1, 0.5))
    path = board / f"events.out.tfevents.{board.name}"
    path.write_bytes(path.read_bytes() + b"x" * 100)
    done = program("import", "tensorboard", board)
    assert done.status == 1
    place = len(FIRST) + len(point(1, 0.5))
    assert f"{path}, byte {place}: no record begins here; the rest of this file is left out" in done.err
    (run_id,) = stored.runs(board.name)
    assert stored.points(run_id, "loss") == [(1, 2_000_000, 0.5)]


def test_what_one_folder_has_wrong_costs_no_other(program: Program, stored: Stored, tmp_path: Path) -> None:
    experiment = uuid4().hex
    contents = {
        b"far": FIRST + point(1, 0.5) + point(2, 0.25, time_us=2**70) + point(3, 0.125),
        b"name \xff": FIRST + point(1, 0.5),
        b"unreadable": None,
        b"z": FIRST + point(1, 0.5),
    }
    for name, content in contents.items():
        path = tmp_path / "runs" / os.fsdecode(name) / "events.out.tfevents.1.x"
        path.parent.mkdir(parents=True)
        if content is None:
            path.symlink_to("/proc/self/mem")  # of which the first byte is an error
        else:
            path.write_bytes(content)
    done = program("import", "tensorboard", tmp_path / "runs", "--experiment", experiment)
    assert done.status == 1
    place = len(FIRST + point(1, 0.5))
    for told in (f"{place}: a record is damaged", "Input/output error", "name: half of a surrogate pair"):
        assert told in done.err
    found = {stored.run(run_id)["run"]["name"]: run_id for run_id in stored.runs(experiment)}
    assert stored.points(found["far"], "loss") == [(1, 2_000_000, 0.5), (3, 2_000_000, 0.125)]
    assert stored.points(found["z"], "loss") == [(1, 2_000_000, 0.5)]
    assert len(found) == 4


def test_a_folder_without_event_files_is_a_wrong_question(program: Program, tmp_path: Path) -> None:
    assert program("import", "tensorboard", tmp_path).status == 2
    assert program("import", "tensorboard", tmp_path / "none").status == 2

"""W&B's files byte by byte. Files that its own client made: tests/contract/wandb."""

from __future__ import annotations

import json
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.transfer import wandb
from stepwell.transfer.messages import field_of_bytes, varint
from stepwell.transfer.runs import Run, value_of
from stepwell.transfer.wandb_files import Ended, Values, decode, records
from transfer.conftest import Program, Stored

MAGIC = b":W&B\xe1\xbe\x00"
BLOCK = 32768
START = 1_767_225_600


def file_of(*messages: bytes) -> bytes:
    """The log as W&B writes it: records cut where blocks end."""
    data = bytearray(MAGIC)
    for message in messages:
        rest, first = message, True
        while first or rest:
            room = BLOCK - len(data) % BLOCK
            if room < 7:
                data += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            data += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    return bytes(data)


def number(at: int, value: int) -> bytes:
    return varint(at << 3) + varint(value & (2**64 - 1))


def text(at: int, value: str) -> bytes:
    return field_of_bytes(at, value.encode())


def items(values: dict[str, Any], *, at: int = 1) -> bytes:
    return b"".join(field_of_bytes(at, text(2, key) + text(16, json.dumps(value))) for key, value in values.items())


def moment(at: int, seconds: int) -> bytes:
    return field_of_bytes(at, number(1, seconds))


def began(id_: str = "abc", project: str = "p", config: bytes = b"", name: str = "named") -> bytes:
    told = text(1, id_) + text(3, project) + text(8, name) + moment(17, START)
    return field_of_bytes(17, told + (field_of_bytes(4, config) if config else b""))


def history(step: int, values: dict[str, Any]) -> bytes:
    return field_of_bytes(2, items({**values, "_step": step, "_timestamp": START + step + 0.25}))


def ended(code: int = 0) -> bytes:
    return field_of_bytes(18, number(1, code))


def found_in(folder: Path, *files: tuple[str, bytes]) -> tuple[list[Run], list[str]]:
    told: list[str] = []
    for name, data in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return list(wandb.read(folder, None, told.append, lambda *_: None)), told


def points(run: Run) -> dict[str, list[tuple[int, int, float]]]:
    return {
        name.metric: [(step, time_us, value_of(key)) for step, time_us, key in found]
        for name, found in run.series.items()
    }


@given(st.lists(st.integers(0, 3 * BLOCK), max_size=6))
def test_records_of_any_size_are_read_over_the_ends_of_blocks(sizes: list[int]) -> None:
    messages = [bytes([at + 1]) * size for at, size in enumerate(sizes)]
    told: list[str] = []
    assert (list(records(BytesIO(file_of(*messages)), told.append)), told) == (messages, [])


@given(st.lists(st.integers(0, BLOCK), min_size=1, max_size=4), st.data())
def test_what_is_cut_at_the_end_is_being_written(sizes: list[int], data: st.DataObject) -> None:
    messages = [bytes([at + 1]) * size for at, size in enumerate(sizes)]
    whole = file_of(*messages)
    cut = data.draw(st.integers(0, len(whole) - 1))
    told: list[str] = []
    found = list(records(BytesIO(whole[:cut]), told.append))
    assert (found, told) == (messages[: len(found)], [])
    assert len(found) < len(messages)


def test_damage_costs_the_rest_of_its_block() -> None:
    messages = [bytes([at + 1]) * 10_000 for at in range(8)]
    data = bytearray(file_of(*messages))
    data[len(MAGIC) + 7 + 50] ^= 1
    told: list[str] = []
    found = list(records(BytesIO(bytes(data)), told.append))
    assert found == messages[4:], "the fourth begins in the damaged block and goes on after it"
    assert told == ["byte 7: a record is damaged; the rest of its block is left out"]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_a_damaged_one(data: bytes) -> None:
    try:
        told = decode(data)
    except (ValueError, IndexError):
        return
    reading = wandb._Reading("id")
    if told is not None:
        try:
            reading.take(told)
        except OverflowError:
            return
    assert reading.run(None).id == "id"


@given(st.binary(max_size=2000))
def test_any_file_ends(data: bytes) -> None:
    told: list[str] = []
    assert sum(map(len, records(BytesIO(MAGIC + data), told.append))) <= len(data)


def test_what_a_run_tells(tmp_path: Path) -> None:
    config = items({"lr": 0.1, "net": {"deep": [1, 2], "off": {}}, "_wandb": {"x": 1}, "name": "ä"})
    change = field_of_bytes(5, items({"lr": 0.5}) + field_of_bytes(2, text(2, "net") + text(2, "off")))
    values = {"loss": 1, "nan": float("nan"), "word": "Infinity", "text": "x", "on": True, "net": {"w": -2.5}}
    picture = {"_type": "image-file", "size": 3}
    stats = field_of_bytes(7, moment(2, START + 3) + items({"gpu.0.gpu": 50.0}, at=3))
    summary = field_of_bytes(3, items({"loss": 7, "best": 0.25, "_runtime": 3}))
    data = file_of(
        began(config=config), change, history(0, {**values, "img": picture}), history(5, {"loss": 2}), stats, summary
    )
    (run,), told = found_in(tmp_path, ("offline-run-1/run-abc.wandb", data))
    assert told == []
    assert (run.name, run.experiment, run.status, run.end_time_us) == ("named", "p", "RUNNING", None)
    assert run.params == {"lr": "0.5", "net.deep": "[1, 2]", "name": "ä"}
    assert run.tags == {"wandb.id": "abc", "wandb.project": "p"}
    first, later = (0, START * 10**6 + 250_000), (5, (START + 5) * 10**6 + 250_000)
    nan = points(run).pop("nan")
    assert [str(value) for _, _, value in nan] == ["nan"]
    expected = {
        "loss": [(*first, 1.0), (*later, 2.0)],
        "word": [(*first, float("inf"))],
        "on": [(*first, 1.0)],
        "net.w": [(*first, -2.5)],
        "system/gpu.0.gpu": [((START + 3) * 1000, (START + 3) * 10**6, 50.0)],
    }
    assert {name: found for name, found in points(run).items() if name != "nan"} == expected
    (run,), _ = found_in(tmp_path, ("offline-run-1/run-abc.wandb", data + file_of(ended(1))[len(MAGIC) :]))
    assert (run.status, run.end_time_us) == ("FAILED", later[1])
    assert points(run)["best"] == [(*later, 0.25)], "what the summary alone has"


def test_values_in_fields_of_their_types() -> None:
    assert str(decode(history(0, {"a": -0.0}).replace(b"-0.0", b"-0  "))) == str(decode(history(0, {"a": -0.0})))
    typed = [
        text(1, "a") + varint(6 << 3 | 1) + struct.pack("<d", 0.5),
        text(1, "b") + number(5, 3),  # zigzag
        text(1, "c") + number(4, 1),
    ]
    told = decode(field_of_bytes(2, b"".join(field_of_bytes(1, each) for each in typed)))
    assert told == Values(kind="history", set=[(("a",), 0.5), (("b",), -2), (("c",), True)])
    assert decode(ended(3)) == Ended(code=3)


def test_a_run_that_was_resumed_is_one(tmp_path: Path) -> None:
    first = file_of(began(), history(0, {"loss": 1.0}), ended(1))
    second = file_of(began(), history(1, {"loss": 2.0}), ended())
    other = file_of(began(project="q"), history(0, {"loss": 3.0}), ended())
    runs, told = found_in(
        tmp_path,
        ("run-20260102_000000-abc/run-abc.wandb", second),
        ("offline-run-20260101_000000-abc/run-abc.wandb", first),
        ("run-20260103_000000-abc/run-abc.wandb", other),
    )
    assert told == []
    assert [(run.experiment, run.status, len(points(run)["loss"])) for run in runs] == [
        ("p", "FINISHED", 2),
        ("q", "FINISHED", 1),
    ]
    assert len({run.id for run in runs}) == 2


def test_it_comes_to_the_server_once(program: Program, stored: Stored, tmp_path: Path) -> None:
    experiment = uuid4().hex
    folder = tmp_path / "wandb" / "offline-run-1-abc"
    folder.mkdir(parents=True)
    data = file_of(began(project=experiment, id_=experiment[:8]), history(0, {"loss": 0.5}), history(1, {"loss": 0.25}))
    (folder / "run-abc.wandb").write_bytes(data)
    done = program("import", "wandb", tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "1 runs with 1 series and 2 points" in done.out
    (run_id,) = stored.runs(experiment)
    assert stored.run(run_id)["run"]["status"] == "RUNNING"
    assert [(step, value) for step, _, value in stored.points(run_id, "loss")] == [(0, 0.5), (1, 0.25)]
    (folder / "run-abc.wandb").write_bytes(data + file_of(history(2, {"loss": 0.125}), ended())[len(MAGIC) :])
    done = program("import", "wandb", folder)
    assert "0 runs are new, 1 changed; 2 points are on the server already\n1 points sent" in done.out
    assert stored.run(run_id)["run"]["status"] == "FINISHED"
    done = program("import", "wandb", folder / "run-abc.wandb")
    assert "0 runs are new, 0 changed; 3 points are on the server already\n0 points sent" in done.out


def test_a_file_that_cannot_be_read_costs_no_other(program: Program, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"run-{name}.wandb").symlink_to("/proc/self/mem")  # of which the first byte is an error
    done = program("import", "wandb", tmp_path)
    assert (done.status, done.err.count("Input/output error")) == (1, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "no files of W&B (run-*.wandb) are below it"), (b"hello there", "no file of W&B, or of a version")],
)
def test_what_is_not_wandbs_is_said(program: Program, tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "run-x.wandb").write_bytes(content)
    done = program("import", "wandb", tmp_path)
    assert done.status == (2 if content is None else 1)
    assert told in done.err
    assert program("import", "wandb", tmp_path / "none").status == 2

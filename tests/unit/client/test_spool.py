"""The spool's bytes: whatever becomes of them, a frame comes back whole or is named, and never another."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.client.outbox import Broken, Item, Outbox, Place, has_ended, machine
from stepwell.client.records import Note, encode_note
from stepwell.client.spool import FRAME_BYTES, MAGIC, Damage, Frame, Spool, pack, scan, segment_name

# Payloads that look like frames are the hard ones.
_any = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.builds(pack, st.binary(max_size=10), st.integers(0, 200)),
        st.just(MAGIC),
    ),
    max_size=8,
)


def segment(parts: list[bytes]) -> bytes:
    data = b""
    for part in parts:
        data += pack(part, len(data))
    return data


def deceives(parts: list[bytes]) -> bool:
    """Whether a payload is, at the very place where it lies, a frame itself. No spool can tell it from one when the
    head around it is gone; a text becomes that by no accident, only if it was made for its place.
    """
    whole, edges = segment(parts), [len(segment(parts[:number])) for number in range(len(parts) + 1)]
    inner = (end - len(part) for part, end in zip(parts, edges[1:], strict=True))
    return any(isinstance(each, Frame) and each.begin not in edges for at in inner for each in scan(whole[at:], at))


payloads = _any.filter(lambda parts: not deceives(parts))


def frames(data: bytes, base: int = 0) -> list[bytes]:
    return [found.payload for found in scan(data, base) if isinstance(found, Frame)]


def covers(data: bytes) -> None:
    """Every byte is in one thing, in order."""
    found = list(scan(data))
    edges = [0, *(each.end for each in found)]
    assert [each.begin for each in found] == edges[:-1]
    assert edges[-1] == len(data)


@given(payloads)
def test_what_is_written_is_read(parts: list[bytes]) -> None:
    assert frames(segment(parts)) == parts


@given(payloads, st.data())
def test_reading_may_begin_behind_any_frame(parts: list[bytes], data: st.DataObject) -> None:
    whole = segment(parts)
    begin = data.draw(st.integers(0, len(parts)))
    offset = len(segment(parts[:begin]))
    assert frames(whole[offset:], offset) == parts[begin:]


@given(payloads, st.data())
def test_a_torn_tail_is_named_and_costs_one_frame(parts: list[bytes], data: st.DataObject) -> None:
    whole = segment(parts)
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut]
    kept = [part for i, part in enumerate(parts) if len(segment(parts[: i + 1])) <= cut]
    assert frames(torn) == kept
    damage = [found for found in scan(torn) if isinstance(found, Damage)]
    rest = cut - len(segment(kept))
    assert damage == ([Damage(cut - rest, cut, tail=True)] if rest else [])


@given(payloads.filter(bool), st.data())
def test_flipped_bits_cost_what_they_hit_and_no_more(parts: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(segment(parts))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    edges = [0, *(len(segment(parts[: i + 1])) for i in range(len(parts)))]
    (hit,) = [i for i, (begin, end) in enumerate(pairwise(edges)) if begin <= place < end]
    assert frames(bytes(whole)) == parts[:hit] + parts[hit + 1 :]
    covers(bytes(whole))
    assert any(isinstance(f, Damage) and f.begin <= place < f.end for f in scan(bytes(whole)))


@given(payloads, st.binary(max_size=300), st.data())
def test_bytes_of_others_are_never_taken_for_frames(parts: list[bytes], junk: bytes, data: st.DataObject) -> None:
    whole = segment(parts)
    place = data.draw(st.integers(0, len(whole)))
    spoiled = whole[:place] + junk + whole[place + len(junk) :]
    covers(spoiled)
    found = iter(parts)
    assert all(any(payload == part for part in found) for payload in frames(spoiled))  # some of them, in order


def test_a_length_beyond_the_limit_is_no_frame() -> None:
    frame = pack(b"abc", 0)
    assert frames(frame[:4] + (FRAME_BYTES + 1).to_bytes(4, "little") + frame[8:]) == []


def note(number: int) -> bytes:
    return encode_note(Note("change", {"number": number}))


def numbers(outbox: Outbox, *, ended: bool = True) -> list[object]:
    return [
        item.record.fields["number"] if isinstance(item, Item) and isinstance(item.record, Note) else item
        for item in outbox.items(Place(0, 0), ended=ended)
        if not (isinstance(item, Item) and isinstance(item.record, Note) and item.record.kind == "segment")
    ]


HEAD = encode_note(Note("segment", {"version": 1, "run": "r", "host": "here", "pid": 1}))


def test_segments_follow_each_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a", HEAD, segment_bytes=200)
    for number in range(20):
        assert spool.append(note(number))
    assert spool.close()
    outbox = Outbox(tmp_path / "a")
    assert len(outbox.segments()) > 3
    assert numbers(outbox) == list(range(20))
    assert outbox.head()["run"] == "r"
    places = [item.after for item in outbox.items(Place(0, 0), ended=True)]
    assert places == sorted(places)
    for index, place in enumerate(places):
        outbox.mark(place)
        assert outbox.sent() == place
        assert [item.after for item in outbox.items(place, ended=True)] == places[index + 1 :]
    assert outbox.unsent_bytes() == 0
    outbox.drop_before(places[-1].segment)
    assert [number for number, _ in outbox.segments()] == [places[-1].segment]


def test_a_tail_of_a_living_process_is_waited_for(tmp_path: Path) -> None:
    spool = Spool(tmp_path, HEAD)
    spool.append(note(1))
    spool.close()
    path = tmp_path / segment_name(1)
    begin = path.stat().st_size
    with path.open("ab") as file:
        file.write(pack(note(2), begin)[:9])
    outbox = Outbox(tmp_path)
    assert numbers(outbox, ended=False) == [1]
    _, torn = numbers(outbox, ended=True)
    assert isinstance(torn, Broken)
    assert (torn.path, torn.begin, torn.end) == (path, begin, begin + 9)
    assert "unfinished" in str(torn)


def test_a_frame_that_makes_no_sense_is_named_and_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path, HEAD)
    for payload in (note(1), b"no json\n", b'{"kind":"points","groups":[[2,["a"]]]}\nshort', b"[]\n", note(2)):
        spool.append(payload)
    spool.close()
    first, *broken, last = numbers(Outbox(tmp_path))
    assert (first, last) == (1, 2)
    assert [type(each) for each in broken] == [Broken] * 3


def test_a_write_that_fails_in_the_middle_is_made_again_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, HEAD)
    assert spool.append(note(0))
    real, room = os.pwrite, [0, 7, 20]  # bytes that the next tries take

    def faulty(descriptor: int, data: bytes, offset: int) -> int:
        if room:
            real(descriptor, data[: room.pop(0)], offset)
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:10], offset)  # and never more than ten bytes at once

    monkeypatch.setattr(os, "pwrite", faulty)
    for number in range(1, 4):
        assert spool.append(note(number))
        assert spool.failure == "No space left on device"
        assert spool.held() == (1, [note(each) for each in range(1, number + 1)])
    assert spool.append(note(4))
    assert spool.append(note(5))
    assert spool.close()
    assert spool.failure == ""
    assert numbers(Outbox(tmp_path)) == list(range(6))


def test_a_folder_that_cannot_be_made_holds_everything_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool", HEAD)
    assert spool.append(note(1))
    assert spool.append(note(2))
    assert "file" in spool.failure
    assert not spool.close()
    assert spool.held() == (0, [note(1), note(2)])
    spool.let_go(0, 1)
    assert spool.held() == (1, [note(2)])
    (tmp_path / "file").unlink()
    assert spool.write()
    assert numbers(Outbox(tmp_path / "file" / "spool"), ended=False) == [2]
    spool.let_go(1, 1)  # written meanwhile: nothing is let go twice
    assert spool.append(note(3))
    assert spool.close()
    assert numbers(Outbox(tmp_path / "file" / "spool")) == [2, 3]


def test_what_is_larger_than_a_frame_is_refused(tmp_path: Path) -> None:
    assert not Spool(tmp_path, HEAD).append(bytes(FRAME_BYTES + 1))


def test_only_a_process_of_this_machine_that_is_gone_has_ended(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)

    def of(name: str, **fields: object) -> Outbox:
        spool = Spool(tmp_path / name, encode_note(Note("segment", {"version": 1, **fields})))
        spool.append(note(1))
        spool.close()
        return Outbox(tmp_path / name)

    assert machine()
    assert has_ended(of("gone", machine=machine(), pid=int(gone.stdout)))
    assert not has_ended(of("alive", machine=machine(), pid=os.getpid()))
    assert not has_ended(of("elsewhere", machine="another", pid=int(gone.stdout)))
    assert not has_ended(of("unknown"))

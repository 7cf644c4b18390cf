"""Contents in a bucket of a real object store: whole or not there, whatever goes away in the middle."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stepwell.core.errors import Busy, Invalid, NotFound, StepwellError
from stepwell.storage import warehouse
from stepwell.storage.warehouse import objects
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.holding import contents_of
from stepwell.storage.warehouse.objects import PART, Objects
from warehouse.buckets import SECRET, below, bucket_of, client, keys, make_bucket, swift, uploads
from warehouse.servers import Process, temporary_folder

NAME = "ab/0123"
BIG = random.Random(7).randbytes(2 * PART + 1_000)


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    with temporary_folder() as folder, swift(folder) as server:
        make_bucket(server)
        yield server


@pytest.fixture
def running(server: Process) -> Iterator[Process]:
    """For tests that end it: it runs again afterwards."""
    yield server
    server.kill()
    server.start()


@pytest.fixture
def place(server: Process, request: pytest.FixtureRequest) -> Bucket:
    """Empty, and this test's own."""
    return below(bucket_of(server), request.node.name)


@pytest.fixture
def contents(place: Bucket, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """What it is refused it does not try again: the store is here."""
    monkeypatch.setattr(objects, "ATTEMPTS", 1)
    return Objects(place)


def put(contents: Objects, content: bytes, *, name: str = NAME, step: int = 1 << 20) -> int:
    arriving = contents.begin(name)
    try:
        for start in range(0, len(content), step):
            arriving.write(content[start : start + step])
        return arriving.commit()
    finally:
        arriving.abort()


def read(contents: Objects, *, name: str = NAME, size: int = 300_000) -> bytes:
    with closing(contents.open(name)) as content:
        return b"".join(iter(lambda: content.read(size), b""))


@pytest.mark.parametrize("size", [0, PART - 1, PART, len(BIG)])
def test_a_content_is_what_was_written_of_whatever_size(contents: Objects, place: Bucket, size: int):
    assert put(contents, BIG[:size], step=777_777) == size
    assert read(contents) == BIG[:size]
    assert uploads(place) == []
    assert contents.remove([NAME]) == contents.remove([NAME, "ab/none"]) == []
    assert keys(place) == []
    with pytest.raises(NotFound):
        contents.open(NAME)


def test_one_chunk_may_be_more_than_a_part(contents: Objects):
    put(contents, BIG, step=len(BIG))
    assert read(contents) == BIG


def test_parts_of_a_long_upload_grow(contents: Objects, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(objects, "_GROWN", 1)
    put(contents, BIG * 2)
    assert read(contents) == BIG * 2


def test_an_upload_has_no_more_parts_than_a_store_takes(contents: Objects, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(objects, "PARTS", 1)
    with pytest.raises(StepwellError, match=f"more than {PART} bytes"):
        put(contents, BIG)


def test_what_is_not_committed_is_not_there(contents: Objects, place: Bucket):
    arriving = contents.begin(NAME)
    arriving.write(BIG)
    assert (len(uploads(place)), keys(place)) == (1, [])
    with pytest.raises(NotFound):
        contents.open(NAME)
    arriving.abort()
    arriving.abort()
    assert (uploads(place), keys(place)) == ([], [])
    with pytest.raises(Busy):
        arriving.commit()


def test_an_upload_that_takes_a_day_is_not_kept(contents: Objects, place: Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(objects, "LONGEST", -1)
    with pytest.raises(Busy, match="hours"):
        put(contents, BIG)
    assert (uploads(place), keys(place)) == ([], [])


def test_a_store_that_goes_away_in_the_middle_of_an_upload_keeps_nothing(
    running: Process, contents: Objects, place: Bucket
):
    arriving = contents.begin(NAME)
    arriving.write(BIG[: PART + 1])
    running.kill()
    with pytest.raises(Busy, match="does not answer"):
        arriving.write(BIG)
    arriving.abort()
    small = contents.begin("cd/1")
    small.write(b"small")  # nothing is sent yet
    with pytest.raises(Busy, match="does not answer"):
        small.commit()
    assert contents.remove(["ab/1", "ab/2"]) == ["ab/1", "ab/2"]
    with pytest.raises(Busy, match="does not answer"):
        contents.open(NAME)
    running.start()
    for each in (arriving, small):
        with pytest.raises(Busy, match="broken off"):
            each.write(BIG)
        with pytest.raises(Busy, match="broken off"):
            each.commit()
    assert keys(place) == []
    assert put(contents, BIG) == len(BIG)
    assert read(contents) == BIG


def test_who_reads_goes_on_when_the_store_is_back(running: Process, contents: Objects):
    put(contents, BIG)
    with closing(contents.open(NAME)) as content:
        begin = content.read(1_000)
        running.kill()
        running.start()
        assert begin + b"".join(iter(lambda: content.read(1_000_000), b"")) == BIG


def test_who_reads_is_told_when_the_store_stays_away(running: Process, contents: Objects):
    put(contents, BIG)
    with closing(contents.open(NAME)) as content:
        content.read(1_000)
        running.kill()
        with pytest.raises(Busy, match="does not answer"):
            list(iter(lambda: content.read(1_000_000), b""))


def test_a_content_that_is_another_one_now_is_not_read_on(running: Process, contents: Objects):
    put(contents, BIG)
    with closing(contents.open(NAME)) as content:
        content.read(1_000)
        running.kill()
        running.start()
        put(contents, BIG[::-1])
        with pytest.raises(Busy, match="412"):
            list(iter(lambda: content.read(1_000_000), b""))


def test_leftovers_are_old(contents: Objects, place: Bucket, monkeypatch: pytest.MonkeyPatch):
    for name in ("ab/1", "ab/2", "cd/3"):
        put(contents, b"x", name=name)
    put(Objects(below(place, "another")), b"x", name="ef/4")
    left = contents.begin("ab/5")
    left.write(BIG)
    assert [name for names in contents.leftovers() for name in names] == []
    assert len(uploads(place)) == 1
    monkeypatch.setattr(objects, "LEFT", timedelta(hours=-1))
    assert sorted(name for names in contents.leftovers() for name in names) == ["ab/1", "ab/2", "cd/3"]
    assert uploads(place) == []
    with pytest.raises(Busy):
        left.commit()


def test_a_bucket_is_reached_before_anything_is_kept(contents: Objects, place: Bucket, server: Process):
    contents.reach()
    assert keys(place) == []
    wrong = [
        (replace(place, secret="hidden"), "403, SignatureDoesNotMatch"),
        (replace(place, key="hidden"), "403, "),
        (replace(place, key="test:reader", secret="reading"), "403, AccessDenied"),
        (replace(place, name="another"), "404, NoSuchBucket"),
    ]
    for each, words in wrong:
        with pytest.raises(Invalid, match=words) as refused:
            Objects(each).reach()
        assert "hidden" not in refused.value.message
        assert f"s3://{each.name}/" in refused.value.message
        assert refused.value.field == "store"


def test_without_the_library_its_extra_is_named(place: Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(warehouse, "objects")
    monkeypatch.setitem(sys.modules, "stepwell.storage.warehouse.objects", None)
    with pytest.raises(Invalid, match=re.escape("stepwell[s3]")):
        contents_of(place, reach=True)


def test_a_bucket_that_is_not_reached_is_told(running: Process, contents: Objects):
    running.kill()
    with pytest.raises(Busy, match="does not answer"):
        contents.reach()


def test_credentials_come_from_the_environment_too(place: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    bare = replace(place, key="", secret="", region="")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Invalid, match="no credentials"):
        Objects(bare).reach()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test:tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    Objects(bare).reach()
    assert client(bare).list_buckets()["Buckets"]

"""Servers of one warehouse whose files are in a bucket, and what they answer while the object store is away."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import HOST, READY_WITHIN, Server, binary
from stepwell.storage.warehouse import Address, WarehouseStore, objects
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.objects import PART, Objects
from stores import NOW, RUN, W, make_runs
from warehouse.buckets import asked, bucket_of, keys, make_bucket, swift, uploads
from warehouse.making import make
from warehouse.servers import Process, temporary_folder

NATIVE = "/api/v1"
MLFLOW = "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts"
OURS = f"{NATIVE}/runs/r/artifacts"
BIG = bytes(range(256)) * (2 * PART // 256) + b"end"
LOSS = {"metric": "loss", "steps": [0], "values": [3.0], "times_us": [10]}


@pytest.fixture
def s3() -> Iterator[Process]:
    """An object store with a bucket."""
    with temporary_folder() as folder, swift(folder) as server:
        make_bucket(server)
        yield server


@pytest.fixture
def place(s3: Process) -> Bucket:
    return replace(bucket_of(s3), prefix="files/")


@pytest.fixture
def address(clickhouse_server: str, postgres_server: str, place: Bucket) -> Address:
    """A warehouse with nothing in it."""
    return make(clickhouse=clickhouse_server, postgres=postgres_server, files=place)


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str]:
    """Flags that name the servers' key."""
    path = tmp_path / "server.key"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    return "--key-file", str(path)


def good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


def away(answer: httpx.Response) -> Any:
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True), answer.text
    return answer.json()


def until(found: Any) -> None:
    end = time.monotonic() + READY_WITHIN
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def run(*arguments: str, at: Address) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary()), *arguments, "--store", at.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN,
    )


def send_half(server: Server, path: str, content: bytes, place: Bucket) -> None:
    """An upload that ends when a part of it has come to the bucket."""
    with socket.create_connection((HOST, server.port)) as one:
        head = f"PUT {path} HTTP/1.1\r\nHost: {HOST}:{server.port}\r\nContent-Length: {2 * len(content)}\r\n\r\n"
        one.sendall(head.encode() + content)
        until(lambda: uploads(place))


def test_two_servers_share_a_bucket(
    address: Address, place: Bucket, s3: Process, key: tuple[str, str], tmp_path: Path
) -> None:
    with ExitStack() as opened:
        servers = [
            opened.enter_context(Server(tmp_path / name, store=address.url, args=key)) for name in ("one", "two")
        ]
        one, two = (opened.enter_context(httpx.Client(base_url=each.url, timeout=120)) for each in servers)
        good(one.post(f"{NATIVE}/runs", json={"id": "r"}))
        for here, there in ((one, two), (two, one)):
            for content in (BIG, b"", b"replaced"):
                good(here.put(f"{MLFLOW}/model/a.bin", content=content))
                assert good(there.get(f"{OURS}/model/a.bin")).content == content
        assert len(keys(place)) == 1, "what was replaced is gone"
        good(two.put(f"{OURS}/b.txt", content=b"text"))
        send_half(servers[0], f"{MLFLOW}/cut.bin", BIG, place)
        until(lambda: not uploads(place))
        assert one.get(f"{MLFLOW}/cut.bin").status_code == two.get(f"{OURS}/cut.bin").status_code == 404
        assert good(one.get(OURS)).json()["path"] == ["b.txt", "model"]
        _while_it_is_away(one, two, s3)
        good(two.delete(f"{OURS}/model"))
        assert one.get(f"{MLFLOW}/model/a.bin").status_code == 404
        good(one.delete(f"{NATIVE}/runs/r", params={"purge": "true"}))
        assert keys(place) == []
        assert "Traceback" not in servers[0].log() + servers[1].log()


def _while_it_is_away(one: httpx.Client, two: httpx.Client, s3: Process) -> None:
    """Files are refused, each in its client's words, and nothing of them is there afterwards; the rest goes on."""
    s3.kill()
    assert away(one.put(f"{MLFLOW}/small", content=b"x"))["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert away(one.put(f"{MLFLOW}/big", content=BIG))["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert away(two.put(f"{OURS}/small", content=b"x"))["error"]["code"] == "busy"
    assert away(two.get(f"{OURS}/b.txt"))["error"]["code"] == "busy"
    assert away(two.get(f"{MLFLOW}/b.txt"))["error_code"] == "TEMPORARILY_UNAVAILABLE"
    good(two.post(f"{NATIVE}/runs/r/points", json={"series": [LOSS]}))
    assert [good(each.get("/readyz")).status_code for each in (one, two)] == [200, 200]
    s3.start()
    assert good(one.get(OURS)).json()["path"] == ["b.txt", "model"]
    assert good(one.get(f"{OURS}/b.txt")).content == b"text"
    good(two.put(f"{MLFLOW}/small", content=b"later"))
    assert good(one.get(f"{OURS}/small")).content == b"later"


def test_a_sweep_removes_what_no_row_names(address: Address, place: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = WarehouseStore(address, clock=lambda: NOW, background=False)
    with closing(store):
        make_runs(store, RUN)
        kept = store.open_blob(workspace=W, owner=RUN, path="kept", at=NOW)
        kept.write(b"kept")
        kept.commit()
        left = Objects(place).begin("ab/cd")
        left.write(b"left")
        left.commit()
        underway = store.open_blob(workspace=W, owner=RUN, path="underway", at=NOW)
        underway.write(b"underway")
        store.compact()
        assert len(keys(place)) == 2, "two days are not over"
        monkeypatch.setattr(objects, "LEFT", timedelta(hours=-1))
        store.compact()
        assert len(keys(place)) == 1
        underway.commit()
        for path in ("kept", "underway"):
            with closing(store.get_blob(workspace=W, owner=RUN, path=path)) as content:
                assert b"".join(content.chunks()) == path.encode()
        assert list(store.check()) == []


def test_a_directory_is_moved_into_a_bucket_and_checked(
    address: Address, place: Bucket, key: tuple[str, str], tmp_path: Path
) -> None:
    with Server(tmp_path / "data") as old, httpx.Client(base_url=old.url, timeout=120) as api:
        good(api.post(f"{NATIVE}/runs", json={"id": "r"}))
        good(api.post(f"{NATIVE}/runs/r/points", json={"series": [LOSS]}))
        for path, content in (("model/a.bin", BIG), ("b.txt", b"text"), ("empty", b"")):
            good(api.put(f"{MLFLOW}/{path}", content=content))
    moved = subprocess.run(
        [str(binary()), "migrate-store", "--from", str(tmp_path / "data"), "--to", address.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN,
    )
    assert (moved.returncode, moved.stdout.startswith("everything is in the warehouse")) == (0, True), moved.stderr
    assert (len(keys(place)), uploads(place)) == (3, [])
    with Server(tmp_path / "new", store=address.url, args=key) as new, httpx.Client(base_url=new.url) as api:
        assert good(api.get(f"{OURS}/model/a.bin")).content == BIG
        assert good(api.get(OURS)).json()["path"] == ["b.txt", "empty", "model"]
    assert run("check", at=address).returncode == 0
    damaged = max(asked(place).list_objects_v2(Bucket=place.name)["Contents"], key=lambda each: int(each["Size"]))
    asked(place).put_object(Bucket=place.name, Key=damaged["Key"], Body=b"other")
    checked = run("check", at=address)
    assert checked.returncode != 0
    assert "model/a.bin" in checked.stdout + checked.stderr


def test_a_server_starts_only_on_a_bucket_that_it_may_write_to(
    address: Address, place: Bucket, s3: Process, key: tuple[str, str], tmp_path: Path
) -> None:
    missing = ("--key-file", str(tmp_path / "none"))
    for changed, flags, words in (
        ({"secret": "hidden"}, key, "SignatureDoesNotMatch"),
        ({"name": "another"}, key, "NoSuchBucket"),
        ({}, (), "key_file must be the whole path"),
        ({}, missing, str(tmp_path / "none")),
    ):
        other = replace(address, files=replace(place, **changed))
        refused = run("serve", "--port", "0", *flags, at=other)
        told = refused.stdout + refused.stderr
        assert (refused.returncode != 0, words in told, "Traceback" in told) == (True, True, False), told
        assert "hidden" not in told
        assert "testing" not in told
    s3.kill()
    refused = run("serve", "--port", "0", *key, at=address)
    assert (refused.returncode != 0, "object store does not answer" in refused.stderr) == (True, True), refused.stderr
    assert run("credential", "list", at=address).returncode == 0, "commands that need no file go on"

"""An object store for tests: OpenStack Swift with its interface of S3, on a free port of loopback, in a folder that
goes with it. STEPWELL_TEST_S3_URL names a bucket of another to use instead, as the URL of a warehouse does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from serving import free_port
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.objects import Objects
from warehouse.servers import WITH_US, Process, temporary_folder

S3: Final = "STEPWELL_TEST_S3_URL"
ROOT: Final = Path(__file__).resolve().parent.parent.parent
PYTHON: Final = ROOT / ".cache" / "swift" / "bin" / "python"
SECRET: Final = "testing"


@contextmanager
def swift(folder: Path) -> Iterator[Process]:
    """A running Swift with no bucket in it."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    program = [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("swift_server.py"))]
    command = [*WITH_US, *program, str(folder / "swift"), str(port)]
    server = Process(command, port=port, log=folder / "swift.log", stop=signal.SIGTERM)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def bucket_of(server: Process, *, name: str = "stepwell", secret: str = SECRET) -> Bucket:
    """A bucket of a Swift, whether it is there or not."""
    endpoint = f"http://127.0.0.1:{server.port}"
    return Bucket(name=name, endpoint=endpoint, region="us-east-1", addressing="path", key="test:tester", secret=secret)


def make_bucket(server: Process) -> Bucket:
    """A new bucket."""
    place = bucket_of(server)
    client(place).create_bucket(Bucket=place.name)
    return place


@cache
def client(place: Bucket) -> Any:
    """What asks a store for what the program does not ask."""
    return Objects(place).client


def asked(place: Bucket) -> Any:
    """The same for all that lies in a bucket: a client takes its time to make."""
    return client(replace(place, prefix=""))


def keys(place: Bucket) -> list[str]:
    """What a bucket holds."""
    found = asked(place).list_objects_v2(Bucket=place.name, Prefix=place.prefix)
    return [each["Key"] for each in found.get("Contents", ())]


def uploads(place: Bucket) -> list[str]:
    """What is on its way into a bucket, in parts."""
    found = asked(place).list_multipart_uploads(Bucket=place.name, Prefix=place.prefix)
    return [each["Key"] for each in found.get("Uploads", ())]


def below(place: Bucket, prefix: str) -> Bucket:
    """A place of its own in a bucket."""
    return replace(place, prefix=f"{place.prefix}{prefix}/")


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket of a store that runs, or of one that is started."""
    given = os.environ.get(S3)
    if given:
        yield Bucket.of(given)
        return
    with temporary_folder() as folder, swift(folder) as server:
        yield make_bucket(server)

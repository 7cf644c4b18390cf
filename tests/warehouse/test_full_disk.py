"""The disk of a database is full, and is given room again: nothing is lost, and nobody is told what is not so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from disks import small_disk
from stepwell.storage.warehouse import Address
from warehouse.making import make
from warehouse.servers import clickhouse, postgres, temporary_folder
from warehouse.test_replicas import serving
from warehouse.test_server_faults import health, training, until, wait_for_more
from warehouse.trainers import Trainer, assert_whole
from warehouse.watching import watched

MIB = 2**20
FULL = 507  # Insufficient Storage
pytestmark = pytest.mark.slow


def fill(folder: Path) -> Path:
    """A file that leaves no room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(MIB // 4)):
            pass
    return ballast


def room(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def waiting(address: Address) -> int:
    with psycopg.connect(address.catalog) as connection:
        found = connection.execute("SELECT count(*) FROM journal WHERE moved_at IS NULL").fetchone()
        assert found is not None
        return int(found[0])


def test_clickhouse_has_no_room(postgres_server: str, tmp_path: Path) -> None:
    """Everything is taken meanwhile, and waits in PostgreSQL."""
    with ExitStack() as running:
        folder = running.enter_context(temporary_folder())
        place = running.enter_context(small_disk(folder / "disk", "64m"))
        house = running.enter_context(clickhouse(place / "clickhouse"))
        address = make(
            clickhouse=f"clickhouse://127.0.0.1:{house.port}", postgres=postgres_server, files=tmp_path / "files"
        )
        pair = running.enter_context(serving(address, tmp_path))
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            ballast = fill(place)
            until(lambda: '"move_failed"' in pair[0].log() + pair[1].log(), "a move that fails")
            wait_for_more(trainers)
            assert waiting(address) > 0
            assert [each for trainer in trainers for each in trainer.refusals] == []
            ballast.unlink()
            wait_for_more(trainers)
        until(lambda: waiting(address) == 0, "a move")
        assert_whole(ports, trainers)


@pytest.mark.long
def test_postgresql_has_no_room(clickhouse_server: str, tmp_path: Path) -> None:
    """Nothing is taken meanwhile, and whoever writes is told. PostgreSQL itself may end then: it is started again."""
    with ExitStack() as running:
        folder = running.enter_context(temporary_folder())
        place = running.enter_context(small_disk(folder / "disk", "400m"))
        catalog = running.enter_context(postgres(place / "postgres"))
        address = make(
            clickhouse=clickhouse_server,
            postgres=f"postgresql://postgres@127.0.0.1:{catalog.port}",
            files=tmp_path / "files",
        )
        pair = running.enter_context(serving(address, tmp_path))
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for _ in range(2):
                ballast = fill(place)
                refused(trainers)
                ballast.unlink()
                if catalog.ended():
                    catalog.start()
                until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "told as back")
                wait_for_more(trainers)
        for trainer in trainers:
            trainer.refusals = [each for each in trainer.refusals if each.status != FULL]
        assert_whole(ports, trainers)


def refused(trainers: Sequence[Trainer]) -> None:
    """Wait until each was told so."""
    before = [len(trainer.refusals) for trainer in trainers]
    until(
        lambda: all(any(a.status for a in t.refusals[b:]) for t, b in zip(trainers, before, strict=True)), "a refusal"
    )

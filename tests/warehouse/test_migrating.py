"""The next version comes: its tables are made while servers of this one take writes, and nothing of these is lost.

The next version is this program with one more migration, which waits in its middle for as long as the test wants.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from serving import READY_WITHIN, Server, binary
from stepwell.storage import migrate_store
from stepwell.storage.warehouse import Address, WarehouseStore
from stores import NOW, add, make_runs, read_points, selector
from warehouse.making import make
from warehouse.servers import wait_until
from warehouse.trainers import Trainer, assert_whole

GATE = 20_261_121  # an advisory lock
NEXT = 9_999
STATEMENTS = f"""
ALTER TABLE run ADD COLUMN seen bigint NOT NULL DEFAULT -1;
ALTER TABLE journal ADD COLUMN note text NOT NULL DEFAULT '';
SELECT pg_advisory_xact_lock({GATE});
UPDATE run SET seen = next_arrival;
CREATE INDEX run_by_seen ON run (seen);
"""
PROGRAM = f"""#!{sys.executable}
import sys
from stepwell.__main__ import main
from stepwell.storage.warehouse import migrations
known = migrations.known
migrations.known = lambda: {{**known(), {NEXT}: {STATEMENTS!r}}}
sys.exit(main())
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """`stepwell` of the next version."""
    file = tmp_path / "stepwell"
    file.write_text(PROGRAM)
    file.chmod(0o755)
    return file


@pytest.fixture
def catalog(store: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(Address.of(store).catalog, autocommit=True) as connection:
        yield connection


def migrate(program: Path, store: str) -> subprocess.Popen[str]:
    command = [str(program), "migrate", "--store", store]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def refusal(server: Server) -> str:
    """What a server says that does not start."""
    assert server.start(wait=False).wait() == 2
    return server.log()


def held_up(catalog: psycopg.Connection) -> int:
    """How many statements wait for locks of others."""
    found = catalog.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.slow
def test_writes_go_on_around_a_migration(
    store: str, program: Path, catalog: psycopg.Connection, tmp_path: Path
) -> None:
    with ExitStack() as running:
        old = running.enter_context(Server(tmp_path / "old", store=store))
        trainers = [Trainer([old.port], number) for number in range(2)]
        for trainer in trainers:
            trainer.start()
        wait_until(lambda: all(trainer.acknowledged for trainer in trainers))
        early = Server(tmp_path / "early", store=store, program=program)
        assert f"the catalog lacks the migrations [{NEXT}]: run `stepwell migrate` first" in refusal(early)
        catalog.execute(f"SELECT pg_advisory_lock({GATE})".encode())
        migrating = migrate(program, store)
        wait_until(lambda: held_up(catalog) >= 2)  # the migration in its middle, and a write before its tables
        before = [trainer.acknowledged for trainer in trainers]
        catalog.execute(f"SELECT pg_advisory_unlock({GATE})".encode())
        out, errors = migrating.communicate(timeout=READY_WITHIN)
        assert (migrating.returncode, errors) == (0, "")
        assert f"{NEXT}" in out
        wait_until(lambda: all(now.acknowledged > then for now, then in zip(trainers, before, strict=True)))
        new = running.enter_context(Server(tmp_path / "new", store=store, program=program))
        late = refusal(Server(tmp_path / "late", store=store))
        assert f"the catalog is newer than this program, which does not know [{NEXT}]" in late
        for trainer in trainers:
            trainer.end.set()
        for trainer in trainers:
            trainer.join(READY_WITHIN)
        assert_whole([old.port, new.port], trainers)
        seen = catalog.execute("SELECT count(*) FROM run WHERE seen > 0").fetchone()
        assert seen == (len(trainers),)


@pytest.mark.slow
def test_tables_of_the_first_version_are_brought_up_to_date(
    store: str, catalog: psycopg.Connection, tmp_path: Path
) -> None:
    """What they hold is served as before."""
    with Server(tmp_path / "server", store=store) as server:
        trainer = Trainer([server.port], 0)
        trainer.start()
        wait_until(lambda: trainer.acknowledged > 0)
        trainer.end.set()
        trainer.join(READY_WITHIN)
    catalog.execute("DROP TABLE cut, request_counts")  # all that came after it
    later = catalog.execute("DELETE FROM migration WHERE number > 1 RETURNING number").fetchall()
    numbers = sorted(number for (number,) in later)
    early = refusal(Server(tmp_path / "early", store=store))
    assert f"the catalog lacks the migrations {numbers}: run `stepwell migrate` first" in early
    migrating = migrate(binary(), store)
    assert migrating.communicate(timeout=READY_WITHIN)[1] == ""
    with Server(tmp_path / "new", store=store) as new:
        assert_whole([new.port], [trainer])


def test_a_warehouse_may_be_in_a_schema_of_its_own(
    clickhouse_server: str, postgres_server: str, tmp_path: Path
) -> None:
    """What the URL asks of PostgreSQL holds beside what we do."""
    made = make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path / "files", migrated=False)
    address = replace(made, catalog=f"{made.catalog}?options=-c%20search_path%3Dapart")
    with psycopg.connect(made.catalog, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA apart")
        migrate_store(address.url)
        found = connection.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('run', 'journal')")
        assert found.fetchall() == [("apart",)]
    with closing(WarehouseStore(Address.of(address.url), clock=lambda: NOW, background=False)) as store:
        make_runs(store, "r")
        add(store, [(1, 1, 1.0)], "r")
        store.flush()
        assert len(read_points(store, selector("r"))) == 1
        with store._database.snapshot() as one:
            assert one.execute("SHOW statement_timeout").fetchall() == [("2min",)]

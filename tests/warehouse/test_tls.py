"""ClickHouse behind TLS: whoever connects verifies it, with one server and with a cluster, and says why it does not."""

from __future__ import annotations

import logging
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from serving import binary
from stepwell.core.errors import Busy
from stepwell.storage.warehouse import Address, migrate
from stepwell.storage.warehouse.points import ClickHouse, PointTables
from warehouse.certificates import Paper, paper
from warehouse.clusters import cluster
from warehouse.servers import Process, clickhouse, free_port, temporary_folder
from warehouse.test_clusters import alone, some
from warehouse.test_replicas import serving
from warehouse.test_server_faults import training
from warehouse.trainers import assert_whole

pytestmark = pytest.mark.slow
SECRET = "p4ssw0rd"


@dataclass(frozen=True, kw_only=True)
class Secure:
    """A server with TLS at `port`, and without at that of the process."""

    process: Process
    port: int
    paper: Paper

    def url(self, database: str = "default", *, host: str = "localhost", trusted: Path | None = None) -> str:
        """`trusted`: whose certificates, else the right one's."""
        return f"clickhouses://{host}:{self.port}/{database}?ca_certs={trusted or self.paper.authority}"


@pytest.fixture(scope="module")
def secure() -> Iterator[Secure]:
    with temporary_folder() as folder:
        made, port = paper(folder / "paper"), free_port()
        with clickhouse(folder / "clickhouse", more=made.config(port)) as process:
            yield Secure(process=process, port=port, paper=made)


def asked(url: str) -> int:
    with closing(ClickHouse(url, size=1)) as server:
        return int(server.select("SELECT 1", {}, [np.int64])[0][0])


@pytest.fixture
def address(secure: Secure, postgres_server: str, tmp_path: Path) -> Address:
    """A warehouse with nothing in it."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    with alone(secure.process) as server:
        server.run(f"CREATE DATABASE {name}")
    made = Address(clickhouse=secure.url(name), catalog=f"{postgres_server}/{name}", files=tmp_path / "files")
    migrate(made)
    return made


def test_who_is_trusted_is_asked(secure: Secure) -> None:
    assert asked(secure.url()) == 1


def test_a_certificate_of_another_authority_is_refused(secure: Secure, tmp_path: Path) -> None:
    with pytest.raises(Busy, match="certificate verify failed"):
        asked(secure.url(trusted=paper(tmp_path).authority))


def test_without_ca_certs_the_system_s_are_trusted(
    secure: Secure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = secure.url().partition("?")[0]
    with pytest.raises(Busy, match="certificate verify failed"):
        asked(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.paper.authority))
    assert asked(url) == 1


def test_a_certificate_of_another_host_is_refused(secure: Secure) -> None:
    with pytest.raises(Busy, match="certificate verify failed: IP address mismatch"):
        asked(secure.url(host="127.0.0.1"))


def test_each_side_says_when_the_other_one_speaks_otherwise(secure: Secure) -> None:
    plain = f"clickhouses://localhost:{secure.process.port}/default?ca_certs={secure.paper.authority}"
    with pytest.raises(Busy, match=r"does not answer.*SSL"):
        asked(plain)
    with pytest.raises(Busy, match="does not answer"):
        asked(f"clickhouse://localhost:{secure.port}")


def test_no_secret_is_told(secure: Secure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (secure.url(), secure.url(host="127.0.0.1")):
        with pytest.raises(Exception) as refused:
            asked(url.replace("://", f"://somebody:{SECRET}@"))
        assert SECRET not in f"{refused.value!r} {refused.value.__cause__!r}"
    assert SECRET not in caplog.text


def test_servers_work_behind_it(address: Address, tmp_path: Path) -> None:
    with serving(address, tmp_path) as pair:
        with training(pair, 2) as trainers:
            pass
        assert_whole([server.port for server in pair], trainers)
    for command in ("migrate", "check"):
        done = stepwell(command, address)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("localhost", "127.0.0.1", "IP address mismatch"),
        ("ca.pem", "host.key", "cannot be used"),
        ("ca.pem", "none.pem", "No such file"),
        ("clickhouses:", "clickhouse:", "clickhouses:// alone"),
        ("ca_certs=", "verify=", "ca_certs=FILE"),
    ],
)
def test_commands_say_in_one_line_what_is_wrong(address: Address, before: str, after: str, word: str) -> None:
    wrong = address.clickhouse.replace(before, after)
    done = stepwell("check", Address(clickhouse=wrong, catalog=address.catalog, files=address.files))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert word in line


def stepwell(command: str, address: Address) -> subprocess.CompletedProcess[str]:
    words = [str(binary()), command, "--store", address.url]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_a_cluster_is_reached_by_it_alone() -> None:
    with temporary_folder() as folder, cluster(folder / "cluster", paper=paper(folder / "paper")) as ships:
        name = f"test_{uuid.uuid4().hex}"
        members = [each for shard in ships.replicas for each in shard]
        for each in members:
            with alone(each) as server:
                server.run(f"CREATE DATABASE {name}")
        with closing(ClickHouse(ships.url(name))) as server:
            tables = PointTables(server)
            assert tables.migrate()
            tables.insert(some(1, range(100)))
            assert tables.count() == 100
            assert server.settled("points")
            members[0].kill()
            assert tables.count() == 100

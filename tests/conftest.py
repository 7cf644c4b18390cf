"""What all tests share: a clean environment, no way out of this machine, hypothesis profiles, servers.

Loads without stepwell installed: the tests of real clients run in environments that hold the client alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from serving import ENGINE, Server
from warehouse.servers import CLICKHOUSE, POSTGRES, clickhouse_url, postgres_url

# A deadline would time the machine; data that is slow to make is a matter for whoever wrote the strategy.
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time: red means that the code has changed, not the dice.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
# Of the same examples the first few: what is broken for all of them is seen within a minute.
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10, stateful_step_count=25)
settings.register_profile("engine", settings.get_profile("ci"), max_examples=150)
settings.register_profile("long", settings.get_profile("dev"), max_examples=10_000, stateful_step_count=200)
settings.load_profile("dev")

HOSTS = ip_network("198.18.0.0/15")  # kept for tests: what tests/warehouse/hosts.py makes inside this machine
FOREIGN = ("STEPWELL_", "MLFLOW_")
# What the engines run on: those that a variable names, or those that are started.
DATABASES = (
    (CLICKHOUSE, {"warehouse", "tight warehouse", "bucket warehouse"}, clickhouse_url),
    (POSTGRES, {"warehouse", "tight warehouse", "bucket warehouse", "chdb"}, postgres_url),
)
KEPT = ("STEPWELL_BIN", "STEPWELL_TEST_")  # say what is under test


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--engine NAME`, more than once if wanted: the storage suite runs on these engines alone. With `warehouse` every
    server under test has a warehouse in the place of its directory."""
    parser.addoption("--engine", action="append", default=[], help="run the tests on this engine only")


def pytest_configure(config: pytest.Config) -> None:
    """Forgets what the shell says about servers, and keeps the tests on this machine. Starts the databases that the
    engines need, once for all processes of the tests."""
    for name in [name for name in os.environ if name.startswith(FOREIGN) and not name.startswith(KEPT)]:
        del os.environ[name]
    # A proxy of the shell's is for the world outside, not for servers under test.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    # Tests count what they logged; those of the agent ask for samples.
    os.environ["STEPWELL_SYSTEM"] = "0"
    sys.addaudithook(refuse_the_network)
    engines = config.getoption("--engine")
    if "warehouse" in engines:
        os.environ[ENGINE] = "warehouse"
    if not hasattr(config, "workerinput"):  # those of a worker are its controller's
        running = ExitStack()
        config.add_cleanup(running.close)
        for variable, names, url in DATABASES:
            if names & set(engines):
                os.environ[variable] = running.enter_context(url())


def refuse_the_network(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: a test may connect to this machine only, and to hosts that it made in it."""
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0]).partition("%")[0]
    if host != "localhost" and not ip_address(host).is_loopback and ip_address(host) not in HOSTS:
        msg = f"a test tried to connect to {host}"
        raise PermissionError(msg)  # like a network that is not there


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers: serve(*flags, env=..., data_dir=..., port=..., wait=...). What runs at the end must end well."""
    with ExitStack() as running:

        def start(*args: str, wait: bool = True, data_dir: Path = tmp_path / "data", **options: Any) -> Server:
            server = Server(data_dir, args=args, **options).start(wait=wait)
            return running.enter_context(server)

        yield start


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A server of this test's own, on an empty data directory."""
    return serve()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for many tests of a process; for tests that name things so that they do not meet."""
    with Server(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server

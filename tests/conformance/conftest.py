"""The stores that the suite runs on. A new engine is one more entry in `stores.ENGINES`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.store import Store
from stores import ENGINES, RUN, Shelf, make_runs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs a store runs on every engine asked for."""
    if "engine" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--engine")
        metafunc.parametrize("engine", asked or sorted(ENGINES), scope="session")


@pytest.fixture
def shelf(engine: str, tmp_path: Path) -> Iterator[Shelf]:
    """A new directory with an open store that moves nothing but when asked."""
    shelf = Shelf(tmp_path / "shelf", engine=engine)
    yield shelf
    shelf.close()


@pytest.fixture
def busy_shelf(engine: str, tmp_path: Path) -> Iterator[Shelf]:
    """The same with the engine's background work going on."""
    shelf = Shelf(tmp_path / "shelf", engine=engine, background=True)
    yield shelf
    shelf.close()


@pytest.fixture
def store(shelf: Shelf) -> Store:
    """A store with the run `RUN` in the workspace `W`, and nothing else."""
    make_runs(shelf.store, RUN)
    return shelf.store

"""The stores that the suite runs on. A new engine is one more entry in `stores.ENGINES`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.store import Store
from stores import ENGINES, RUN, USUAL, Shelf, make_runs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs a store runs on every engine asked for."""
    if "engine" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--engine") or USUAL
        needed = [need for mark in metafunc.definition.iter_markers("needs") for need in mark.args]
        metafunc.parametrize("engine", [_marked(engine, needed) for engine in asked], scope="session")


def _marked(engine: str, needed: list[str]) -> object:
    """The engine; with the reason where it has not what a test needs."""
    reasons = [ENGINES[engine].lacks[need] for need in needed if need in ENGINES[engine].lacks]
    return pytest.param(engine, marks=pytest.mark.xfail(reason="; ".join(reasons), run=False)) if reasons else engine


@pytest.fixture(scope="session")
def new_store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a closed store that holds nothing."""
    shelf = Shelf(tmp_path_factory.mktemp("new") / "shelf", engine=engine)
    shelf.store.close()
    yield shelf.directory
    ENGINES[engine].remove(shelf.directory)


@pytest.fixture
def shelf(engine: str, new_store: Path, tmp_path: Path) -> Iterator[Shelf]:
    """A new directory with an open store that moves nothing but when asked."""
    shelf = Shelf(tmp_path / "shelf", engine=engine, new=new_store)
    yield shelf
    shelf.close()


@pytest.fixture
def busy_shelf(engine: str, new_store: Path, tmp_path: Path) -> Iterator[Shelf]:
    """The same with the engine's background work going on."""
    shelf = Shelf(tmp_path / "shelf", engine=engine, background=True, new=new_store)
    yield shelf
    shelf.close()


@pytest.fixture
def store(shelf: Shelf) -> Store:
    """A store with the run `RUN` in the workspace `W`, and nothing else."""
    make_runs(shelf.store, RUN)
    return shelf.store

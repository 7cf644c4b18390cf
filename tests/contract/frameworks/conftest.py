"""Our own client beside PyTorch, Lightning and Hugging Face's Trainer: the integrations under the real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from serving import Server


@pytest.fixture(scope="session")
def stepwell() -> Any:
    """The client from this checkout; nothing of the server is here."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "src"))
    import stepwell

    return stepwell


@pytest.fixture(autouse=True)
def place(shared_server: Server, stepwell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a training writes to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEPWELL_URL", shared_server.url)
    monkeypatch.setenv("STEPWELL_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


class Found:
    """What the server has of a run."""

    def __init__(self, stepwell: Any, run_id: str) -> None:
        self._query = stepwell.query(runs=[run_id], frames="columns")

    @property
    def row(self) -> dict[str, Any]:
        """Its fields, params and all that is known of its metrics."""
        return {name: cells[0] for name, cells in self._query.runs(metrics="*").items()}

    def points(self, metric: str) -> list[tuple[int, float]]:
        """Step and value of each point of a metric."""
        found = self._query.points(metric)
        return list(zip(found["step"], found["value"], strict=True))


@pytest.fixture
def found(stepwell: Any) -> Any:
    """found(run_id): what the server has of it."""
    return lambda run_id: Found(stepwell, run_id)

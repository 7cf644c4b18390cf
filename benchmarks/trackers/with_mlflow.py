"""MLflow without a server: its client writes into an SQLite file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import mlflow
import work


class MLflow:
    """See work.Tracker."""

    def begin(self, folder: Path) -> None:  # noqa: D102
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.start_run()

    def log(self, values: Mapping[str, float], step: int) -> None:  # noqa: D102
        mlflow.log_metrics(dict(values), step=step)

    def end(self) -> None:  # noqa: D102
        mlflow.end_run()

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:  # noqa: D102
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        client = mlflow.MlflowClient()
        (run,) = client.search_runs(["0"])
        return ((each.step, each.value) for each in client.get_metric_history(run.info.run_id, metric))


if __name__ == "__main__":
    work.main(MLflow())

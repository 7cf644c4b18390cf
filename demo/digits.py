"""Trains classifiers on scikit-learn's digits, logs them with MLflow's own client, reads all of it back and compares.

Run it with `make demo`. MLFLOW_TRACKING_URI (or STEPWELL_URL) names the server. Nothing here knows Stepwell: it is the
program that a user of MLflow has. One step alone reads a series through Stepwell's native API as well, when
STEPWELL_URL is set. Exits with 1 when something read differs from what was logged.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
import numpy as np
from mlflow.entities import Metric
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

DIGITS = np.arange(10)
BATCH = 48
ACCURACY = "valid/accuracy"
TRIALS: tuple[dict[str, Any], ...] = (
    {"family": "mlp", "hidden": 16, "learning_rate": 0.001},
    {"family": "mlp", "hidden": 64, "learning_rate": 0.001},
    {"family": "mlp", "hidden": 64, "learning_rate": 0.01},
    {"family": "mlp", "hidden": 64, "learning_rate": 0.3},
    {"family": "sgd", "alpha": 0.0001, "learning_rate": 0.01},
    {"family": "sgd", "alpha": 0.1, "learning_rate": 0.01},
)

Point = tuple[int, int, float]  # step, milliseconds, value


@dataclass(slots=True, kw_only=True)
class Logged:
    """What one run has sent, and so what must come back."""

    run_id: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    confusion: dict[str, Any] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)

    def add(self, metric: str, point: Point) -> None:
        """Remember a point."""
        self.points.setdefault(metric, []).append(point)


class Differs(Exception):
    """Something that was read is not what was logged."""


def expect(found: object, wanted: object, what: str) -> None:
    """Raise Differs unless both are equal."""
    if found != wanted:
        raise Differs(f"{what}:\n  logged {wanted!r}\n  read   {found!r}")


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and validation images (64 numbers each) and their digits."""
    images, digits = load_digits(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(
        images, digits, test_size=0.25, random_state=7, stratify=digits
    )
    scaler = StandardScaler().fit(train_x)
    return scaler.transform(train_x), scaler.transform(valid_x), train_y, valid_y


def model_of(trial: dict[str, Any]) -> MLPClassifier | SGDClassifier:
    """A fresh classifier."""
    if trial["family"] == "mlp":
        return MLPClassifier(
            hidden_layer_sizes=(trial["hidden"],), learning_rate_init=trial["learning_rate"], random_state=1
        )
    return SGDClassifier(
        loss="log_loss", alpha=trial["alpha"], learning_rate="constant", eta0=trial["learning_rate"], random_state=1
    )


def batches(rows: int, epoch: int) -> Iterator[np.ndarray]:
    """The rows of each mini-batch of an epoch, shuffled, the same every time."""
    order = np.random.default_rng(epoch).permutation(rows)
    yield from (order[at : at + BATCH] for at in range(0, rows, BATCH))


def now_ms() -> int:
    """The time, as MLflow counts it."""
    return time.time_ns() // 1_000_000


def train(trial: dict[str, Any], *, experiment_id: str, epochs: int) -> Logged:
    """One training, logged while it goes: a loss for each mini-batch, losses and accuracies for each epoch."""
    train_x, valid_x, train_y, valid_y = data()
    model = model_of(trial)
    name = "-".join(str(value) for value in trial.values())
    tags = {"data": "digits", "stage": "demo"}
    with mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=tags) as run:
        log = Logged(run_id=run.info.run_id, name=name, params={k: str(v) for k, v in trial.items()}, tags=tags)
        mlflow.log_params(trial)
        step = 0
        for epoch in range(epochs):
            losses = []
            for rows in batches(len(train_x), epoch):
                model.partial_fit(train_x[rows], train_y[rows], classes=DIGITS)
                loss = float(log_loss(train_y[rows], model.predict_proba(train_x[rows]), labels=DIGITS))
                losses.append(Metric("train/batch_loss", loss, now_ms(), step))
                step += 1
            mlflow.MlflowClient().log_batch(log.run_id, metrics=losses)
            for metric in losses:
                log.add(metric.key, (metric.step, metric.timestamp, metric.value))
            values = {
                "train/loss": float(log_loss(train_y, model.predict_proba(train_x), labels=DIGITS)),
                "valid/loss": float(log_loss(valid_y, model.predict_proba(valid_x), labels=DIGITS)),
                "train/accuracy": float(accuracy_score(train_y, model.predict(train_x))),
                ACCURACY: float(accuracy_score(valid_y, model.predict(valid_x))),
            }
            at = now_ms()
            mlflow.log_metrics(values, step=epoch, timestamp=at)
            for metric_name, value in values.items():
                log.add(metric_name, (epoch, at, value))
        log.confusion = {"labels": DIGITS.tolist(), "rows": confusion_matrix(valid_y, model.predict(valid_x)).tolist()}
        mlflow.log_dict(log.confusion, "report/confusion.json")
        mlflow.set_tag("best_epoch", str(best_epoch(log)))
        log.tags["best_epoch"] = str(best_epoch(log))
    return log


def best_epoch(log: Logged) -> int:
    """The first epoch with the greatest accuracy on the validation images."""
    return max(log.points[ACCURACY], key=lambda point: (point[2], -point[0]))[0]


def check_run(client: mlflow.MlflowClient, log: Logged) -> int:
    """Compare a run with what it logged; how many points were compared."""
    run = client.get_run(log.run_id)
    expect(run.info.status, "FINISHED", f"status of {log.name}")
    expect(dict(run.data.params), log.params, f"params of {log.name}")
    expect({k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}, log.tags, f"tags of {log.name}")
    expect(set(run.data.metrics), set(log.points), f"metric names of {log.name}")
    for metric, points in log.points.items():
        history = client.get_metric_history(log.run_id, metric)
        found = [(m.step, m.timestamp, m.value) for m in history]
        expect(found, sorted(points, key=lambda p: (p[1], p[0], p[2])), f"history of {metric} of {log.name}")
        expect(run.data.metrics[metric], max(points)[2], f"latest {metric} of {log.name}")
    stored = Path(client.download_artifacts(log.run_id, "report/confusion.json")).read_text()
    expect(json.loads(stored), log.confusion, f"artifact of {log.name}")
    return sum(map(len, log.points.values()))


def check_searches(experiment_id: str, logs: list[Logged]) -> list[Logged]:
    """Compare searches with what Python finds in the same numbers; the runs ordered by accuracy."""

    def accuracy(log: Logged) -> float:
        return log.points[ACCURACY][-1][2]

    def ids(text: str, order: list[str]) -> list[str]:
        found = mlflow.search_runs([experiment_id], filter_string=text, order_by=order, output_format="list")
        return [run.info.run_id for run in found]

    ranked = sorted(logs, key=lambda log: (-accuracy(log), log.run_id))
    by_accuracy = [f"metrics.`{ACCURACY}` DESC", "attributes.run_id ASC"]
    expect(ids("", by_accuracy), [log.run_id for log in ranked], "runs by accuracy")
    for threshold in (0.5, 0.95, 0.98):
        text = f"params.family = 'mlp' AND metrics.`{ACCURACY}` > {threshold}"
        wanted = [log.run_id for log in ranked if log.params["family"] == "mlp" and accuracy(log) > threshold]
        expect(ids(text, by_accuracy), wanted, text)
    return ranked


def read_natively(url: str, log: Logged, metric: str) -> int:
    """Read a series through the native API and compare; how many points there were."""
    query = urllib.parse.urlencode({"metric": metric, "limit": 100_000})
    with urllib.request.urlopen(f"{url}/api/v1/runs/{log.run_id}/points?{query}") as answer:
        columns = json.load(answer)
    found = list(zip(columns["steps"], columns["times_us"], columns["values"], strict=True))
    expect(found, [(step, ms * 1000, value) for step, ms, value in sorted(log.points[metric])], f"{metric}, natively")
    return len(found)


def sparkline(values: list[float], width: int = 48) -> str:
    """A curve as text: the mean of each piece, on a logarithmic scale."""
    pieces = np.array_split(np.array(values), min(width, len(values)))
    heights = [math.log(max(float(piece.mean()), 1e-9)) for piece in pieces]
    low, high = min(heights), max(heights)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (h - low) / (high - low or 1))] for h in heights)


def show(ranked: list[Logged]) -> None:
    """A table of what was found, best run first."""
    print(f"\n{'run':<20} {'params':<42} {'first loss':>10} {'last loss':>10} {'accuracy':>9} {'best epoch':>10}")
    for log in ranked:
        losses = [value for _, _, value in log.points["valid/loss"]]
        params = " ".join(f"{k}={v}" for k, v in log.params.items())
        accuracy = log.points[ACCURACY][-1][2]
        print(
            f"{log.name:<20} {params:<42} {losses[0]:>10.4f} {losses[-1]:>10.4f} {accuracy:>9.2%} {best_epoch(log):>10}"
        )
    print("\nloss of each mini-batch, from the first to the last:")
    for log in ranked:
        print(f"{log.name:<20} {sparkline([value for _, _, value in log.points['train/batch_loss']])}")


def main() -> int:
    """Train, log, read back, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    url = os.environ.get("STEPWELL_URL", "").rstrip("/")
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or url or "http://127.0.0.1:8585")
    print(f"MLflow client {mlflow.__version__}, server {mlflow.get_tracking_uri()}")
    experiment_id = mlflow.create_experiment(f"digits {time.strftime('%Y-%m-%d %H:%M:%S')}.{now_ms() % 1000:03}")

    began = time.perf_counter()
    logs = [train(trial, experiment_id=experiment_id, epochs=args.epochs) for trial in TRIALS]
    print(f"trained and logged {len(logs)} runs of {args.epochs} epochs in {time.perf_counter() - began:.1f} s")
    try:
        client = mlflow.MlflowClient()
        points = sum(check_run(client, log) for log in logs)
        ranked = check_searches(experiment_id, logs)
        print(f"read back and equal: {points} points, params, tags and a file of each run, 4 searches")
        if url:
            count = read_natively(url, ranked[0], "train/batch_loss")
            print(f"read through the native API and equal: {count} points of the best run")
    except Differs as difference:
        print(f"DIFFERENT from what was logged: {difference}", file=sys.stderr)
        return 1
    show(ranked)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fills a server as people do: the real clients of MLflow, Pluto and SAP, and the native API for what it alone takes.

Each client runs in its own environment: `python -m browser.filling CLIENT URL` there. Nothing imports stepwell.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENTS = TESTS.parent / ".cache" / "clients"
OFFLINE = TESTS / "contract" / "pluto" / "offline"  # keeps a client and what it starts on this machine
WITHIN = 180.0
START_MS = 1_790_000_000_000

DIGITS = "digits"  # the experiment of MLflow's client
STEPS = 200
RATES = ("0.1", "0.01", "0.001")
OPTIMISERS = ("adam", "sgd")
PROJECT = "vision"  # the project of Pluto's client
PLUTO_RUN = "pluto resnet"
EXECUTION = "execution-1"  # SAP's

HTML = "<img src=x onerror=alert(1)>"
SPIKE_AT, SPIKE, MANY = 654_321, 1000.0, 1_000_000
LONG_METRIC = "long/" + "m" * 1019  # as long as a name may be here
LONG_SAP_METRIC = "s" * 256
LONG_MLFLOW_METRIC = "l" * 250
CONFUSION = json.dumps([[40, 2], [3, 55]])


def loss_of(rate: str, optimiser: str, step: int) -> float:
    """What a run of DIGITS logs as train/loss."""
    floor = 0.05 if optimiser == "adam" else 0.12
    return floor + 2.3 * math.exp(-step * float(rate) ** 0.5 / 20)


def ask(url: str, path: str, body: Any = None, *, verb: str = "", secret: str = "") -> Any:
    """One request to the native API."""
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/api/v1{path}", content, method=verb or None)
    request.add_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
    if secret:
        request.add_header("Authorization", f"Bearer {secret}")
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def points(metric: str, values: list[Any], steps: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """A series of a write, a second between its points."""
    at = steps if steps is not None else list(range(len(values)))
    times = [START_MS * 1000 + place * 1_000_000 for place in range(len(values))]
    return {"metric": metric, "steps": at, "values": values, "times_us": times, **more}


def with_mlflow(url: str) -> None:
    """Six runs of a sweep, one with files of every kind and a note, all with params, tags and three curves."""
    import mlflow
    import numpy
    from mlflow.entities import Metric, Param, RunTag

    mlflow.set_tracking_uri(url)
    experiment = mlflow.set_experiment(DIGITS)
    client = mlflow.MlflowClient()
    first = ""
    for rate in RATES:
        for optimiser in OPTIMISERS:
            run = client.create_run(experiment.experiment_id, START_MS, run_name=f"{optimiser} {rate}")
            first = first or run.info.run_id
            params = {"learning_rate": rate, "optimizer": optimiser, "batch_size": "64", "layers": "3"}
            metrics = [
                Metric(name, value, START_MS + step * 1000, step)
                for step in range(STEPS)
                for name, value in {
                    "train/loss": loss_of(rate, optimiser, step),
                    "train/accuracy": 1 - loss_of(rate, optimiser, step) / 3,
                    "valid/loss": loss_of(rate, optimiser, step) * 1.1,
                }.items()
            ]
            client.log_batch(run.info.run_id, metrics[:1000], [Param(*each) for each in params.items()])
            client.log_batch(run.info.run_id, metrics[1000:], tags=[RunTag("stage", "sweep"), RunTag("team", "vision")])
            client.set_terminated(run.info.run_id, end_time=START_MS + STEPS * 1000)
    with mlflow.start_run(first):
        mlflow.set_tag("mlflow.note.content", "The **first** of the sweep.")
        mlflow.log_text("all went well\n", "notes.txt")
        mlflow.log_text("name,score\nseven,0.99\n<b>eight</b>,0.98\n", "tables/scores.csv")
        mlflow.log_text(f"<script>document.title='run'</script>{HTML}", "page.html")
        mlflow.log_dict({"columns": ["digit", "count"], "data": [[7, 12], [8, 3]]}, "tables/counts.json")
        mlflow.log_image(numpy.full((40, 60, 3), (200, 30, 60), dtype=numpy.uint8), "pictures/red.png")
        mlflow.log_text("x" * 3_000_000, "large.txt")
        mlflow.log_input(mlflow.data.from_numpy(numpy.arange(10), name="handwritten"), context="training")
    client.set_terminated(first, end_time=START_MS + STEPS * 1000)


def with_pluto(url: str) -> None:
    """A run whose console lines, config and files come from Pluto's client."""
    folder = tempfile.mkdtemp()
    os.environ.update({f"PLUTO_URL_{part}": url for part in ("APP", "API", "INGEST", "PY")})
    os.environ.update(PLUTO_API_KEY="any", PLUTO_DISABLE_TELEMETRY="1", HOME=folder, XDG_DATA_HOME=folder)
    os.chdir(folder)
    import pluto

    settings = {"disable_system_metrics": True}
    run = pluto.init(
        dir=folder,
        project=PROJECT,
        name=PLUTO_RUN,
        config={"learning_rate": 0.01, "net": {"depth": 50}},
        tags=["baseline"],
        settings=settings,
    )
    for step in range(20):
        run.log({"train/loss": 1 / (step + 1)}, step=step)
        print(f"epoch {step} is done")
    print("warning: the learning rate is high", file=sys.stderr)
    run.log({"notes": pluto.Text("written with Pluto")})
    run.finish()


def with_sap(url: str) -> None:
    """An execution with labelled metrics, custom info and tags."""
    from datetime import UTC, datetime

    from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel, MetricTag
    from ai_core_sdk.tracking import Tracking

    tracking = Tracking(
        base_url=f"{url}/v2",
        auth_url=f"{url}/oauth/token",
        client_id="any",
        client_secret="any",
        resource_group="default",
    )
    now = datetime.now(UTC)
    labels = [MetricLabel("fold", "1")]
    metrics = [Metric(name="loss", value=1 / (step + 1), timestamp=now, step=step, labels=labels) for step in range(10)]
    metrics.append(Metric(name=LONG_SAP_METRIC, value=1, timestamp=now, step=0))
    tracking.log_metrics(metrics, EXECUTION)
    tracking.set_tags([MetricTag("stage", "dev")], EXECUTION)
    tracking.set_custom_info([MetricCustomInfo("confusion matrix", CONFUSION)], EXECUTION)


def with_requests(url: str) -> None:
    """What is odd, what is large, what runs now, and what machines used: through the native API."""
    odd = ask(url, "/experiments", {"name": "odd"})["id"]
    spiky = [0.5] * MANY
    spiky[SPIKE_AT] = SPIKE
    ask(url, "/runs", {"id": "spike", "name": "spike", "experiment_id": odd, "status": "FINISHED"})
    ask(url, "/runs/spike/points", {"series": [points("spiky", spiky)]})
    curves = [
        points("broken", [1.0, 2.0, "NaN", 3.0, "Infinity", 2.0, "-Infinity", 1.0]),
        points("single", [42.0], [7]),
        points("equal", [3.5] * 50),
        points("negative", [1.0, 2.0, 3.0], [-100, -50, 0]),
        points("huge", [1.0, 2.0, 3.0], [0, 2**40, 2**52]),
        points(f"html/{HTML}", [1.0, 2.0]),
        points(LONG_METRIC, [1.0, 2.0]),
        points(LONG_MLFLOW_METRIC, [1.0, 2.0]),
    ]
    begin = int(time.time()) * 1000 - 30 * 60_000
    named = {
        "id": "odd",
        "start_time_us": begin * 1000,
        "name": HTML,
        "experiment_id": odd,
        "params": {HTML: HTML},
        "tags": {HTML: HTML},
    }
    ask(url, "/runs", named)
    ask(url, "/runs/odd/points", {"series": curves, "status": "FAILED", "status_reason": "a worker ran out of memory"})
    usage = [
        {"time": begin + minute * 60_000, "device": "0", "cpu": 40 + minute, "mem": 55, "gpu": 90, "gpu_mem": 70}
        for minute in range(30)
    ]
    ask(url, "/runs/odd/tasks/worker-0/resources", {"start_time": begin, "samples": usage})
    ask(url, "/runs/odd/tasks/worker-1/resources", {"samples": [{"time": begin, "npu": 12.5, "npu_mem": 3}]})


CLIENTS: Mapping[str, Callable[[str], None]] = {"mlflow": with_mlflow, "pluto": with_pluto, "sap": with_sap}


def fill(url: str) -> None:
    """All of it."""
    for client in CLIENTS:
        drive(client, url)
    with_requests(url)


def drive(client: str, url: str) -> None:
    """One client in its environment; AssertionError with what it printed when it fails."""
    run_python(client, ["-m", "browser.filling", client, url])


def run_python(client: str, arguments: list[str], **variables: str) -> str:
    """What Python says in the environment of a client, which can reach this machine only."""
    python = ENVIRONMENTS / client / "bin" / "python"
    assert python.exists(), f"{client} has no environment; make it with scripts/setup.sh clients"
    with tempfile.TemporaryDirectory() as folder:
        paths = f"{TESTS}{os.pathsep}{OFFLINE}"
        more = {"PYTHONPATH": paths, "OUTSIDE_LOG": f"{folder}/outside.log", "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(
            [str(python), *arguments],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            cwd=folder,
            env={**os.environ, **more, **variables},
            check=False,
        )
    assert done.returncode == 0, f"{client} failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return done.stdout


if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2])

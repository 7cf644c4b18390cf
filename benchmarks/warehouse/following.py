"""One client that sends one point after another and waits for each answer."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

from asking import Row
from fleet import Databases, serving
from servers import ROOT, environment

PYTHON = ROOT / ".cache" / "clients" / "mlflow" / "bin" / "python"
POINTS = 1_000
LEAST = 150.0  # requests a second
CLIENT = """
import sys, time
import mlflow
client = mlflow.MlflowClient(tracking_uri=sys.argv[1])
run = client.create_run("0").info.run_id
client.log_metric(run, "loss", 1.0, step=0)
begin, used = time.perf_counter(), time.process_time()
for step in range(1, int(sys.argv[2]) + 1):
    client.log_metric(run, "loss", 1 / step, step=step)
print(time.perf_counter() - begin, time.process_time() - used)
"""


def single(databases: Databases, tiny: bool) -> Iterator[Row]:
    """Requests a second, by MLflow's own client and by a connection that costs nothing."""
    count = 50 if tiny else POINTS
    with serving(databases.warehouse()) as (server,):
        run = json.loads(server.ask("POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}'))
        run_id = run["run"]["info"]["run_id"]
        bodies = [
            json.dumps({"run_id": run_id, "key": "loss", "value": 1 / step, "timestamp": 1_790_000_000_000 + step,
                        "step": step}).encode()
            for step in range(1, count + 1)
        ]  # fmt: skip
        server.ask("POST", "/api/2.0/mlflow/runs/log-metric", bodies[0])
        before, begin = databases.used(server.cpu), time.perf_counter()
        for body in bodies:
            server.ask("POST", "/api/2.0/mlflow/runs/log-metric", body)
        rate = count / (time.perf_counter() - begin)
        used = (databases.used(server.cpu) - before).over(count)
        yield Row(
            part="single",
            what="log-metric one after another, plain HTTP",
            found=f"{rate:.0f} requests/s; us of a request: {used}",
            wanted=f"{LEAST:.0f}",
            holds=rate >= LEAST,
        )
        command = [str(PYTHON), "-c", CLIENT, f"http://127.0.0.1:{server.port}", str(count)]
        told = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True).stdout.split()
    rate = count / float(told[0])
    yield Row(
        part="single",
        what="log-metric one after another, MLflow's client",
        found=f"{rate:.0f} requests/s; the client itself uses {1e3 * float(told[1]) / count:.1f} ms for each",
        wanted=f"{LEAST:.0f}",
        holds=rate >= LEAST,
    )

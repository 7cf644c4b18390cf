"""A training that logs with MLflow's own client until a file is there: `python training.py FILE` where that client is.

Prints the run's id, then after each acknowledged step how many there were.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow

with mlflow.start_run() as run:
    print(run.info.run_id, flush=True)
    step = 0
    while not Path(sys.argv[1]).exists():
        mlflow.log_metric("loss", step / 7, step=step)
        step += 1
        print(step, flush=True)

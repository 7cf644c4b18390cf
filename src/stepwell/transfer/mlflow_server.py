"""Runs out of a running MLflow server, through its REST interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from stepwell.transfer import mlflow
from stepwell.transfer.files import DistantFile
from stepwell.transfer.mlflow_rest import Mlflow
from stepwell.transfer.runs import Moved, Run, Tell

_PAGE: Final = 1000  # experiments or runs


def read(url: str, only: Sequence[str], tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs that are not deleted. only: of these experiments; all where none is named. `tell` hears of points that
    cannot be.

    ValueError: no MLflow server answers there, or it has no such experiment. Denied; Refused; Unavailable.
    """
    server = Mlflow(url)
    names = {
        each["experiment_id"]: each["name"]
        for each in server.pages("experiments/search", "experiments", {"max_results": _PAGE})
    }
    mlflow.check_only(only, names.values())
    found = [
        each
        for number, name in names.items()
        if not only or name in only
        for each in server.pages("runs/search", "runs", {"experiment_ids": [number], "max_results": _PAGE})
    ]
    for count, each in enumerate(found):
        moved(count, len(found), each["info"].get("run_name") or each["info"]["run_id"])
        yield _run(server, each, names[each["info"]["experiment_id"]], tell)
    moved(len(found), len(found), server.url)


def _run(server: Mlflow, found: Mapping[str, Any], experiment: str, tell: Tell) -> Run:
    info, data = found["info"], found.get("data", {})
    told = {name: info.get(name) for name in ("run_id", "status", "start_time", "end_time")}
    params, tags = ({each["key"]: each.get("value", "") for each in data.get(kind, [])} for kind in ("params", "tags"))
    run = mlflow.run({**told, "name": info.get("run_name"), "user": info.get("user_id")}, experiment, params, tags)
    for key in sorted({metric["key"] for metric in data.get("metrics", [])}):
        for point in server.history(run.id, key):
            mlflow.take(run, key, mlflow.point(point), tell)
    run.files = (
        DistantFile(path=path, size=size, fetch=partial(server.fetch, run.id, path))
        for path, size in server.files(run.id)
    )
    return run

"""Pluto's own client: its runs to write, its queries to read."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from contract.cross.drivers.telling import (
    AWKWARD,
    SECOND,
    Point,
    Points,
    Run,
    added,
    means,
    own_lines,
    plain_run,
    reading,
    tell,
)

PROJECT = "cross pluto"
STATUSES = {
    "RUNNING": "RUNNING",
    "COMPLETED": "FINISHED",
    "FAILED": "FAILED",
    "TERMINATED": "KILLED",
    "CANCELLED": "KILLED",
}
WORDS = {"NaN": float("nan"), "Inf": float("inf"), "-Inf": float("-inf")}
QUIET = {"disable_console": True, "disable_system_metrics": True, "x_console_fd_capture": False}


def settle(url: str) -> str:
    """Says where the server is, and keeps the client's own files in a folder of this process; the folder."""
    folder = tempfile.mkdtemp()
    os.environ.update({f"PLUTO_URL_{part}": url for part in ("APP", "API", "INGEST", "PY")})
    os.environ.update(PLUTO_API_KEY="any", PLUTO_DISABLE_TELEMETRY="1", HOME=folder, XDG_DATA_HOME=folder)
    os.chdir(folder)
    return folder


def write(url: str) -> list[Run]:
    """One run that ends well, one that fails, one that is left running for others to go on with."""
    folder = settle(url)
    shared = _ended(folder, "pluto shared", "RUNNING")
    shared["shared"] = True
    return [_full_run(folder), _ended(folder, "pluto FAILED", "FAILED"), shared]


def join(url: str, shared: list[Run]) -> list[Run]:
    """Runs of others are resumed by their display ids, and left running."""
    folder = settle(url)
    from pluto.query import Client

    found = [added(run, "pluto", tag="") for run in shared]
    with Client() as client:
        for asked, run in zip(shared, found, strict=True):
            display_id = _listed(client, asked)["displayId"]
            op = _init(folder, asked["name"], asked["experiment"], run_id=display_id, resume=True)
            for name, series in run["points"].items():
                for step, at, value in series:
                    op.log({name: value}, step=step, timestamp=at // SECOND)
            op.add_tags(list(run["tags"]))
            op.close()
    return found


def _init(folder: str, name: str, project: str = PROJECT, *, quiet: Mapping[str, bool] = QUIET, **options: Any) -> Any:
    import pluto

    return pluto.init(dir=folder, project=project, name=name, settings=dict(quiet), **options)


def _full_run(folder: str) -> Run:
    import pluto

    told, tags = {"lr": 0.01, "optimizer": AWKWARD}, ["baseline", "team:vision", AWKWARD]
    op = _init(folder, "pluto full", quiet={**QUIET, "disable_console": False}, config=told, tags=tags)
    start = int(time.time()) * SECOND
    samples = reading(10.0, 30.0, 50.5, start=start)
    points: Points = {
        "train/loss (raw), 50%": [(step, start + step * SECOND, 1 / (step + 1)) for step in range(5)],
        "loss": [(3, start, 0.5), (3, start + SECOND, 0.25), (1, start + 2 * SECOND, 1.0)],
        "odd": [
            (step, start, value)
            for step, value in enumerate((float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 0.1))
        ],
        "sys/cpu.percentage.0": [(place, at, value) for place, (at, value) in enumerate(samples)],
    }
    for name, series in points.items():
        for step, at, value in series:
            op.log({name: value}, step=step, timestamp=at // SECOND)
    op.log({"notes": pluto.Text("written with Pluto")})
    lines = ["said by Pluto", "said by Pluto: <b>ä</b>", "said by Pluto again"]
    for text in lines:
        print(text)
    op.finish()
    run = plain_run(_id_of(op), name="pluto full", experiment=PROJECT, status="FINISHED")
    run["params"] = {"lr": "0.01", "optimizer": AWKWARD}
    run["tags"] = {"baseline": "", "team:vision": "", AWKWARD: ""}
    run["points"], run["files"], run["lines"] = points, ["written with Pluto"], lines
    run["note"] = _noted("Written with Pluto.")
    run["usage"] = {"cpu": means(10.0, 30.0, 50.5)}
    return run


def _noted(text: str) -> str:
    """Notes are written on the vendor's page, not by the client: this is what the page asks."""
    from pluto.query import Client

    with Client() as client:
        key = next(each["id"] for each in client.list_runs(PROJECT) if each["name"] == "pluto full")
    answer = httpx.post(
        f"{os.environ['PLUTO_URL_API']}/api/runs/notes/update",
        json={"runId": key, "notes": text},
        headers={"Authorization": f"Bearer {os.environ['PLUTO_API_KEY']}"},
        timeout=60,
    )
    assert answer.is_success, answer.text
    return text


def _ended(folder: str, name: str, status: str) -> Run:
    op = _init(folder, name)
    if status == "RUNNING":
        op.close()
    else:
        op.finish(code=1)
    return plain_run(_id_of(op), name=name, experiment=PROJECT, status=status)


def _id_of(op: Any) -> str:
    """The id that other clients know the run by: the end of the link that the client prints."""
    return unquote(str(op.settings.url_view).rpartition("/")[2])


def read(url: str, asked: list[Run]) -> list[Run]:
    """Experiments are projects; a run is found by its name and then asked for by its display id."""
    settle(url)
    from pluto.query import Client

    with Client() as client:
        return [_gone(client, each) if "gone" in each else _read(client, each) for each in asked]


def _read(client: Any, asked: Run) -> Run:
    project, listed = asked["experiment"], _listed(client, asked)
    run = client.get_run(project, listed["displayId"])
    points: Points = {}
    rows = client.get_metrics(project, run["id"])
    for row in rows if isinstance(rows, list) else rows.to_dict("records"):
        points.setdefault(row["metric"], []).append(_point(row))
    statistics = client.get_statistics(project, run["id"])["metrics"]
    return Run(
        id=unquote(run["url"].rpartition("/")[2]),
        name=run["name"],
        experiment=run["projectName"],
        status=STATUSES[run["status"]],
        params={name: _text(value) for name, value in (run["config"] or {}).items()},
        tags=dict.fromkeys(run["tags"], ""),
        note=run["notes"],
        lines=own_lines(each["message"] for each in client.get_logs(project, run["id"])),
        points=points,
        files=[_content(client, project, run["id"], each["logName"]) for each in client.get_files(project, run["id"])],
        latest={each["logName"]: each["last"]["value"] for each in statistics if each["last"]},
        listed=True,
        display_id=run["id"] == listed["id"] and client.get_run(project, run["id"])["displayId"] == listed["displayId"],
    )


def _gone(client: Any, asked: Run) -> Run:
    return Run(id=asked["id"], gone=client.list_runs(asked["experiment"], search=asked["name"]) == [])


def _listed(client: Any, asked: Run) -> dict[str, Any]:
    """A run in the list of its project, found by its name."""
    found = client.list_runs(asked["experiment"], search=asked["name"], limit=200)
    (listed,) = [each for each in found if each["name"] == asked["name"]]
    return dict(listed)


def _content(client: Any, project: str, key: int, log_name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_file(project, key, log_name, folder)).read_text()


def _point(row: dict[str, Any]) -> Point:
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(str(row["time"])).replace(tzinfo=UTC)
    millis = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    return int(row["step"]), millis * 1000, WORDS.get(row.get("valueFlag", ""), float(row["value"]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


if __name__ == "__main__":
    tell(write, read, join)

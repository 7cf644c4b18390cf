"""Runs and metrics at the terminal: `stepwell runs`, `metrics` and `tail`, as tables or as lines of JSON.

0: done; for `tail`, the run has FINISHED. 1: the server does not answer or has no such run; the run has FAILED or was
KILLED. 2: wrongly asked.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final

from stepwell.client import environment, tables
from stepwell.client.environment import target
from stepwell.client.frames import restored
from stepwell.client.patience import patiently
from stepwell.client.query import query
from stepwell.client.transport import Api, Denied, Refused, Unavailable, quoted

_PERIOD: Final = 1.0  # seconds between two looks at a running run
_SERIES: Final = 1000  # of one request
_ONGOING: Final = frozenset({"RUNNING", "SCHEDULED"})
_RUN_COLUMNS: Final = ("id", "name", "status", "start_time_us", "end_time_us")
_METRIC_COLUMNS: Final = ("metric", "labels", "count", "last_step", "last_value", "min_value", "max_value", "mean")


def add(commands: Any) -> None:
    """Add these commands to a parser's: each sets `run`, from what was asked to the exit status."""
    runs = commands.add_parser("runs", help="list runs of a server, newest first")
    runs.add_argument("--filter", metavar="F", default="", help="those that match")
    runs.add_argument("--experiment", metavar="NAME", help="those that belong there")
    runs.add_argument(
        "--order-by", metavar="O", action="append", help="as in a search, for example 'min(metrics.loss)'"
    )
    runs.add_argument("--limit", metavar="N", type=int, default=20, help="how many (20)")
    runs.add_argument("--metric", metavar="NAME", action="append", default=[], help="show its last value")
    runs.add_argument("--param", metavar="NAME", action="append", default=[], help="show it")
    metrics = commands.add_parser("metrics", help="list the metrics of a run with their last, least and greatest value")
    tail = commands.add_parser(
        "tail", help="print the newest point of each metric of a run, then what comes, to its end"
    )
    tail.add_argument(
        "--metric", metavar="NAME", action="append", default=[], help="this one alone; may be given again"
    )
    for command in (metrics, tail):
        command.add_argument("run_id", metavar="RUN")
    for command, show in ((runs, _runs), (metrics, _metrics), (tail, _tail)):
        _finish(command, show)


def _finish(command: ArgumentParser, show: Callable[[Api, dict[str, Any]], int]) -> None:
    command.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL)")
    command.add_argument("--json", action="store_true", help="a JSON object a line")
    command.set_defaults(run=partial(_show, show))


def _show(show: Callable[[Api, dict[str, Any]], int], asked: dict[str, Any]) -> int:
    try:
        where = target(url=asked["url"], mode="online")
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            return show(api, asked)
    except Refused as error:
        return _fail(error, 1 if error.status == 404 else 2)
    except (ValueError, LookupError) as error:
        return _fail(error, 2)
    except (Unavailable, Denied) as error:
        return _fail(error, 1)


def _runs(_: Api, asked: dict[str, Any]) -> int:
    if asked["limit"] < 1:
        raise ValueError(f"--limit {asked['limit']}: it must be 1 or more")
    chosen = query(
        asked["filter"],
        experiment=asked["experiment"],
        order_by=asked["order_by"] or ["start_time DESC"],
        limit=asked["limit"],
        url=asked["url"],
        frames="columns",
    )
    columns = patiently(lambda: chosen.runs(metrics=asked["metric"], params=asked["param"]))
    shown = [f"params.{name}" for name in asked["param"]] + [f"metrics.{name}" for name in asked["metric"]]
    _table(columns, [*_RUN_COLUMNS, *shown], as_json=asked["json"])
    return 0


def _metrics(api: Api, asked: dict[str, Any]) -> int:
    found = restored(patiently(lambda: api.get(f"/runs/{quoted(asked['run_id'])}/series")))
    _table(found, _METRIC_COLUMNS, as_json=asked["json"])
    return 0


def _tail(api: Api, asked: dict[str, Any]) -> int:
    path = f"/runs/{quoted(asked['run_id'])}"
    followed: dict[tuple[str, str], dict[str, Any]] = {}
    looked = False
    while True:
        status = patiently(lambda: api.get(path))["run"]["status"]
        for each in _series(patiently(lambda: api.get(f"{path}/series")), asked, begun=looked):
            followed.setdefault((each["metric"], json.dumps(each["labels"])), each)
        looked = True
        for point in sorted(_news(api, followed), key=lambda each: (each["time_us"], each["step"])):
            _print_point(point, as_json=asked["json"])
        sys.stdout.flush()
        if status not in _ONGOING:
            return 0 if status == "FINISHED" else 1
        time.sleep(_PERIOD)


def _series(found: Mapping[str, Any], asked: Mapping[str, Any], *, begun: bool) -> Iterator[dict[str, Any]]:
    """What to follow: from its last point on; what has begun while we look, from its first."""
    for metric, labels, last_step in zip(found["metric"], found["labels"], found["last_step"]):  # noqa: B905
        if not asked["metric"] or metric in asked["metric"]:
            begin = {} if begun else {"min_step": last_step}
            yield {"run_id": asked["run_id"], "metric": metric, "labels": labels, **begin}


def _news(api: Api, followed: dict[tuple[str, str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    keys = list(followed)
    for begin in range(0, len(keys), _SERIES):
        left = keys[begin : begin + _SERIES]
        while left:
            body = {"series": [followed[key] for key in left]}
            found = patiently(partial(api.send, "POST", "/deltas", body))["series"]
            for key, each in zip(left, found):  # noqa: B905  answered in the order asked for
                followed[key] = {name: each[name] for name in ("run_id", "metric", "labels", "since")}
                yield from _points(each)
            left = [key for key, each in zip(left, found) if each["more"]]  # noqa: B905


def _points(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    points = restored(found["points"])
    for step, time_us, value in zip(points["steps"], points["times_us"], points["values"]):  # noqa: B905
        yield {
            "metric": found["metric"],
            "labels": found["labels"],
            "step": step,
            "time_us": time_us,
            "value": value,
        }


def _print_point(point: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(_json(point))
    else:
        name = tables.text(point["metric"]) + (f" {tables.text(point['labels'])}" if point["labels"] else "")
        print(f"{tables.moment(point['time_us'])}  {point['step']:>8}  {name} = {point['value']!r}")


def _table(columns: Mapping[str, Sequence[Any]], names: Sequence[str], *, as_json: bool) -> None:
    """Rows of the named columns, or all columns as JSON."""
    if as_json:
        for row in zip(*columns.values()):  # noqa: B905  columns of one table
            print(_json({name: cell for name, cell in zip(columns, row) if cell is not None}))  # noqa: B905
        return
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    sys.stdout.write(tables.lines(columns, names, room=room, coloured=environment.coloured(sys.stdout)))


def _json(found: Mapping[str, Any]) -> str:
    return json.dumps({name: _word(value) for name, value in found.items()}, ensure_ascii=False)


def _word(value: Any) -> Any:
    """What JSON has no number for, as the native API writes it."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _fail(error: Exception, status: int) -> int:
    print(f"stepwell: {' '.join(str(error).split())}", file=sys.stderr)
    return status

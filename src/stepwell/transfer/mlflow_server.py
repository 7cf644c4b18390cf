"""Runs out of a running MLflow server, through its REST interface."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from stepwell.client.patience import patiently
from stepwell.client.transport import Denied, Unavailable
from stepwell.transfer import mlflow
from stepwell.transfer.runs import Moved, Run

_PAGE: Final = 1000  # experiments or runs
_POINTS: Final = 25_000
_ANSWER: Final = 60.0  # seconds


def read(url: str, only: Sequence[str], moved: Moved) -> Iterator[Run]:
    """The runs that are not deleted. only: of these experiments; all where none is named.

    ValueError: no MLflow server answers there, or it has no such experiment. Denied; Unavailable after some tries.
    """
    server = _Server(url)
    names = {
        each["experiment_id"]: each["name"]
        for each in server.pages("experiments/search", "experiments", max_results=_PAGE)
    }
    mlflow.check_only(only, names.values())
    found = [
        each
        for number, name in names.items()
        if not only or name in only
        for each in server.pages("runs/search", "runs", experiment_ids=[number], max_results=_PAGE)
    ]
    for count, each in enumerate(found):
        moved(count, len(found), each["info"].get("run_name") or each["info"]["run_id"])
        yield _run(server, each, names[each["info"]["experiment_id"]])
    moved(len(found), len(found), server.url)


def _run(server: _Server, found: Mapping[str, Any], experiment: str) -> Run:
    info, data = found["info"], found.get("data", {})
    told = {name: info.get(name) for name in ("run_id", "status", "start_time", "end_time")}
    params, tags = ({each["key"]: each.get("value", "") for each in data.get(kind, [])} for kind in ("params", "tags"))
    run = mlflow.run({**told, "name": info.get("run_name"), "user": info.get("user_id")}, experiment, params, tags)
    for key in sorted({metric["key"] for metric in data.get("metrics", [])}):
        for point in server.history(run.id, key):
            run.points(key).add(
                int(point.get("step", 0)), int(point["timestamp"]) * 1000, mlflow.value(point.get("value", 0.0))
            )
    return run


class _Server:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        user = unquote(parts.username or "") or os.environ.get("MLFLOW_TRACKING_USERNAME")
        password = unquote(parts.password or "") or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        if user:
            self._headers["Authorization"] = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        elif token:
            self._headers["Authorization"] = f"Bearer {token}"

    def pages(self, path: str, kind: str, **body: Any) -> Iterator[Any]:
        """All rows of a search."""
        token = ""
        while True:
            page = self._ask(path, {**body, **({"page_token": token} if token else {})}, None)
            yield from page.get(kind, [])
            token = page.get("next_page_token", "")
            if not token:
                return

    def history(self, run_id: str, key: str) -> Iterator[Any]:
        """All points of a metric."""
        token = ""
        while True:
            asked = {"run_id": run_id, "metric_key": key, "max_results": _POINTS}
            page = self._ask("metrics/get-history", None, {**asked, **({"page_token": token} if token else {})})
            yield from page.get("metrics", [])
            token = page.get("next_page_token", "")
            if not token:
                return

    def _ask(self, path: str, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None) -> Any:
        url = f"{self.url}/api/2.0/mlflow/{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers)  # noqa: S310  the caller chose http or https
        return patiently(lambda: self._answer(request))

    def _answer(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            told = f"{self.url}: HTTP status {error.code}"
            if error.code in (401, 403):
                raise Denied(told) from None
            if error.code < 500 and error.code not in (408, 429):
                raise ValueError(f"{told}: {error.read(500).decode(errors='replace')}") from None
            raise Unavailable(told) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self.url}: {error}") from None
        except ValueError:
            raise ValueError(f"{self.url}: what answers there is no MLflow server") from None

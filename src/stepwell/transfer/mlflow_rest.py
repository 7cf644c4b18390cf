"""One MLflow server, through its REST interface."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from stepwell.client.patience import patiently
from stepwell.client.transport import Denied, Refused, Unavailable

_POINTS: Final = 25_000
_ANSWER: Final = 60.0  # seconds


class Mlflow:
    """Every call raises Denied; Refused; Unavailable after some tries; ValueError where no MLflow server answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of an MLflow server: http://HOST:PORT is one")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._headers = {"Accept": "application/json"}
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        user = unquote(parts.username or "") or os.environ.get("MLFLOW_TRACKING_USERNAME")
        password = unquote(parts.password or "") or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        if user:
            self._headers["Authorization"] = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        elif token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: Any) -> Any:
        """What MLflow answers."""
        return self._ask(path, None, query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `get`. It may be sent twice."""
        return self._ask(path, body, {})

    def post_once(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `post`, and sent once: Unavailable says that it may have been done or not."""
        return self._answer(self._request(path, body, {}))

    def pages(self, path: str, kind: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """All rows of a search."""
        token = ""
        while True:
            page = self.post(path, {**body, **({"page_token": token} if token else {})})
            yield from page.get(kind, [])
            token = page.get("next_page_token", "")
            if not token:
                return

    def history(self, run_id: str, key: str) -> Iterator[Any]:
        """All points of a metric."""
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            page = self.get("metrics/get-history", run_id=run_id, metric_key=key, max_results=_POINTS, **more)
            yield from page.get("metrics", [])
            token = page.get("next_page_token", "")
            if not token:
                return

    def _ask(self, path: str, body: Mapping[str, Any] | None, query: Mapping[str, Any]) -> Any:
        request = self._request(path, body, query)
        return patiently(lambda: self._answer(request))

    def _request(self, path: str, body: Mapping[str, Any] | None, query: Mapping[str, Any]) -> urllib.request.Request:
        url = f"{self.url}/api/2.0/mlflow/{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        return urllib.request.Request(url, data, headers)  # noqa: S310  the caller chose http or https

    def _answer(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise self._problem(error.code, error.read(2000)) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self.url}: {error}") from None
        except ValueError:
            raise ValueError(f"{self.url}: what answers there is no MLflow server") from None

    def _problem(self, status: int, data: bytes) -> Exception:
        told = f"{self.url}: HTTP status {status}"
        if status in (401, 403):
            return Denied(told)
        if status >= 500 or status in (408, 429):
            return Unavailable(told)
        try:
            found = json.loads(data)
            code, message = str(found["error_code"]), str(found["message"])
        except (ValueError, KeyError, TypeError):
            code, message = "", data.decode(errors="replace")
        return Refused(status, code, f"{told}: {message}")

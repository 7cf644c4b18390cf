"""One MLflow server, through its REST interface."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from stepwell.client.patience import patiently
from stepwell.client.transport import Denied, Refused, Unavailable

Answer = TypeVar("Answer")
_POINTS: Final = 25_000
_ANSWER: Final = 60.0  # seconds
_PIECE: Final = 1024 * 1024  # bytes


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

    def get(self, path: str, /, **query: Any) -> Any:
        """What MLflow answers."""
        return self._ask(path, None, query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `get`. It may be sent twice."""
        return self._ask(path, body, {})

    def post_once(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `post`, and sent once: Unavailable says that it may have been done or not."""
        return self._answer(self._request(path, body, {}))

    # Files lie elsewhere: that an MLflow server cannot reach them is no reason to wait for it, or to go no further.

    def files(self, run_id: str) -> Iterator[tuple[str, int]]:
        """The files of a run, folder by folder, and their sizes in bytes. Refused, also where it fails now."""
        folders = [""]
        while folders:
            body = {"run_id": run_id, "path": folders.pop()}
            for each in self._listed({name: value for name, value in body.items() if value}):
                if each.get("is_dir"):
                    folders.append(each["path"])
                else:
                    yield each["path"], int(each.get("file_size") or 0)

    def fetch(self, run_id: str, path: str, into: IO[bytes]) -> None:
        """The content of a file of a run. Refused, also after some tries."""
        url = f"{self.url}/get-artifact?{urlencode({'path': path, 'run_uuid': run_id})}"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310  the caller chose http or https

        def attempt() -> None:
            into.seek(0)
            into.truncate()
            self._answered(request, partial(_copied, into))

        with _refusal():
            patiently(attempt)

    def put(self, place: str, source: Path) -> None:
        """Store a file; place: below the MLflow server's own store of artifacts. Refused, also after some tries."""
        url = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{quote(place)}"
        headers = {**self._headers, "Content-Type": "application/octet-stream"}
        headers["Content-Length"] = str(source.stat().st_size)

        def attempt() -> None:
            with source.open("rb") as file:
                request = urllib.request.Request(url, file, headers, method="PUT")  # noqa: S310  as above
                self._answered(request, http.client.HTTPResponse.read)

        with _refusal():
            patiently(attempt)

    def _listed(self, query: Mapping[str, str]) -> Iterator[Any]:
        token = ""
        while True:
            request = self._request("artifacts/list", None, {**query, **({"page_token": token} if token else {})})
            with _refusal():
                page = self._answer(request)
            yield from page.get("files", [])
            token = page.get("next_page_token", "")
            if not token:
                return

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
            return json.loads(self._answered(request, http.client.HTTPResponse.read))
        except ValueError:
            raise ValueError(f"{self.url}: what answers there is no MLflow server") from None

    def _answered(self, request: urllib.request.Request, take: Callable[[http.client.HTTPResponse], Answer]) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER) as answer:  # noqa: S310
                return take(answer)
        except urllib.error.HTTPError as error:
            raise self._problem(error.code, error.read(2000)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)  # urllib wraps what it met
            raise Unavailable(f"{self.url}: {why}") from None

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


@contextmanager
def _refusal() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        raise Refused(503, "", str(error)) from None


def _copied(into: IO[bytes], answer: http.client.HTTPResponse) -> None:
    shutil.copyfileobj(answer, into, _PIECE)
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)

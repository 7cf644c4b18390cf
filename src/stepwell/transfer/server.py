"""A server as the transfer needs it: runs, series and points, with patience for a server that is away for a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from stepwell.client.frames import restored
from stepwell.client.patience import patiently
from stepwell.client.transport import Api, Refused, quoted
from stepwell.transfer.files import Stored
from stepwell.transfer.runs import Point, SeriesName, key_of, value_of

_PAGE: Final = 100_000  # points
_RUNS: Final = 1000
_BATCH: Final = 50_000  # points of one write
_WORDS: Final = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


class Server:
    """Every call may be sent again and changes nothing then. Denied; Refused; Unavailable after some tries."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._experiments: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self.url = api.url

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """What there is of a run, a deleted one too; None where there is none."""
        try:
            found: Mapping[str, Any] = self._get(_path(run_id))
        except Refused as error:
            if error.status != 404:
                raise
            return None
        return found

    def counts(self, run_id: str) -> dict[SeriesName, int]:
        """The series of a run, and how many points each has."""
        found = self._get(_path(run_id, "series"))
        names = (SeriesName(metric, _labels(each)) for metric, each in zip(found["metric"], found["labels"]))  # noqa: B905
        return dict(zip(names, found["count"]))  # noqa: B905  columns of one table

    def points(self, run_id: str, name: SeriesName) -> Iterator[Point]:
        """All points of a series in their order."""
        asked = {
            "metric": name.metric,
            "label": [f"{key}={value}" for key, value in name.labels] or "",
            "limit": _PAGE,
        }
        cursor: str | None = ""
        while cursor is not None:
            page = self._get(_path(run_id, "points"), {**asked, "cursor": cursor})
            keys = map(key_of, restored(page)["values"])
            yield from zip(page["steps"], page["times_us"], keys)  # noqa: B905
            cursor = page["cursor"]

    def search(self, filter: str, experiment: str | None) -> Iterator[str]:
        """The ids of the runs that match. LookupError: no such experiment."""
        body: dict[str, Any] = {"filter": filter, "order_by": ["start_time"], "limit": _RUNS}
        if experiment is not None:
            number = self._find(experiment)
            if number is None:
                raise LookupError(f"there is no experiment {experiment!r}")
            body["experiment_ids"] = [number]
        cursor: str | None = ""
        while cursor is not None:
            page = self._send("POST", "/runs/search", {**body, "cursor": cursor})
            yield from page["runs"]["id"]
            cursor = page["cursor"]

    def experiment(self, name: str | None) -> int:
        """The number of the experiment of this name, which is made when it is missing."""
        if name is None:
            return 0
        if name not in self._experiments:
            try:
                self._experiments[name] = int(self._send("POST", "/experiments", {"name": name})["id"])
            except Refused as error:
                found = self._find(name) if error.code == "already_exists" else None
                if found is None:
                    raise
                self._experiments[name] = found
        return self._experiments[name]

    def experiment_name(self, number: int) -> str:
        """What the experiment of this number is called."""
        if number not in self._names:
            self._names[number] = str(self._get(f"/experiments/{number}")["name"])
        return self._names[number]

    def make(self, message: Mapping[str, Any]) -> None:
        """A run; one that is there already stays as it is."""
        try:
            self._send("POST", "/runs", message)
        except Refused as error:
            if error.code != "already_exists":
                raise

    def change(self, run_id: str, message: Mapping[str, Any]) -> None:
        """As the native API's PATCH."""
        self._send("PATCH", _path(run_id), message)

    def files(self, run_id: str) -> Iterator[Stored]:
        """All files of a run, folder by folder."""
        folders = [""]
        while folders:
            found = self._get(_path(run_id, "artifacts"), {"path": folders.pop()})
            for path, size, sha256 in zip(found["path"], found["size"], found["sha256"]):  # noqa: B905
                if size is None:
                    folders.append(path)
                else:
                    yield Stored(path=path, size=size, sha256=sha256)

    def put(self, run_id: str, path: str, place: Path) -> str:
        """Store a file of a run; the SHA-256 of what is stored, in hexadecimal. OSError: it cannot be read."""
        target = _path(run_id, "artifacts", *map(quoted, path.split("/")))
        return str(patiently(lambda: self._api.request("PUT", target, place, "application/octet-stream"))["sha256"])

    def fetch(self, run_id: str, path: str, place: Path) -> None:
        """The content of a file of a run, into a file of this machine. OSError: it cannot be written."""
        target = _path(run_id, "artifacts", *map(quoted, path.split("/")))

        def attempt() -> None:
            with place.open("wb") as file:
                self._api.request("GET", target, into=file)

        patiently(attempt)

    def write(self, run_id: str, series: Iterator[tuple[SeriesName, Point]]) -> Iterator[int]:
        """Store points, in some requests; how many are stored by each."""
        while batch := list(islice(series, _BATCH)):
            self._send("POST", _path(run_id, "points"), {"series": list(_columns(batch))})
            yield len(batch)

    def _find(self, name: str) -> int | None:
        escaped = name.replace("'", "''")
        found = self._get("/experiments", {"filter": f"name = '{escaped}'", "visibility": "all"})["experiments"]["id"]
        return int(found[0]) if found else None

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return patiently(lambda: self._api.get(path, query))

    def _send(self, verb: str, path: str, message: Mapping[str, Any]) -> Any:
        return patiently(lambda: self._api.send(verb, path, message))


def _path(run_id: str, *parts: str) -> str:
    return "/".join(("/runs", quoted(run_id), *parts))


def _labels(found: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(found.items()))


def _columns(batch: Sequence[tuple[SeriesName, Point]]) -> Iterator[dict[str, Any]]:
    grouped: dict[SeriesName, list[Point]] = {}
    for name, point in batch:
        grouped.setdefault(name, []).append(point)
    for name, points in grouped.items():
        steps, times, keys = zip(*points)  # noqa: B905
        values = [value_of(key) for key in keys]
        yield {
            "metric": name.metric,
            "labels": dict(name.labels),
            "steps": steps,
            "times_us": times,
            "values": [word(value) for value in values],
        }


def word(value: float) -> float | str:
    """A value as JSON holds it: what is not finite by its name."""
    return "NaN" if value != value else _WORDS.get(value, value)

"""Reading back: runs by a filter, whole histories at full resolution, buckets for charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from stepwell.client.columns import PAGE, page_of
from stepwell.client.environment import target
from stepwell.client.frames import chosen, frame, restored
from stepwell.client.transport import Api, quoted

_RUNS: Final = 1000  # of a page
_POINTS: Final = 100_000
_SERIES: Final = 1000  # of a request for buckets
_BUCKETS: Final = 1_000_000  # of an answer
_SUMMARY: Final = ("last", "min", "max", "mean", "count")


def query(
    filter: str = "",
    *,
    experiment: str | None = None,
    runs: Sequence[str] | str | None = None,
    order_by: Sequence[str] | str = (),
    limit: int | None = None,
    url: str | None = None,
    api_key: str | None = None,
    workspace: str | None = None,
    frames: str | None = None,
) -> Query:
    """Choose runs: those of `runs` by their ids, else all that match `filter`, in an experiment of this name if given.

    frames: "pandas", "polars" or "columns" (lists); without it the first of them that is there. Nothing is asked of the
    server yet. ValueError for an argument that can be none.
    """
    if runs is not None and (filter or experiment is not None):
        raise ValueError("runs names the runs; filter and experiment choose among all: give one or the other")
    where = target(url=url, api_key=api_key, workspace=workspace, mode="online")
    api = Api(where.url, api_key=where.api_key, workspace=where.workspace)
    search = {"filter": filter, "order_by": _listed(order_by)}
    return Query(api, search, experiment, None if runs is None else tuple(_listed(runs)), limit, chosen(frames))


class Query:
    """Chosen runs, and what can be read of them. Each call asks the server anew: Unavailable, Denied, Refused.

    For one thread.
    """

    def __init__(
        self,
        api: Api,
        search: Mapping[str, Any],
        experiment: str | None,
        chosen_runs: tuple[str, ...] | None,
        limit: int | None,
        frames: str,
    ) -> None:
        self._api = api
        self._search = search
        self._experiment = experiment
        self._chosen = chosen_runs
        self._limit = limit
        self._frames = frames

    def runs(
        self,
        *,
        metrics: Sequence[str] | str = (),
        params: Sequence[str] | str = "*",
        tags: Sequence[str] | str = (),
    ) -> Any:
        """One row for each run, in the order asked for. "*" brings all.

        Columns: id, name, status, times and so on; `params.NAME`, `tags.NAME`; and for each metric `metrics.NAME` (its
        last value), `.min`, `.max`, `.mean` and `.count`. A run that lacks something has None there. Where metrics are
        named `a` and `a.min`, the column of that name is the second one's last value.
        """
        rows: dict[tuple[str, str], list[Any]] = {}
        count = 0
        with closing(self._api):
            for page in self._pages({"metrics": metrics, "params": params, "tags": tags}):
                for name, column in _columns(page):
                    rows.setdefault(name, [None] * count).extend(column)
                count += len(page["runs"]["id"])
                for column in rows.values():
                    column.extend([None] * (count - len(column)))
        whole = {f"{name}{word}": column for (name, word), column in rows.items() if word}
        whole.update((name, column) for (name, word), column in rows.items() if not word)
        return frame({name + word: whole[name + word] for name, word in rows}, self._frames)

    def points(self, *metrics: str, steps: tuple[int | None, int | None] = (None, None)) -> Any:
        """Every point of these metrics (all, where none is named), as it was logged: nothing is sampled.

        Columns: run_id, metric, step, time_us, value. steps: the first and the last.
        """
        rows: dict[str, list[Any]] = {name: [] for name in ("run_id", "metric", "step", "time_us", "value")}
        with closing(self._api):
            for run_id, metric in self._series(metrics):
                for page in self._history(run_id, metric, steps):
                    size = len(page["steps"])
                    rows["run_id"] += [run_id] * size
                    rows["metric"] += [metric] * size
                    rows["step"] += page["steps"]
                    rows["time_us"] += page["times_us"]
                    rows["value"] += page["values"]
        return frame(rows, self._frames)

    def buckets(self, *metrics: str, budget: int = 1000, steps: tuple[int | None, int | None] = (None, None)) -> Any:
        """These metrics in at most `budget` buckets each: no extreme is lost.

        Columns: run_id, metric, and of each bucket the first and last point, least and greatest, mean, count and more,
        as `POST /buckets` of the native API has them.
        """
        size = max(1, min(_SERIES, _BUCKETS // max(budget, 1)))
        rows: dict[str, list[Any]] = {"run_id": [], "metric": []}
        with closing(self._api):
            asked = [{"run_id": run_id, "metric": metric} for run_id, metric in self._series(metrics)]
            for begin in range(0, len(asked), size):
                body = {"series": asked[begin : begin + size], "budget": budget, "window": _window(steps)}
                for one in self._api.send("POST", "/buckets", body)["series"]:
                    columns = restored(one["buckets"])
                    count = len(columns["count"])
                    columns = {"run_id": [one["run_id"]] * count, "metric": [one["metric"]] * count, **columns}
                    for name, column in columns.items():
                        rows.setdefault(name, []).extend(column)
        return frame(rows, self._frames)

    def _series(self, metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
        for run_id in self._ids():
            for metric in metrics or self._metrics(run_id):
                yield run_id, metric

    def _ids(self) -> Iterator[str]:
        if self._chosen is not None:
            yield from self._chosen
            return
        for page in self._pages({}):
            yield from page["runs"]["id"]

    def _pages(self, columns: Mapping[str, Any]) -> Iterator[Any]:
        body: dict[str, Any] = {**self._search, "columns": _plain(columns)}
        if self._experiment is not None:
            body["experiment_ids"] = self._experiments(self._experiment)
        if self._chosen is None:
            yield from self._found(body)
            return
        for begin in range(0, len(self._chosen), _RUNS):
            yield from self._found({**body, "filter": _among(self._chosen[begin : begin + _RUNS]), "visibility": "all"})

    def _found(self, body: Mapping[str, Any]) -> Iterator[Any]:
        left = self._limit
        cursor: str | None = ""
        while cursor is not None and (left is None or left > 0):
            size = _RUNS if left is None else min(left, _RUNS)
            page = self._api.send("POST", "/runs/search", {**body, "limit": size, "cursor": cursor})
            yield page
            cursor = page["cursor"]
            left = None if left is None else left - len(page["runs"]["id"])

    def _experiments(self, name: str) -> list[int]:
        quoted_name = name.replace("'", "''")
        found = self._api.get("/experiments", {"filter": f"name = '{quoted_name}'"})["experiments"]["id"]
        if not found:
            raise LookupError(f"there is no experiment {name!r}")
        return list(found)

    def _metrics(self, run_id: str) -> list[str]:
        found = self._api.get(f"/runs/{quoted(run_id)}/series")
        return list(dict.fromkeys(found["metric"]))

    def _history(self, run_id: str, metric: str, steps: tuple[int | None, int | None]) -> Iterator[dict[str, Any]]:
        asked = {"metric": metric, "limit": _POINTS, **_window(steps)}
        cursor: str | None = ""
        while cursor is not None:
            answer = self._api.get(f"/runs/{quoted(run_id)}/points", {**asked, "cursor": cursor}, accept=PAGE)
            page = page_of(answer) if isinstance(answer, bytes) else restored(answer)
            yield page
            cursor = page["cursor"]


def _columns(page: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    """By the name of what they are of, and what of it they tell."""
    for name, column in page["runs"].items():
        yield (name, ""), column
    for kind in ("params", "tags"):
        for name, column in page[kind].items():
            yield (f"{kind}.{name}", ""), column
    for name, told in page["metrics"].items():
        columns = restored(told)
        for word in _SUMMARY:
            yield (f"metrics.{name}", "" if word == "last" else f".{word}"), columns[word]


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of names; "*" stays."""
    return {kind: names if names == "*" else _listed(names) for kind, names in columns.items()}


def _listed(names: Sequence[str] | str) -> list[str]:
    """A name alone is a list of one."""
    return [names] if isinstance(names, str) else list(names)


def _window(steps: tuple[int | None, int | None]) -> dict[str, int]:
    named = {"min_step": steps[0], "max_step": steps[1]}
    return {name: step for name, step in named.items() if step is not None}


def _among(run_ids: Iterable[str]) -> str:
    texts = ", ".join("'" + run_id.replace("'", "''") + "'" for run_id in run_ids)
    return f"run_id IN ({texts})"

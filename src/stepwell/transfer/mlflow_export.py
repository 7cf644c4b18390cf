"""Runs of a server into an MLflow server: only what it lacks is sent, then all is read back and compared.

MLflow gives runs ids of its own: the tag `stepwell.run_id` says which run one is. A run that was imported from there
has its id, and is found by that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from stepwell.client.patience import patiently
from stepwell.client.transport import Refused
from stepwell.transfer import mlflow, mlflow_limits
from stepwell.transfer.exporting import Chosen, chosen
from stepwell.transfer.importing import common, without
from stepwell.transfer.mlflow_files import MlflowFiles
from stepwell.transfer.mlflow_rest import Mlflow
from stepwell.transfer.runs import Checksum, Moved, Points, Run, SeriesName, Tell
from stepwell.transfer.server import Server

_ID: Final = "stepwell.run_id"
_USER: Final = "mlflow.user"
_ODD: Final = frozenset("'\\")  # what a filter of MLflow's cannot hold in a text

There: TypeAlias = Mapping[str, Any]


@dataclass(kw_only=True, slots=True)
class Sums:
    """What became of an export. points: as MLflow can hold them, equal ones once; there: of them in MLflow already.

    changed: how many points MLflow keeps otherwise than they are, by how.
    """

    runs: int = 0
    new_runs: int = 0
    changed_runs: int = 0
    points: int = 0
    there: int = 0
    sent: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    ours: Checksum = field(default_factory=Checksum)
    theirs: Checksum = field(default_factory=Checksum)


class MlflowExport:
    """Brings runs to an MLflow server. dry: looks and counts, and writes nothing."""

    def __init__(
        self, server: Server, target: Mlflow, files: MlflowFiles | None, tell: Tell, moved: Moved, *, dry: bool = False
    ) -> None:
        self.sums = Sums()
        self._server = server
        self._mlflow = target
        self._files = files
        self._tell = tell
        self._moved = moved
        self._dry = dry
        self._experiments: dict[str, str | None] = {}

    def bring(self, run_ids: Iterable[str]) -> None:
        """These runs; `tell` hears of what cannot be. Denied, Refused, Unavailable."""
        found = chosen(self._server, run_ids, self._tell)
        total, done = sum(each.points for each in found), 0
        for each in found:
            self._moved(done, total, each.run.name)
            try:
                self._bring(each)
            except Refused as error:
                self._tell(f"run {each.run.id}: {error}")
            done += each.points
        self._moved(total, total, self._mlflow.url)

    def _bring(self, each: Chosen) -> None:
        run = each.run
        self.sums.runs += 1
        there = self._there(run)
        if there is not None and there["info"].get("lifecycle_stage") == "deleted":
            self._tell(f"run {run.id}: it is deleted in MLflow, where it stays so")
            return
        if there is None:
            self.sums.new_runs += 1
            there = {"info": {}} if self._dry else patiently(lambda: self._there(run) or self._made(run))
        elif self._changes(run, there) or any(_new_texts(run, there).values()):
            self.sums.changed_runs += 1
        number = there["info"].get("run_id", "")
        if not self._dry:
            self._describe(run, number, there)
        self._measure(each, number, {metric["key"] for metric in there.get("data", {}).get("metrics", [])})
        if self._files is not None:
            self._files.bring(run.id, there["info"])
        if not self._dry:
            self._check(run, self._run(number))

    # What a run is.

    def _there(self, run: Run) -> There | None:
        """The run in MLflow, a deleted one too."""
        try:
            return self._run(run.id)
        except Refused as error:
            if error.status not in (400, 404):  # some ids can be none of MLflow's
                raise
        experiment = self._experiment(run.experiment or "Default")
        if experiment is None:
            return None
        asked = "" if _ODD & set(run.id) else f"tags.`{_ID}` = '{run.id}'"
        body = {"experiment_ids": [experiment], "filter": asked, "run_view_type": "ALL", "max_results": 1000}
        found = (
            each for each in self._mlflow.pages("runs/search", "runs", body) if _texts(each, "tags").get(_ID) == run.id
        )
        return next(found, None)

    def _run(self, number: str) -> There:
        found: There = self._mlflow.get("runs/get", run_id=number)["run"]
        return found

    def _made(self, run: Run) -> There:
        body = {
            "experiment_id": self._experiment(run.experiment or "Default", make=True),
            "run_name": run.name,
            "user_id": run.user,
            "start_time": mlflow_limits.milliseconds(run.start_time_us) or 0,
            "tags": [{"key": _ID, "value": run.id}],
        }
        found: There = self._mlflow.post_once("runs/create", body)["run"]
        return found

    def _experiment(self, name: str, *, make: bool = False) -> str | None:
        """The id of the experiment of this name; Refused where it is deleted."""
        if self._experiments.get(name) is None:
            self._experiments[name] = self._found(name) or (self._new(name) if make else None)
        return self._experiments[name]

    def _found(self, name: str) -> str | None:
        try:
            found = self._mlflow.get("experiments/get-by-name", experiment_name=name)["experiment"]
        except Refused as error:
            if error.status != 404:
                raise
            return None
        if found.get("lifecycle_stage") == "deleted":
            raise Refused(409, "", f"experiment {name!r} is deleted in MLflow")
        return str(found["experiment_id"])

    def _new(self, name: str) -> str:
        return str(self._mlflow.post_once("experiments/create", {"name": name})["experiment_id"])

    def _changes(self, run: Run, there: There) -> dict[str, Any]:
        info = there["info"]
        wanted = {"status": run.status, "end_time": mlflow_limits.milliseconds(run.end_time_us), "run_name": run.name}
        return {name: value for name, value in wanted.items() if value and str(info.get(name)) != str(value)}

    def _describe(self, run: Run, number: str, there: There) -> None:
        """Change what differs. A param is never changed in MLflow."""
        changes = self._changes(run, there)
        if changes:
            self._mlflow.post("runs/update", {"run_id": number, **changes})
        for kind, texts in _new_texts(run, there).items():
            for some in mlflow_limits.by_size({"key": name, "value": text} for name, text in texts.items()):
                for name, why in self._send(number, kind, some):
                    self._tell(f"run {run.id}, {kind[:-1]} {name!r}: {why}")

    def _check(self, run: Run, there: There) -> None:
        for kind, texts in (("params", run.params), ("tags", run.tags)):
            kept = _texts(there, kind)
            for name, text in texts.items():
                if name in kept and kept[name] != text:
                    cut = f"of {len(text)} characters MLflow keeps {len(kept[name])}"
                    what = cut if mlflow_limits.is_cut(text, kept[name]) else "MLflow has another value, which stays"
                    self._tell(f"run {run.id}, {kind[:-1]} {name!r}: {what}")

    # What was measured.

    def _measure(self, each: Chosen, number: str, there: set[str]) -> None:
        """Send what a run lacks, then compare each metric. there: those that have some points already."""
        run_id = each.run.id
        names: dict[str, list[SeriesName]] = {}
        for name in each.counts:
            names.setdefault(mlflow_limits.metric_key(name), []).append(name)
        ours = {key: self._points(run_id, series) for key, series in sorted(names.items())}
        lacking = {
            key: without(points, self._history(number, key)) if key in there else points for key, points in ours.items()
        }
        missing = sum(map(len, lacking.values()))
        self.sums.points += sum(map(len, ours.values()))
        self.sums.there += sum(map(len, ours.values())) - missing
        if self._dry:
            self.sums.sent += missing
            return
        refused: dict[str, str] = {}
        rows = ((key, point) for key, points in lacking.items() for point in points)
        for some in mlflow_limits.chunks(rows):
            refused.update(
                self._send(number, "metrics", [mlflow_limits.as_metric(*row) for row in some if row[0] not in refused])
            )
        for key, why in refused.items():
            self._tell(f"run {run_id}, metric {key[:80]!r}: {why}")
        self.sums.sent += missing - sum(len(lacking[key]) for key in refused)
        for key, points in ours.items():
            if key not in refused:
                self._compare(run_id, number, key, points)

    def _points(self, run_id: str, series: Sequence[SeriesName]) -> Points:
        """Of one of MLflow's metrics, as it can hold them."""
        found = Points()
        for name in series:
            for point in self._server.points(run_id, name):
                held, otherwise = mlflow_limits.held(point)
                self.sums.changed.update(otherwise)
                if held is not None:
                    found.append(held)
        settled = found.settled()
        self.sums.changed["equal to another one then"] += len(found) - len(settled)
        return settled

    def _history(self, number: str, key: str) -> Points:
        found = Points()
        for told in self._mlflow.history(number, key):
            step, time_us, value = mlflow.point(told)
            found.append((step, time_us, mlflow_limits.held_value(value)))
        return found.settled()

    def _compare(self, run_id: str, number: str, key: str, points: Points) -> None:
        name, lost = SeriesName(key), Points()
        for point in points:
            self.sums.ours.add(run_id, name, point)
        for point in common(points, self._history(number, key), lost):
            self.sums.theirs.add(run_id, name, point)
        if len(lost):
            self._tell(f"run {run_id}, metric {key!r}: {len(lost)} points are not in MLflow as they were sent")

    def _send(self, number: str, kind: str, some: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """What MLflow refuses, by its name, and why. All of the others are sent."""
        if not some:
            return
        try:
            self._mlflow.post("runs/log-batch", {"run_id": number, kind: list(some)})
        except Refused as error:
            names = dict.fromkeys(each["key"] for each in some)
            if len(names) == 1:
                yield next(iter(names)), str(error)
                return
            for name in names:
                yield from self._send(number, kind, [each for each in some if each["key"] == name])


def _new_texts(run: Run, there: There) -> dict[str, dict[str, str]]:
    """Params and tags that MLflow lacks, of tags those too that are otherwise there."""
    params, tags = _texts(there, "params"), {_USER: run.user, **run.tags} if run.user else run.tags
    return {
        "params": {name: text for name, text in run.params.items() if name not in params},
        "tags": mlflow_limits.lacking(tags, _texts(there, "tags")),
    }


def _texts(there: There, kind: str) -> dict[str, str]:
    """Params or tags of a run."""
    return {each["key"]: each.get("value", "") for each in there.get("data", {}).get(kind, [])}

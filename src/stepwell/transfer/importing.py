"""Runs into a server: only what it lacks is sent, then all is read back and compared.

Nothing is remembered here between two imports. What the server has already is seen by asking it, so an import that was
interrupted goes on, and a second one changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell.client.digests import digest
from stepwell.client.limits import NAME_LENGTH, wrong_name, wrong_run_id
from stepwell.client.texts import one, pairs
from stepwell.client.transport import Refused
from stepwell.transfer import files
from stepwell.transfer.files import File, Note, Stored, is_same, shown
from stepwell.transfer.runs import Checksum, Point, Points, Run, SeriesName, Tell
from stepwell.transfer.server import Server


@dataclass(kw_only=True, slots=True)
class Sums:
    """What became of an import. points: of the source, equal ones once; there: of them on the server already."""

    runs: int = 0
    new_runs: int = 0
    changed_runs: int = 0
    series: int = 0
    points: int = 0
    there: int = 0
    sent: int = 0
    equal: int = 0
    read: Checksum = field(default_factory=Checksum)
    stored: Checksum = field(default_factory=Checksum)
    files: files.Sums = field(default_factory=files.Sums)
    elsewhere: Counter[str] = field(default_factory=Counter)  # runs whose files are not where the source is


class Import:
    """Brings runs one by one. dry: looks and counts, and writes nothing. with_files: their files too."""

    def __init__(self, server: Server, tell: Tell, note: Note, *, dry: bool = False, with_files: bool = True) -> None:
        self.sums = Sums()
        self._server = server
        self._tell = tell
        self._note = note
        self._dry = dry
        self._with_files = with_files

    def bring(self, run: Run) -> None:
        """A run with all its points; `tell` hears what cannot be. Denied, Unavailable."""
        wrong = wrong_run_id(run.id)
        if wrong:
            self._tell(f"run {run.id!r}: {wrong}")
            return
        try:
            self._bring(run)
        except Refused as error:
            self._tell(f"run {run.id}: the server refuses it: {error}")

    def _bring(self, run: Run) -> None:
        self.sums.runs += 1
        series = dict(self._settled(run))
        there = self._server.run(run.id)
        if there is None:
            self.sums.new_runs += 1
        self._describe(run, there)
        counts = self._server.counts(run.id) if there is not None else {}
        lacking = {name: self._lacking(run, name, points, counts) for name, points in series.items()}
        missing = sum(map(len, lacking.values()))
        self.sums.series += len(series)
        self.sums.there += sum(map(len, series.values())) - missing
        if self._dry:
            self.sums.sent += missing
        else:
            for count in self._server.write(run.id, _all(lacking)):
                self.sums.sent += count
            for name, points in series.items():
                for point in points:
                    self.sums.read.add(run.id, name, point)
                self._check(run, name, points)
        if self._with_files:
            self._bring_files(run, new=there is None)

    def _bring_files(self, run: Run, *, new: bool) -> None:
        if run.elsewhere:
            self.sums.elsewhere[run.elsewhere.partition(":")[0]] += 1
        stored: dict[str, Stored] | None = {} if new else None
        try:
            for file in run.files:
                if stored is None:
                    stored = {each.path: each for each in self._server.files(run.id)}
                self._try_file(run, file, stored.get(file.path))
        except Refused as error:
            self._tell(f"run {run.id}: its files cannot be listed: {error}")

    def _try_file(self, run: Run, file: File, there: Stored | None) -> None:
        try:
            self._bring_file(run, file, there)
        except (Refused, OSError) as error:
            self._tell(f"run {run.id}, file {file.path!r}: {error}")

    def _bring_file(self, run: Run, file: File, there: Stored | None) -> None:
        size = file.size
        same = is_same(file, there)
        self.sums.files.add(size, there=same)
        if same or self._dry:
            return
        self._note(shown(file.path, size))
        with file.local() as place:
            if self._server.put(run.id, file.path, place) != digest(place):
                self._tell(f"run {run.id}, file {file.path!r}: it changed while it was sent, or is not as it was sent")
        self.sums.files.moved += 1

    def _settled(self, run: Run) -> Iterator[tuple[SeriesName, Points]]:
        for name in sorted(run.series):
            wrong = wrong_name(name.metric)
            if wrong:
                self._tell(f"run {run.id}, metric {name.metric[:80]!r}: {wrong}")
                continue
            points = run.series[name].settled()
            self.sums.points += len(points)
            self.sums.equal += len(run.series[name]) - len(points)
            yield name, points

    def _describe(self, run: Run, there: Mapping[str, Any] | None) -> None:
        """Make the run or change what differs, where the source knows it."""
        params = pairs(run.params, f"run {run.id}, param", self._tell)
        tags = pairs(run.tags, f"run {run.id}, tag", self._tell)
        if there is None:
            if self._dry:
                return
            about = f"run {run.id}, "
            name = one(run.name or None, f"{about}name", self._tell, NAME_LENGTH)
            user = one(run.user, f"{about}user", self._tell) or ""
            told = {"name": name, "start_time_us": run.start_time_us, "status": run.status or "FINISHED"}
            number = self._server.experiment(run.experiment)
            self._server.make({"id": run.id, "experiment_id": number, "user": user, **told})
            made = self._server.run(run.id) or {"run": {}, "params": {}, "tags": {}}
            self._server.change(run.id, self._differing(run, params, tags, made, moments=True))
            return
        changes = self._differing(run, params, tags, there, moments=run.status is not None)
        if changes:
            self.sums.changed_runs += 1
            if not self._dry:
                self._server.change(run.id, changes)

    def _differing(
        self, run: Run, params: Mapping[str, str], tags: Mapping[str, str], there: Mapping[str, Any], *, moments: bool
    ) -> dict[str, Any]:
        has = there["run"]
        known = {"status": run.status, "start_time_us": run.start_time_us, "end_time_us": run.end_time_us}
        changes: dict[str, Any] = {
            name: value for name, value in known.items() if moments and value is not None and has.get(name) != value
        }
        for name in params.keys() & there["params"].keys():
            if params[name] != there["params"][name]:
                self._tell(f"run {run.id}, param {name!r}: the server has another value, which stays")
        new = {name: text for name, text in params.items() if name not in there["params"]}
        other = {name: text for name, text in tags.items() if there["tags"].get(name) != text}
        return {**changes, **({"params": new} if new else {}), **({"set_tags": other} if other else {})}

    def _lacking(self, run: Run, name: SeriesName, points: Points, counts: Mapping[SeriesName, int]) -> Points:
        if not counts.get(name):
            return points
        return without(points, self._server.points(run.id, name))

    def _check(self, run: Run, name: SeriesName, points: Points) -> None:
        lost = Points()
        for point in common(points, self._server.points(run.id, name), lost):
            self.sums.stored.add(run.id, name, point)
        if len(lost):
            self._tell(
                f"run {run.id}, metric {name.metric!r}: {len(lost)} points are not on the server as they were sent"
            )


def _all(series: Mapping[SeriesName, Points]) -> Iterator[tuple[SeriesName, Point]]:
    return ((name, point) for name, points in series.items() for point in points)


def without(points: Points, there: Iterable[Point]) -> Points:
    """Of two that are in order, what the first alone has."""
    lost = Points()
    for _ in common(points, there, lost):
        pass
    return lost


def common(points: Points, there: Iterable[Point], lost: Points) -> Iterator[Point]:
    """As `without`, what both have; what the first alone has goes to `lost`."""
    others = iter(there)
    other = next(others, None)
    for point in points:
        while other is not None and other < point:
            other = next(others, None)
        if other == point:
            yield point
        else:
            lost.append(point)

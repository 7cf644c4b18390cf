"""From the records of an outbox to requests. Everything here may be done twice and stays as done once.

What the server is unable to take now climbs as Unavailable or Denied; what it will never take is set aside, the rest of
the same request is not.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stepwell.client import columns, records
from stepwell.client.digests import digest
from stepwell.client.outbox import FILES, Broken, Item, Outbox, Place
from stepwell.client.records import Note, Points, Series
from stepwell.client.transport import Api, Denied, Refused, Unanswered, Unavailable, quoted

BATCH: Final = 50_000  # points of one request
_SAMPLES: Final = 10_000  # of one request
_TRIES: Final = 3  # to send a file, where nothing but that stays without an answer
_UNKNOWN_FORM: Final = (400, 403, 415)  # how a server that does not know a form may answer, or what stands before it


class FilesWait(Unavailable):
    """For some files alone: all else is sent."""


@dataclass
class Sums:
    """What became of what was delivered."""

    points: int = 0
    others: int = 0
    refused: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class _Due:
    """A file that the server did not take when it was its turn: what is before it is sent, and where it is."""

    note: Note
    before: Place
    segment: int


class Delivery:
    """Sends the records of one run. For one thread.

    tell: takes what a person should know: that something was refused or is damaged.
    """

    def __init__(self, api: Api, run_id: str, outbox: Outbox, tell: Callable[[str], None]) -> None:
        self.sums = Sums()
        self._api = api
        self._run_id = run_id
        self._run = f"/runs/{quoted(run_id)}"
        self._outbox = outbox
        self._tell = tell
        self._uploaded: list[Path] = []
        self._place = Place(0, 0)  # as far as it was sent from here, though a full disk takes no mark of it
        self._files_due: list[_Due] = []  # in the order of their places
        self._late = FilesWait("")  # why the last of them was not taken
        self._unanswered: Counter[str] = Counter()  # copies of files
        self._raw = True  # until the server takes as JSON what it refused in the raw form

    def deliver(
        self, *, ended: bool = False, late: bool = True, sent: Callable[[Place], None] = lambda _: None
    ) -> bool:
        """Send all that is there; whether there was anything. `sent` hears each new place. Unavailable, Denied.

        A file that the server does not take now holds nothing up: FilesWait comes once all behind it is sent. late:
        whether to try once more those of before.
        """
        begin = place = max(self._outbox.sent(), self._place)
        if late and self._files_due and not self._late_files():
            self._mark(place, sent)
        gathered: list[Note | Points] = []
        count = 0
        for item in self._outbox.items(begin, ended=ended):
            if isinstance(item, Item) and (weight := _weight(item.record)):
                gathered.append(item.record)
                count += weight
                place = item.after
                if count < BATCH:
                    continue
                self.send(gathered)
            else:
                self.send(gathered)
                self._one(item, place)
                place = item.after
            gathered, count = [], 0
            self._mark(place, sent)
        if gathered:
            self.send(gathered)
            self._mark(place, sent)
        if self._files_due:
            raise self._late
        return place != begin

    def send(self, found: Sequence[Note | Points]) -> None:
        """Send records in their order, neighbouring points together and neighbouring samples too."""
        points: list[Points] = []
        samples: dict[str, list[Any]] = {}
        for record in found:
            if isinstance(record, Points):
                points.append(record)
            elif record.kind == records.USAGE:
                samples.setdefault(str(record.fields["task"]), []).extend(record.fields["samples"])
            else:
                self._send_measured(points, samples)
                points, samples = [], {}
                self._note(record)
        self._send_measured(points, samples)

    def _mark(self, place: Place, sent: Callable[[Place], None]) -> None:
        """On the disk only as far as the first file that is due: another process would begin there."""
        self._place = place
        self._outbox.mark(self._files_due[0].before if self._files_due else place)
        while self._uploaded and not self._files_due:
            self._uploaded.pop().unlink(missing_ok=True)
        sent(place)

    @property
    def segments_due(self) -> set[int]:
        """The segments with a file that is due, though all else in them is sent."""
        return {due.segment for due in self._files_due}

    def _late_files(self) -> bool:
        """Try the files that are due once more; whether any are left."""
        due, self._files_due = self._files_due, []
        try:
            while due:
                self._file(due[0])
                del due[0]
        finally:
            self._files_due += due
        return bool(self._files_due)

    def _file(self, file: _Due) -> None:
        """Send a file, or keep it for later. If the server is away altogether, what comes next says so."""
        path = file.note.fields["path"]
        if any(path == each.note.fields["path"] for each in self._files_due):
            self._files_due.append(file)  # an older one of this name goes first
            return
        try:
            self._note(file.note)
        except Unavailable as error:
            told = f"the file {path!r} waits, all else is sent: {error}"
            self._late = FilesWait(told, status=error.status)
            self._files_due.append(file)

    def _one(self, item: Item | Broken, before: Place) -> None:
        if isinstance(item, Broken):
            self.sums.damaged += item.end - item.begin
            self._tell(str(item))
        elif isinstance(item.record, Note) and item.record.kind == records.FILE:
            self._file(_Due(item.record, before, item.after.segment))
        elif isinstance(item.record, Note):
            self._note(item.record)

    def _note(self, note: Note) -> None:
        fields = note.fields
        if note.kind == records.SEGMENT:
            return
        if note.kind == records.RUN:
            self._make_run(fields)
        elif note.kind == records.CHANGE:
            self._change(fields)
        elif note.kind == records.EVENT:
            self._try("POST", f"{self._run}/events", {"events": [fields["event"]]})
        elif note.kind == records.FILE:
            self._upload(str(fields["path"]), str(fields["stored"]))
        else:
            self._tell(f"a record of the unknown kind {note.kind!r} was passed over; a later version may read it")
            return
        self.sums.others += 1

    def _make_run(self, fields: Mapping[str, Any]) -> None:
        message = {
            "id": self._run_id,
            "experiment_id": self._experiment(fields.get("experiment")),
            "name": fields.get("name"),
            "user": fields.get("user", ""),
            "start_time_us": fields.get("start_time_us"),
        }
        try:
            self._api.send("POST", "/runs", message)
        except Refused as error:
            if error.code != "already_exists":
                self._set_aside("POST", "/runs", message, error)
                self._try("POST", "/runs", {"id": self._run_id, "start_time_us": message["start_time_us"]})
            elif fields.get("resume"):
                self._try("PATCH", self._run, {"status": "RUNNING"})

    def _experiment(self, name: str | None) -> int:
        """The number of the experiment of this name, which is made when it is missing."""
        if name is None:
            return 0
        try:
            return int(self._api.send("POST", "/experiments", {"name": name})["id"])
        except Refused as error:
            if error.code != "already_exists":
                self._set_aside("POST", "/experiments", {"name": name}, error)
                return 0
        escaped = name.replace("'", "''")
        found = self._api.get("/experiments", {"filter": f"name = '{escaped}'", "visibility": "all"})
        return int(found["experiments"]["id"][0])

    def _change(self, fields: Mapping[str, Any]) -> None:
        """All at once; where that is refused, each param and tag alone, so that one bad one costs no other."""
        try:
            self._api.send("PATCH", self._run, fields)
        except Refused as error:
            parts = records.parts(fields)
            if len(parts) == 1:
                self._part_refused(parts[0], error)
                return
            for part in parts:
                self._part(part)

    def _part(self, part: Mapping[str, Any]) -> None:
        try:
            self._api.send("PATCH", self._run, part)
        except Refused as error:
            self._part_refused(part, error)

    def _part_refused(self, part: Mapping[str, Any], error: Refused) -> None:
        if not ("remove_tags" in part and error.code == "not_found"):  # it is gone already
            self._set_aside("PATCH", self._run, part, error)

    def _upload(self, path: str, stored: str) -> None:
        local = self._outbox.folder / FILES / stored
        target = f"{self._run}/artifacts/{'/'.join(map(quoted, path.split('/')))}"
        try:
            self._api.request("PUT", target, local)
        except FileNotFoundError:
            self.sums.refused += 1
            self._tell(f"{local}: the copy of the file {path!r} is gone")
            return
        except Refused as error:
            self._set_aside("PUT", target, {"file": str(local)}, error)
            return
        except Unanswered as error:
            if not self._arrived(path, local):
                self._unanswered[stored] += 1
                if self._unanswered[stored] < _TRIES:
                    raise
                self._give_up_file(path, target, local, error)
                return
        self._uploaded.append(local)

    def _arrived(self, path: str, local: Path) -> bool:
        """Whether the server has a file though it never said so. Unavailable, Denied."""
        try:
            there = self._api.get(f"{self._run}/artifacts", {"path": path.rpartition("/")[0] or None})
            return dict(zip(there["path"], there["sha256"])).get(path) == digest(local)  # noqa: B905  columns
        except (Refused, OSError):
            return False

    def _give_up_file(self, path: str, target: str, local: Path, error: Unanswered) -> None:
        """The server answers everything else, and what stands behind this file must not wait for ever."""
        self.sums.refused += 1
        request = {"verb": "PUT", "path": target, "body": {"file": str(local)}}
        kept = self._kept(request, error.status, "unanswered", str(error))
        self._tell(f"the file {path!r} was sent {_TRIES} times, and not answered: {error}. It stays at {local}. {kept}")

    def _send_measured(self, points: Iterable[Points], samples: Mapping[str, list[Any]]) -> None:
        for batch in _batches(points):
            self._series(batch)
        for task, found in samples.items():
            for begin in range(0, max(len(found), 1), _SAMPLES):  # none at all make the task known
                part = found[begin : begin + _SAMPLES]
                self._try("POST", f"{self._run}/tasks/{quoted(task)}/resources", {"samples": part})
                self.sums.others += len(part)

    def _series(self, series: Sequence[Series]) -> None:
        try:
            self._points(series)
            self.sums.points += sum(len(each.steps) for each in series)
        except Refused as error:
            halves = _halves(series, rows=error.status == 413)
            if not halves or error.status == 404:
                self._set_aside("POST", f"{self._run}/points", columns.message(series), error)
                return
            for half in halves:
                self._series(half)

    def _points(self, series: Sequence[Series]) -> None:
        """In the raw form, or as JSON to a server that takes only that: an older one, or one behind a strict proxy."""
        path = f"{self._run}/points"
        if self._raw:
            try:
                self._api.request("POST", path, columns.raw(series), columns.POINTS)
            except (Refused, Denied, Unavailable) as error:
                if error.status not in _UNKNOWN_FORM:
                    raise
            else:
                return
        self._api.send("POST", path, columns.message(series))
        self._raw = False

    def _try(self, verb: str, path: str, message: Mapping[str, Any]) -> None:
        try:
            self._api.send(verb, path, message)
        except Refused as error:
            self._set_aside(verb, path, message, error)

    def _set_aside(self, verb: str, path: str, message: Mapping[str, Any], error: Refused) -> None:
        self.sums.refused += 1
        kept = self._kept({"verb": verb, "path": path, "body": message}, error.status, error.code, str(error))
        self._tell(f"the server refuses {verb} {path}: {error}. {kept}")

    def _kept(self, request: Mapping[str, Any], status: int, code: str, message: str) -> str:
        """Keep a request that is not sent again; where, for people."""
        about = {"time_us": time.time_ns() // 1000, "status": status, "code": code, "message": message}
        why_not = self._outbox.set_aside({**about, "request": request})
        if why_not:
            return f"The request is not kept in {self._outbox.refused}: {why_not}"
        return f"The request is kept in {self._outbox.refused}"


def _weight(record: Note | Points) -> int:
    """How much it adds to a request that it can share with others; 0 for what goes alone."""
    if isinstance(record, Points):
        return len(record)
    return max(len(record.fields["samples"]), 1) if record.kind == records.USAGE else 0


def _batches(points: Iterable[Points]) -> Iterable[list[Series]]:
    """Their series, each metric once in a batch, in batches of about BATCH points."""
    merged: dict[str, Series] = {}
    count = 0
    for each in points:
        for group in each.groups:
            for series in group.series():
                into = merged.setdefault(series.metric, Series(series.metric, array("q"), array("q"), array("d")))
                into.steps.extend(series.steps)
                into.times.extend(series.times)
                into.values.extend(series.values)
                count += len(series.steps)
        if count >= BATCH:
            yield list(merged.values())
            merged, count = {}, 0
    if merged:
        yield list(merged.values())


def _halves(series: Sequence[Series], *, rows: bool) -> list[Sequence[Series]]:
    """The same points in two requests; [] when that cannot help."""
    if len(series) > 1:
        middle = len(series) // 2
        return [series[:middle], series[middle:]]
    one = series[0]
    middle = len(one.steps) // 2
    if not rows or not middle:
        return []
    return [
        [Series(one.metric, one.steps[:middle], one.times[:middle], one.values[:middle])],
        [Series(one.metric, one.steps[middle:], one.times[middle:], one.values[middle:])],
    ]

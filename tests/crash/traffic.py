"""Callers of a real server that may die at any moment: each remembers what was acknowledged, and asks for it later.

They write through MLflow's interface and, in columns, through our own; all is asked for through MLflow's.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import numpy as np

from serving import HOST

MLFLOW = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
METRICS = ("loss", "accuracy", "lr")
PAGE = 20_000
COLUMNS = "application/vnd.stepwell.points"
Point = tuple[int, float, int]  # step, value, milliseconds


class Gone(Exception):
    """The server ended before it answered: what was asked may be done or not."""


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Talk:
    """One connection, used by one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)

    def ask(self, verb: str, path: str, body: bytes | None = None, form: str = "application/json") -> Answer:
        """Raises Gone."""
        try:
            self._connection.request(verb, path, body, {"content-type": form} if body else {})
            found = self._connection.getresponse()
            return Answer(found.status, found.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Gone(str(error)) from error

    def tell(self, path: str, message: object, verb: str = "POST") -> Answer:
        return self.ask(verb, path, json.dumps(message).encode())

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Asked:
    """One request: all of it is stored or nothing."""

    points: dict[str, list[Point]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # path -> SHA-256 of the content


@dataclass(slots=True)
class Remembered:
    """A run as its caller knows it: what was acknowledged, and the last request, which may not be."""

    run_id: str
    stored: Asked = field(default_factory=Asked)
    unsure: Asked = field(default_factory=Asked)
    purged: bool | None = False  # None: asked, but never heard whether

    def acknowledge(self) -> None:
        for metric, points in self.unsure.points.items():
            self.stored.points.setdefault(metric, []).extend(points)
        self.stored.params.update(self.unsure.params)
        self.stored.tags.update(self.unsure.tags)
        self.stored.files.update(self.unsure.files)
        self.unsure = Asked()


class Caller(threading.Thread):
    """Writes until the server is gone or `end` is set: batches, single points, params, files; and some runs it purges.

    `rows` is how many points a write in columns has; 0: it writes none. What an answer other than 200 says is kept in
    `surprises`.
    """

    def __init__(self, port: int, seed: int, *, purges: bool = False, rows: int = 0) -> None:
        super().__init__(name=f"caller-{seed}", daemon=True)
        self.runs: list[Remembered] = []
        self.surprises: list[str] = []
        self.refused = 0  # answers that the disk is full
        self.end = threading.Event()
        self._talk = Talk(port)
        self._rng = random.Random(seed)
        self._purges = purges
        self._rows = rows
        self._step = 0

    @property
    def acknowledged(self) -> int:
        return sum(len(points) for run in self.runs for points in run.stored.points.values())

    def run(self) -> None:
        try:
            while not self.end.is_set():
                self._live()
        except Gone:
            return
        finally:
            self._talk.close()

    def _live(self) -> None:
        """A run from its creation on; one that is not to be purged takes all that comes."""
        answer = self._talk.tell(f"{MLFLOW}/runs/create", {"experiment_id": "0"})
        if not self._good(answer):
            return
        run = Remembered(answer.json["run"]["info"]["run_id"])
        self.runs.append(run)
        left = self._rng.randint(1, 12) if self._purges else 10**9
        while left and not self.end.is_set():
            left -= 1
            kinds = (self._batch, self._single, self._file, self._columns)
            kind = self._rng.choices(kinds, (10, 5, 2, 4 if self._rows else 0))[0]
            if self._good(kind(run)):
                run.acknowledge()
            else:
                run.unsure = Asked()
        if not left:
            run.purged = None
            run.purged = self._good(self._talk.ask("DELETE", f"/api/v1/runs/{run.run_id}?purge=true"))

    def _good(self, answer: Answer) -> bool:
        if answer.status == 507:
            self.refused += 1
            if answer.json["error_code"] != "RESOURCE_EXHAUSTED":
                self.surprises.append(f"507 {answer.body!r}")
            self.end.wait(0.05)
        elif answer.status != 200:
            self.surprises.append(f"{answer.status} {answer.body[:300]!r}")
        return answer.status == 200

    def _point(self) -> Point:
        self._step += 1
        return (self._step, self._rng.choice((self._rng.random(), float(self._step), 1e300)), 1_000 + self._step)

    def _batch(self, run: Remembered) -> Answer:
        names = self._rng.choices(METRICS, k=self._rng.choice((1, 3, 30, 300)))
        asked = run.unsure = Asked()
        for name in names:
            asked.points.setdefault(name, []).append(self._point())
        if self._rng.random() < 0.3:
            asked.params = {f"p{self._step}": str(self._step)}
            asked.tags = {"last": str(self._step)}
        metrics = [
            {"key": name, "step": step, "value": value, "timestamp": ms}
            for name, points in asked.points.items()
            for step, value, ms in points
        ]
        return self._talk.tell(
            f"{MLFLOW}/runs/log-batch",
            {
                "run_id": run.run_id,
                "metrics": metrics,
                "params": [{"key": key, "value": value} for key, value in asked.params.items()],
                "tags": [{"key": key, "value": value} for key, value in asked.tags.items()],
            },
        )

    def _columns(self, run: Remembered) -> Answer:
        first, self._step = self._step + 1, self._step + self._rows
        steps = np.arange(first, self._step + 1)
        values = np.random.default_rng(first).random(self._rows)
        times = 1_000 + steps
        points = list(zip(steps.tolist(), values.tolist(), times.tolist(), strict=True))
        run.unsure = Asked(points={METRICS[1]: points})
        head = json.dumps({"series": [{"metric": METRICS[1], "rows": self._rows}]}).encode()
        head += b" " * (-len(head) % 8)
        parts = (len(head).to_bytes(8, "little"), head, steps.tobytes(), values.tobytes(), (1_000 * times).tobytes())
        return self._talk.ask("POST", f"/api/v1/runs/{run.run_id}/points", b"".join(parts), COLUMNS)

    def _single(self, run: Remembered) -> Answer:
        point = step, value, ms = self._point()
        run.unsure = Asked(points={METRICS[0]: [point]})
        message = {"run_id": run.run_id, "key": METRICS[0], "step": step, "value": value, "timestamp": ms}
        return self._talk.tell(f"{MLFLOW}/runs/log-metric", message)

    def _file(self, run: Remembered) -> Answer:
        path = f"model/part-{self._rng.randint(0, 3)}"  # some are replaced
        content = self._rng.randbytes(self._rng.choice((10, 5_000, 300_000)))
        run.unsure = Asked(files={path: hashlib.sha256(content).hexdigest()})
        return self._talk.ask("PUT", f"{FILES}/{place(run.run_id)}/{path}", content)


def place(run_id: str) -> str:
    """Where the artifacts of a run of experiment 0 are."""
    return f"0/{run_id}/artifacts"


# --- asking for everything --------------------------------------------------------------------------------------------


def assert_kept(port: int, callers: list[Caller]) -> None:
    """Everything acknowledged is there and nothing twice; the last request of each caller whole or not at all."""
    talk = Talk(port)
    try:
        for caller in callers:
            assert not caller.surprises, caller.surprises[:3]
            for run in caller.runs:
                _assert_run(talk, run)
    finally:
        talk.close()


def _assert_run(talk: Talk, run: Remembered) -> None:
    answer = talk.ask("GET", f"{MLFLOW}/runs/get?run_id={run.run_id}")
    if answer.status == 404:
        assert run.purged is not False, f"run {run.run_id} is gone"
        run.purged = True
        return
    assert answer.status == 200, answer.body
    assert run.purged is not True, f"the purged run {run.run_id} is back"
    data = answer.json["run"]["data"]
    found = Asked(
        points={metric: points for metric in METRICS if (points := list(history(talk, run.run_id, metric)))},
        params={each["key"]: each["value"] for each in data.get("params", ())},
        tags={each["key"]: each["value"] for each in data.get("tags", ()) if not each["key"].startswith("mlflow.")},
        files=dict(files(talk, run.run_id)),
    )
    before = _shown(run.stored)
    seen = _shown(found)
    run.acknowledge()
    after = _shown(run.stored)
    if seen not in (before, after):
        raise AssertionError(f"run {run.run_id}: {_difference(seen, before, after)}")
    run.stored, run.purged = found, False  # from here on it must stay so
    _assert_summaries(data.get("metrics", ()), found.points)


def _shown(asked: Asked) -> tuple[Any, ...]:
    points = {metric: Counter(points) for metric, points in asked.points.items() if points}
    return points, dict(asked.params), dict(asked.tags), dict(asked.files)


def _difference(seen: tuple[Any, ...], before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
    words = []
    for metric in METRICS:
        has, sure, at_most = (each[0].get(metric, Counter()) for each in (seen, before, after))
        lost, double = sure - has, has - at_most
        if lost or double:
            words.append(f"{metric}: lost {list(lost)[:3]}, too many {list(double)[:3]}")
    words += [
        f"{has} for {sure} or {at_most}" for has, sure, at_most in list(zip(seen, before, after, strict=True))[1:]
    ]
    return "; ".join(words)


def _assert_summaries(shown: Any, points: dict[str, list[Point]]) -> None:
    latest = {each["key"]: (each["step"], each["value"]) for each in shown}
    assert latest == {metric: max(points)[:2] for metric, points in points.items()}


def history(talk: Talk, run_id: str, metric: str) -> Iterator[Point]:
    """All points of a metric, page by page."""
    token: str | None = None
    while True:
        query = {
            "run_id": run_id,
            "metric_key": metric,
            "max_results": PAGE,
            **({"page_token": token} if token else {}),
        }
        answer = talk.ask("GET", f"{MLFLOW}/metrics/get-history?{urlencode(query)}")
        assert answer.status == 200, answer.body
        for each in answer.json.get("metrics", ()):
            yield int(each["step"]), float(each["value"]), int(each["timestamp"])
        token = answer.json.get("next_page_token")
        if not token:
            return


def files(talk: Talk, run_id: str) -> Iterator[tuple[str, str]]:
    """All files of a run: path and SHA-256 of what is downloaded."""
    listing = talk.ask("GET", f"{FILES}?{urlencode({'path': f'{place(run_id)}/model'})}")
    assert listing.status == 200, listing.body
    for each in listing.json.get("files", ()):
        path = f"model/{each['path'].rpartition('/')[2]}"
        content = talk.ask("GET", f"{FILES}/{place(run_id)}/{path}")
        assert content.status == 200, content.body
        yield path, hashlib.sha256(content.body).hexdigest()


class Repeater(threading.Thread):
    """Does something again and again until it raises OSError or is told to end."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.times = 0
        self.end = threading.Event()
        self._act = act

    def run(self) -> None:
        try:
            while not self.end.is_set():
                self._act()
                self.times += 1
        except (OSError, Gone):
            return

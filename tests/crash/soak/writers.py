"""Who writes during a soak: a writer for each dialect, in that dialect's words, that asks again until it is answered.

What they did is in their `runs`; an answer that nobody expects is in `surprises`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar, Final
from urllib.parse import urlencode

from crash.soak.machine import Levers
from crash.soak.memory import BEGIN, SECOND, Fate, Remembered
from crash.soak.talking import Secured
from crash.traffic import Answer, Gone

MLFLOW = "/api/2.0/mlflow"
AGAIN = frozenset({408, 429, 503, 507})
WHILE_POOR = frozenset({500})  # what may be answered too where the process is not given memory
DONE = frozenset({200, 201, 202, 204})


class Ended(Exception):
    """The writer is to end."""


class Writer(threading.Thread, ABC):
    """Makes runs and fills them, one after another, until `end` is set."""

    metrics: ClassVar[tuple[str, ...]] = ("loss",)
    sizes: ClassVar[tuple[int, ...]] = (1, 10, 100)  # points of a series in a request
    length: ClassVar[int] = 3_000  # points of a series in a run, on average
    pause: ClassVar[float] = 0.3
    cuttable: ClassVar[bool] = True  # whether its connection may break while the server goes on

    def __init__(self, port: int, levers: Levers, secret: str, seed: int) -> None:
        super().__init__(name=f"{type(self).__name__}-{seed}", daemon=True)
        self.talk = Secured(port)
        self.levers = levers
        self.secret = self.told_secret = secret
        self.rng = random.Random(seed)
        self.number = 1_000 * seed
        self.runs: list[Remembered] = []
        self.answers: Counter[int] = Counter()  # by status; 0: none came
        self.surprises: list[str] = []
        self.end = threading.Event()
        self.poor = threading.Event()

    def run(self) -> None:
        with suppress(Ended):
            while True:
                self._live()
        self.talk.close()

    def _live(self) -> None:
        self.number += 1
        run = self.begin()
        self.runs.append(run)
        length = self.rng.randint(self.length // 2, self.length * 3 // 2)
        while run.sure < length:
            stop = run.sure + self.rng.choice(self.sizes)
            run.stops.add(stop)
            run.asked = stop
            body = self.message(run, run.sure, stop)  # the same again, if it must be
            self.insist(lambda body=body: self.send(run, body), stored=lambda: self.stored(run))  # type: ignore[misc]
            run.sure = stop
            self.beside(run)
            self.end.wait(self.pause * self.rng.random() * 2)
        self.finish(run)

    def insist(
        self, act: Callable[[], Answer], *, also: frozenset[int] = frozenset(), stored: Callable[[], bool] | None = None
    ) -> Answer:
        """Ask until it is done. `also`: what is as good as that; `stored`: whether it is done, where no answer came."""
        while not self.end.is_set():
            try:
                answer = act()
            except Gone:
                self.answers[0] += 1
                self.end.wait(0.1)
                if stored is not None and stored():
                    return Answer(204, b"")
                continue
            self.answers[answer.status] += 1
            if answer.status in DONE or answer.status in also:
                return answer
            if answer.status == 401:
                self.log_in()
            elif answer.status not in AGAIN and not (answer.status in WHILE_POOR and self.poor.is_set()):
                self.surprises.append(f"{self.name}: {answer.status} {answer.body[:300]!r}")
                break
            self.end.wait(0.1)
        raise Ended

    def stored(self, run: Remembered) -> bool:
        """Whether what was asked last is there. Where a repeat changes nothing nobody needs to know."""
        del run
        return False

    def remembered(self, run_id: str) -> Remembered:
        """A run that begins."""
        return Remembered(id=run_id, seed=self.number, metrics=self.metrics, secret=self.told_secret)

    def log_in(self) -> None:
        """A credential was refused."""
        self.surprises.append(f"{self.name}: the credential was refused")
        self.end.set()

    @abstractmethod
    def begin(self) -> Remembered:
        """Make a run."""

    @abstractmethod
    def message(self, run: Remembered, start: int, stop: int) -> object:
        """What is sent of the run's points."""

    @abstractmethod
    def send(self, run: Remembered, message: object) -> Answer:
        """One request."""

    def beside(self, run: Remembered) -> None:
        """What else is done from time to time."""

    def finish(self, run: Remembered) -> None:
        """The run has all its points."""


class Mlflow(Writer):
    """Batches of several metrics. Of its runs some are deleted, which after a day are gone."""

    metrics = ("loss", "accuracy", "lr")
    sizes = (1, 10, 100, 300)

    def begin(self) -> Remembered:
        answer = self.insist(
            lambda: self.talk.tell(f"{MLFLOW}/runs/create", {"experiment_id": "0"}, secret=self.secret)
        )
        return self.remembered(answer.json["run"]["info"]["run_id"])

    def message(self, run: Remembered, start: int, stop: int) -> object:
        metrics = [
            {"key": name, "step": step, "value": value, "timestamp": time // 1_000}
            for number, name in enumerate(run.metrics)
            for step, value, time in zip(*(each.tolist() for each in run.points(number, start, stop)), strict=True)
        ]
        return {"run_id": run.id, "metrics": metrics}

    def send(self, run: Remembered, message: object) -> Answer:
        return self.talk.tell(f"{MLFLOW}/runs/log-batch", message, secret=self.secret)

    def finish(self, run: Remembered) -> None:
        if self.rng.random() < 0.5:
            return
        run.fate = Fate.LEAVING
        self.insist(lambda: self.talk.tell(f"{MLFLOW}/runs/delete", {"run_id": run.id}, secret=self.secret))
        run.fate, run.fate_at = Fate.DELETED, self.levers.wall


class Native(Writer):
    """Columns of points, and files, some replaced. Of its runs some are purged."""

    metrics = ("a", "b")
    sizes = (1, 100, 1_000, 2_000)
    length = 20_000

    def begin(self) -> Remembered:
        run_id = f"native-{self.number}-{self.rng.getrandbits(40):x}"
        self.insist(
            lambda: self.talk.tell("/api/v1/runs", {"id": run_id}, secret=self.secret),
            also=frozenset({409}),  # made by a request that was never answered
        )
        return self.remembered(run_id)

    def message(self, run: Remembered, start: int, stop: int) -> object:
        series = []
        for number, name in enumerate(run.metrics):
            steps, values, times = (each.tolist() for each in run.points(number, start, stop))
            series.append({"metric": name, "steps": steps, "values": values, "times_us": times})
        return {"series": series}

    def send(self, run: Remembered, message: object) -> Answer:
        return self.talk.tell(f"/api/v1/runs/{run.id}/points", message, secret=self.secret)

    def beside(self, run: Remembered) -> None:
        if self.rng.random() > 0.2:
            return
        path = f"model/part-{self.rng.randint(0, 3)}"
        content = self.rng.randbytes(self.rng.choice((10, 5_000, 200_000)))
        digest = hashlib.sha256(content).hexdigest()
        run.file_asked = path, digest
        where = f"/api/v1/runs/{run.id}/artifacts/{path}"
        self.insist(lambda: self.talk.ask("PUT", where, content, secret=self.secret))
        run.files[path] = digest

    def finish(self, run: Remembered) -> None:
        if self.rng.random() < 0.4:
            return
        run.fate = Fate.LEAVING
        self.insist(
            lambda: self.talk.ask("DELETE", f"/api/v1/runs/{run.id}?purge=true", secret=self.secret),
            also=frozenset({404}),  # by a request that was never answered
        )
        run.fate = Fate.PURGED


class Trimmed(Native):
    """As the native writer, where the last points of a series are kept, and no files."""

    length = 12_000
    most: ClassVar[int] = 2_000

    def begin(self) -> Remembered:
        run = super().begin()
        run.most = self.most
        return run

    def beside(self, run: Remembered) -> None:
        pass

    def finish(self, run: Remembered) -> None:
        pass


class Sap(Writer):
    """Patches of an execution, with a token that ends after twelve hours. To this vendor a repeat is more of the same:
    who heard no answer looks first."""

    metrics = ("error",)
    sizes = (1, 10, 50)
    cuttable = False  # else it might look before the server has done what it has not answered

    def begin(self) -> Remembered:
        if self.secret is self.told_secret:
            self.log_in()
        return self.remembered(f"sap-{self.number}-{self.rng.getrandbits(40):x}")

    def log_in(self) -> None:
        basic = base64.b64encode(f"soak:{self.told_secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = self.insist(lambda: self.talk.ask("POST", "/oauth/token", form, secret="", headers=headers))
        self.secret = answer.json["access_token"]

    def message(self, run: Remembered, start: int, stop: int) -> object:
        steps, values, times = (each.tolist() for each in run.points(0, start, stop))
        metrics = [
            {"name": "error", "value": value, "step": step, "timestamp": _rfc3339(time)}
            for step, value, time in zip(steps, values, times, strict=True)
        ]
        return {"executionId": run.id, "metrics": metrics}

    def send(self, run: Remembered, message: object) -> Answer:
        return self.talk.tell("/v2/lm/metrics", message, secret=self.secret, verb="PATCH", ai_resource_group="default")

    def stored(self, run: Remembered) -> bool:
        where = f"/api/v1/runs/{run.id}/series"
        answer = self.insist(lambda: self.talk.ask("GET", where, secret=self.told_secret), also=frozenset({404}))
        return answer.status == 200 and answer.json["count"] == [run.asked]


class Pluto(Writer):
    """Streams of lines, of which a part may be stored. It gives signs of life, until it leaves its run alone."""

    metrics = ("train/loss", "train/reward")
    sizes = (1, 20, 200)
    length = 2_000

    def begin(self) -> Remembered:
        name = f"pluto-{self.number}-{self.rng.getrandbits(40):x}"
        asked = {"runName": name, "projectName": "soak", "externalId": name}
        self.key = self.insist(lambda: self.talk.tell("/api/runs/create", asked, secret=self.secret)).json["runId"]
        found = self.insist(
            lambda: self.talk.tell("/api/v1/runs/search", {"filter": f"run_name = '{name}'"}, secret=self.secret)
        ).json
        run = self.remembered(found["runs"]["id"][0])
        run.whole = False
        return run

    def message(self, run: Remembered, start: int, stop: int) -> object:
        one, other = (run.points(number, start, stop) for number in (0, 1))
        columns = (one[0].tolist(), (one[2] // 1_000).tolist(), one[1].tolist(), other[1].tolist())
        lines = [
            json.dumps({"time": time, "step": step, "data": {run.metrics[0]: first, run.metrics[1]: second}})
            for step, time, first, second in zip(*columns, strict=True)
        ]
        return "\n".join(lines).encode()

    def send(self, run: Remembered, message: object) -> Answer:
        assert isinstance(message, bytes)
        headers = {"x-run-id": str(self.key), "x-project-name": "soak"}
        return self.talk.ask("POST", "/ingest/metrics", message, secret=self.secret, headers=headers)

    def beside(self, run: Remembered) -> None:
        if self.rng.random() < 0.3:
            self.insist(lambda: self.talk.tell("/api/runs/trigger", {"runId": self.key}, secret=self.secret))

    def finish(self, run: Remembered) -> None:
        run.silent_since = self.levers.lived


class ModelArts(Writer):
    """Samples of what a worker uses, for a job of the vendor's interface."""

    metrics = ("resource/cpu", "resource/mem")
    sizes = (1, 30, 120)
    length = 1_500

    def begin(self) -> Remembered:
        job = {"metadata": {"name": f"job-{self.number}"}, "spec": {"resource": {"node_count": 1}}}
        made = self.insist(lambda: self.talk.tell("/v2/default/training-jobs", job, secret=self.secret)).json
        run = self.remembered(made["metadata"]["id"])
        run.labels = ("task=worker-0",)
        run.by_time = True
        return run

    def message(self, run: Remembered, start: int, stop: int) -> object:
        cpu, mem = (run.points(number, start, stop) for number in (0, 1))
        columns = ((cpu[2] // 1_000).tolist(), cpu[1].tolist(), mem[1].tolist())
        samples = [{"time": time, "cpu": one, "mem": other} for time, one, other in zip(*columns, strict=True)]
        return {"start_time": BEGIN // 1_000, "samples": samples}

    def send(self, run: Remembered, message: object) -> Answer:
        return self.talk.tell(f"/api/v1/runs/{run.id}/tasks/worker-0/resources", message, secret=self.secret)

    def beside(self, run: Remembered) -> None:
        if self.rng.random() < 0.1:
            where = f"/v2/default/training-jobs/{run.id}/metrics/worker-0"
            self.insist(lambda: self.talk.ask("GET", where, secret=self.secret))


def _rfc3339(time: int) -> str:
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


WRITERS: Final[tuple[Callable[[int, Levers, str, int], Writer], ...]] = (Mlflow, Native, Sap, Pluto, ModelArts)

"""What a client is told does not depend on the engine: random requests of several vendors, to a directory and to a
warehouse, are answered alike.

Both make up the same ids, at the same time. Cursors are each server's own, and so are the bounds of buckets that hold
several points, with them which points are chosen from more, and the keys of runs: PostgreSQL gives none again that a
refused request took.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from inside import Answer, Inside
from stepwell.app import build_app
from stepwell.core import ids
from stepwell.core.store import Store
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.web.work import Work
from stores import ENGINES, NOW

REQUESTS: Final = 120  # of one seed
MLFLOW, NATIVE = "/api/2.0/mlflow", "/api/v1"
VALUES: Final = (0.0, -0.0, 1.5, -2.5, 0.1, 1e30, 5e-324, 7, 12345.678, "NaN", "Infinity", "-Infinity")
NAMES: Final = ("loss", "Loss", "acc/top 1", "é", "a.b", "sys/gpu.0")
WORDS: Final = ("", "x", "X", "one", "ünï 'quoted'", "10", "9", "a%b_c", "\\", "0.5")
STATUSES: Final = ("RUNNING", "FINISHED", "FAILED", "KILLED", "SCHEDULED")
# What says where a server is, or when it was asked by whom; and its own places in its own answers.
OWN: Final = frozenset({"request_id", "requestId", "cursor", "since", "next_page_token", "before", "earlier"})
KEYS: Final = frozenset({"key", "id", "runId"})  # where they are numbers
FILTERS: Final = (
    "",
    "metrics.loss > 1",
    "metrics.loss <= 0.1 AND tags.t = 'x'",
    "metrics.loss = 1.5",
    "metrics.Loss != 0",
    "metrics.`acc/top 1` >= -2.5",
    "params.p LIKE '%x%'",
    "params.p ILIKE 'X'",
    "tags.t != 'one'",
    "attributes.status = 'FINISHED'",
    "attributes.run_name LIKE 'name-%'",
    "attributes.start_time > 1700000000100",
)
ORDERS: Final = (
    "metrics.loss",
    "metrics.loss DESC",
    "metrics.`acc/top 1` ASC",
    "params.p",
    "tags.t DESC",
    "attributes.start_time",
    "attributes.status DESC",
    "attributes.run_name",
)
NATIVE_FILTERS: Final = (*FILTERS, "max(metrics.loss) > 1", "mean(metrics.loss) < 2", "count(metrics.loss) >= 3")


def bare(answer: Any) -> Any:
    """Without what is each server's own; numbers that were computed from many are equal to nine digits."""
    if isinstance(answer, dict):
        return {name: bare(value) for name, value in answer.items() if name not in OWN}
    if isinstance(answer, list):
        return [bare(each) for each in answer]
    if isinstance(answer, float) and math.isfinite(answer):
        return float(f"{answer:.9g}")
    return answer


@dataclass(kw_only=True)
class Side:
    """One of the servers. `keys`: of runs, in the order in which it told of them."""

    store: Store
    inside: Inside
    close: Callable[[], None]
    keys: list[int] = field(default_factory=list)

    def ask(self, asked: Asked, token: str = "") -> Answer:
        """`token` goes where the last answer ended."""
        target, body = self._own(asked.target), self._own(asked.body)
        if token and asked.token:
            where, name = asked.token
            if where == "body":
                body = json.dumps({**json.loads(body), name: token})
            else:
                target += ("&" if "?" in target else "?") + urlencode({name: token})
        return self.inside.ask(
            asked.method,
            target,
            headers={name: self._own(text) for name, text in asked.headers.items()},
            body=body.encode(),
        )

    def told(self, asked: Asked, answer: Answer) -> tuple[int, Any]:
        """The status, and what is compared of the answer."""
        try:
            told = self._shared(json.loads(answer.body))
        except ValueError:
            return answer.status, answer.body
        return answer.status, asked.told(told) if answer.status < 300 else bare(told)

    def _own(self, text: str) -> str:
        """With its keys in their places."""
        return re.sub(r"@(\d+)@", lambda found: str(self.keys[int(found[1])]), text)

    def _shared(self, told: Any) -> Any:
        """With their places for its keys."""
        if isinstance(told, list):
            return [self._shared(each) for each in told]
        if not isinstance(told, dict):
            return told
        return {name: self._place(each) if name in KEYS else self._shared(each) for name, each in told.items()}

    def _place(self, key: Any) -> Any:
        if isinstance(key, list):
            return [self._place(each) for each in key]
        if not isinstance(key, int):
            return self._shared(key)
        if key not in self.keys:
            self.keys.append(key)
        return f"@{self.keys.index(key)}@"


class Seeded(random.Random):
    """In the place of `secrets`."""

    def token_hex(self, count: int) -> str:
        return self.randbytes(count).hex()

    randbelow = random.Random.randrange


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. `token`: where that of a next page goes, and how it is called there. `learnt` is given the id of what
    was made, which the answer has at the end of the way `learns`."""

    method: str
    target: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    token: tuple[str, str] | None = None
    next: str = ""
    learns: tuple[str, ...] = ()
    learnt: Callable[[str], None] = lambda made: None
    told: Callable[[Any], Any] = bare


class Traffic:
    """Requests that mean each other's runs."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.runs = ["nobody"]
        self.keys: list[str] = []  # of runs that Pluto's interface made
        self.executions = [f"exec-{number}" for number in range(3)]
        self.made = 0

    def any(self) -> Asked:
        """The next one."""
        kinds = {
            self._experiment: 2,
            self._mlflow_run: 4,
            self._native_run: 3,
            self._pluto_run: 2,
            self._mlflow_write: 14,
            self._mlflow_change: 8,
            self._mlflow_read: 8,
            self._mlflow_search: 6,
            self._native_points: 8,
            self._native_change: 5,
            self._native_read: 14,
            self._native_search: 5,
            self._pluto: 8,
            self._sap: 8,
        }
        (kind,) = self.rng.choices(list(kinds), list(kinds.values()))
        return kind()

    # --- what they are made of ---

    def _run(self) -> str:
        return self.rng.choice(self.runs[-4:] if self.rng.random() < 0.9 else [*self.runs, *self.executions])

    def _step(self) -> int:
        return self.rng.choice((0, 0, 1, 2, 3, 5, 8, 100, -1, 2**53, self.rng.randrange(50)))

    def _ms(self) -> int:
        return NOW // 1000 + self.rng.randrange(-3, 6) * self.rng.choice((0, 1, 1000))

    def _metrics(self, most: int) -> list[dict[str, Any]]:
        count = self.rng.randrange(most)
        found = [
            {
                "key": self.rng.choice(NAMES[:3] if self.rng.random() < 0.8 else NAMES),
                "value": self.rng.choice(VALUES),
                "timestamp": self._ms(),
                "step": self._step(),
            }
            for _ in range(count)
        ]
        return found + self.rng.sample(found, self.rng.randrange(len(found) + 1) // 3)

    # --- MLflow ---

    def _experiment(self) -> Asked:
        name = self.rng.choice(("first", "second", "first ", "Ä"))
        return post(f"{MLFLOW}/experiments/create", {"name": name, "tags": [{"key": "t", "value": "x"}]})

    def _mlflow_run(self) -> Asked:
        self.made += 1
        body = {
            "experiment_id": self.rng.choice(("0", "0", "0", "0", "1", "9")),
            "run_name": f"name-{self.made % 4}",
            "start_time": self._ms(),
            "tags": [{"key": "t", "value": self.rng.choice(WORDS)}],
        }
        return post(f"{MLFLOW}/runs/create", body, learns=("run", "info", "run_id"), learnt=self.runs.append)

    def _mlflow_write(self) -> Asked:
        run = self._run()
        if self.rng.random() < 0.3:
            points = self._metrics(3) or [{"key": "k", "value": 1, "timestamp": 0}]
            point = {**points[0], "run_id": run}
            if self.rng.random() < 0.2:
                point.pop("step", None)
            return post(f"{MLFLOW}/runs/log-metric", point)
        body = {
            "run_id": run,
            "metrics": self._metrics(30),
            "params": [{"key": self.rng.choice("pq"), "value": self.rng.choice(WORDS)}] * self.rng.randrange(2),
            "tags": [{"key": self.rng.choice("tu"), "value": self.rng.choice(WORDS)}] * self.rng.randrange(2),
        }
        return post(f"{MLFLOW}/runs/log-batch", body)

    def _mlflow_change(self) -> Asked:
        run, word = self._run(), self.rng.choice(WORDS)
        changes: list[tuple[str, dict[str, Any]]] = [
            ("log-parameter", {"key": "p", "value": word}),
            ("set-tag", {"key": self.rng.choice(("t", "mlflow.note.content", "mlflow.runName")), "value": word}),
            ("delete-tag", {"key": self.rng.choice("tu")}),
            ("update", {"status": self.rng.choice(STATUSES), "end_time": self._ms()}),
            ("update", {"run_name": word}),
            ("delete", {}),
            ("restore", {}),
        ]
        kind, body = self.rng.choice(changes)
        return post(f"{MLFLOW}/runs/{kind}", {"run_id": run, **body})

    def _mlflow_read(self) -> Asked:
        run, key = self._run(), self.rng.choice(NAMES)
        kind = self.rng.randrange(4)
        if kind == 0:
            return get(f"{MLFLOW}/runs/get", run_id=run)
        if kind == 1:
            paged = {"max_results": self.rng.choice((1, 3, 100))} if self.rng.random() < 0.7 else {}
            return get(
                f"{MLFLOW}/metrics/get-history",
                run_id=run,
                metric_key=key,
                **paged,
                token=("query", "page_token"),
                next="next_page_token",
            )
        runs = [run, self._run()]
        if kind == 2:
            return get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id=runs, metric_key=key)
        window = {"start_step": self.rng.randrange(5), "end_step": 60} if self.rng.random() < 0.5 else {}
        most = self.rng.choice((4, 9, 320))
        return get(
            f"{MLFLOW}/metrics/get-history-bulk-interval",
            run_ids=runs,
            metric_key=key,
            max_results=most,
            **window,
            told=ends if most < 320 else bare,
        )

    def _mlflow_search(self) -> Asked:
        body = {
            "experiment_ids": self.rng.choice((["0"], ["0", "1"], ["1"])),
            "filter": self.rng.choice(FILTERS),
            "order_by": self.rng.sample(ORDERS, self.rng.randrange(3)),
            "run_view_type": self.rng.choice(("ACTIVE_ONLY", "DELETED_ONLY", "ALL")),
            "max_results": self.rng.choice((1, 2, 100)),
        }
        return post(f"{MLFLOW}/runs/search", body, token=("body", "page_token"), next="next_page_token")

    # --- our own ---

    def _native_run(self) -> Asked:
        name = f"native-{self.rng.randrange(6)}"
        self.runs.append(name)
        body = {
            "id": name,
            "name": f"name-{self.rng.randrange(4)}",
            "experiment_id": self.rng.choice((0, 0, 1, 9)),
            "params": {"p": self.rng.choice(WORDS)},
            "tags": {"t": self.rng.choice(WORDS)},
        }
        return post(f"{NATIVE}/runs", body)

    def _native_points(self) -> Asked:
        series = []
        for _ in range(self.rng.randrange(1, 4)):
            count = self.rng.randrange(20)
            begin = self.rng.randrange(-5, 40)
            steps = (
                list(range(begin, begin + count)) if self.rng.random() < 0.7 else [self._step() for _ in range(count)]
            )
            one = {
                "metric": self.rng.choice(NAMES[:3]),
                "steps": steps,
                "values": [self.rng.choice(VALUES) for _ in steps],
                "labels": self.rng.choice(({}, {}, {"w": "0"}, {"w": "1", "v": "é"})),
            }
            if self.rng.random() < 0.8:
                one["times_us"] = [NOW + self.rng.randrange(-10, 10) * 333 for _ in steps]
            series.append(one)
        more = self.rng.choice(({}, {}, {"params": {"q": self.rng.choice(WORDS)}}, {"status": "FINISHED"}))
        return post(f"{NATIVE}/runs/{self._run()}/points", {"series": series, **more})

    def _native_change(self) -> Asked:
        run, word = self._run(), self.rng.choice(WORDS)
        path = f"{NATIVE}/runs/{run}"
        kind = self.rng.randrange(8)
        if kind == 0:
            return Asked(method="DELETE", target=path + self.rng.choice(("", "", "?purge=true")))
        if kind == 1:
            return post(f"{path}/restore", {})
        if kind == 2:
            events = [{"kind": "note", "text": word, "time_us": NOW + self.rng.randrange(5)}] * self.rng.randrange(3)
            return post(f"{path}/events", {"events": events})
        if kind == 3:
            lines = [
                {
                    "stream": self.rng.choice(("stdout", "err")),
                    "line": self.rng.randrange(6),
                    "text": word,
                    "time_us": NOW,
                }
                for _ in range(self.rng.randrange(4))
            ]
            return post(f"{path}/logs", {"lines": lines})
        if kind == 4:
            runs = [self._run() for _ in range(3)]
            what = self.rng.choice(({"set_tags": {"t": word}}, {"lifecycle": "deleted"}, {"lifecycle": "active"}))
            return post(f"{NATIVE}/runs/change", {"run_ids": runs, **what})
        change = self.rng.choice(
            (
                {"name": word},
                {"note": word},
                {"status": self.rng.choice(STATUSES)},
                {"params": {"p": word}},
                {"set_tags": {"t": word}, "remove_tags": ["u"]},
                {"set_custom_info": {"info": word * 3}},
            )
        )
        return post(path, change, method="PATCH")

    def _native_read(self) -> Asked:
        run, metric = self._run(), self.rng.choice(NAMES[:3])
        path = f"{NATIVE}/runs/{run}"
        kind = self.rng.choice(("metrics", "params", "tags"))
        questions = [
            get(path),
            get(f"{path}/series"),
            get(f"{path}/series", metric=metric),
            get(f"{path}/points", metric=metric, since="", limit=self.rng.choice((3, 1000))),
            *[self._points(path, metric)] * 4,
            *[self._buckets(run, metric)] * 4,
            post(f"{NATIVE}/summaries", {"run_ids": [run, self._run()], "metrics": list(NAMES)}),
            get(f"{NATIVE}/names", kind=kind, contains=self.rng.choice("alLé")),
            *(get(f"{path}/{each}") for each in ("events", "logs", "logs/streams", "custom-info", "lineage")),
        ]
        return self.rng.choice(questions)

    def _window(self) -> dict[str, int]:
        bounds = [
            (f"{bound}_{name}", self.rng.randrange(least, most))
            for name, least, most in (("step", -2, 30), ("time_us", NOW - 3000, NOW + 3000))
            for bound in ("min", "max")
        ]
        return dict(self.rng.sample(bounds, self.rng.choice((0, 0, 1, 2))))

    def _points(self, path: str, metric: str) -> Asked:
        order, limit = self.rng.choice(("key", "time")), self.rng.choice((1, 4, 1000))
        asked = {"metric": metric, "order": order, "limit": limit, **self._window()}
        return get(f"{path}/points", **asked, token=("query", "cursor"), next="cursor")

    def _buckets(self, run: str, metric: str) -> Asked:
        series: list[dict[str, Any]] = [{"run_id": each, "metric": metric} for each in (run, self._run())]
        series.append({"run_id": run, "metric": metric, "labels": {"w": "0"}})
        budget = self.rng.choice((1, 3, 1000))
        body = {"series": series, "window": self._window(), "budget": budget}
        return post(f"{NATIVE}/buckets", body, told=counts if budget == 3 else bare)

    def _native_search(self) -> Asked:
        if self.rng.random() < 0.1:
            return get(f"{NATIVE}/{self.rng.choice(('experiments', 'usage', 'workspaces', 'session', 'audit'))}")
        order = [each.removeprefix("attributes.") for each in self.rng.sample(ORDERS, self.rng.randrange(3))]
        body = {
            "filter": self.rng.choice(NATIVE_FILTERS).replace("attributes.", ""),
            "order_by": order,
            "visibility": self.rng.choice(("active", "deleted", "all")),
            "limit": self.rng.choice((1, 3, 100)),
            "total": True,
            "columns": {"metrics": list(NAMES), "params": "*", "tags": "*"},
        }
        return post(f"{NATIVE}/runs/search", body, token=("body", "cursor"), next="cursor")

    # --- Pluto ---

    def _pluto_run(self) -> Asked:
        self.made += 1
        body = {
            "runName": f"name-{self.made % 4}",
            "projectName": "first",
            "config": json.dumps({"a": {"b": self.made}}),
        }
        if self.rng.random() < 0.3:
            body["externalId"] = f"external-{self.rng.randrange(3)}"
        return post("/api/runs/create", body, learns=("runId",), learnt=self.keys.append)

    def _pluto(self) -> Asked:
        if not self.keys:
            return self._pluto_run()
        key, metric = self.rng.choice(self.keys[-4:]), self.rng.choice(NAMES)
        chosen = {"runId": key, "projectName": "first"}
        kind = self.rng.randrange(9)
        if kind <= 3:
            lines = [
                {"time": self._ms(), "step": abs(self._step()), "data": {each["key"]: each["value"]}}
                for each in self._metrics(20)
            ]
            text = "\n".join(map(json.dumps, lines))
            return Asked(
                method="POST", target="/ingest/metrics", body=text, headers={"x-run-id": key, "x-project-name": "first"}
            )
        if kind == 4:
            return get("/api/runs/metrics", **chosen, logName=metric, limit=self.rng.choice((1, 2, 5, 1000)))
        if kind == 5:
            return get("/api/runs/statistics", **chosen)
        if kind == 6:
            return get("/api/runs/list", projectName="first", limit=20)
        if kind == 7:
            return get(f"/api/runs/details/{key}")
        tags = self.rng.sample(("x", "y:z", "t"), self.rng.randrange(3))
        return Asked(
            method="POST",
            target="/api/runs/tags/update",
            body=f'{{"runId": {key}, "tags": {json.dumps(tags)}}}',
            headers={"content-type": "application/json"},
        )

    # --- SAP ---

    def _sap(self) -> Asked:
        headers = {"ai-resource-group": "default"}
        execution = self.rng.choice(self.executions)
        kind = self.rng.random()
        if kind < 0.55:
            metrics = [
                {
                    "name": each["key"],
                    "value": each["value"] if isinstance(each["value"], float | int) else 1,
                    "timestamp": self.rng.choice(("2023-11-14T22:13:20Z", "2023-11-14T22:13:20.123456Z", None)),
                    "step": abs(each["step"]) % 1000,
                    "labels": self.rng.choice(([], [{"name": "w", "value": "0"}])),
                }
                for each in self._metrics(8)
            ]
            body = {
                "executionId": execution,
                "metrics": metrics,
                "tags": [{"name": "t", "value": self.rng.choice(WORDS)}] * self.rng.randrange(2),
                "customInfo": [{"name": "info", "value": self.rng.choice(WORDS)}] * self.rng.randrange(2),
            }
            return post("/v2/lm/metrics", body, method="PATCH", headers=headers)
        if kind < 0.95:
            asked = {"executionIds": ",".join(self.rng.sample([*self.executions, self._run()], 2))}
            if self.rng.random() < 0.3:
                asked["$select"] = self.rng.choice(("metrics", "tags", "customInfo", "*"))
            return get("/v2/lm/metrics", **asked, headers=headers)
        return Asked(method="DELETE", target=f"/v2/lm/metrics?executionId={execution}", headers=headers)


def post(
    target: str, body: Any, *, method: str = "POST", headers: Mapping[str, str] | None = None, **more: Any
) -> Asked:
    """JSON that is sent."""
    sent = {"content-type": "application/json", **(headers or {})}
    return Asked(method=method, target=target, body=json.dumps(body), headers=sent, **more)


def get(target: str, **query: Any) -> Asked:
    """A question. `headers`, `token`, `next` and `told` are those of the request."""
    more = {name: query.pop(name) for name in ("headers", "token", "next", "told") if name in query}
    text = urlencode(query, doseq=True, safe="@")
    return Asked(method="GET", target=f"{target}?{text}" if text else target, **more)


# --- what of an answer is compared ------------------------------------------------------------------------------------


def counts(answer: Any) -> Any:
    """Of buckets whose bounds are each server's own: how many points they have together."""
    return [{**each, "buckets": sum(each["buckets"]["count"])} for each in answer["series"]]


def ends(answer: Any) -> Any:
    """Of points chosen from more: what each run surely keeps, its first and last step and its extremes."""
    runs: dict[str, list[Any]] = {}
    for point in bare(answer).get("metrics", ()):
        runs.setdefault(point["run_id"], []).append(point)
    finite = {
        run: [each["value"] for each in points if math.isfinite(float(each["value"]))] for run, points in runs.items()
    }
    return {
        run: (points[0], points[-1], min(finite[run], default=None), max(finite[run], default=None))
        for run, points in runs.items()
    }


def found(answer: Any, way: tuple[str, ...]) -> str | None:
    for name in way:
        if not isinstance(answer, dict) or name not in answer:
            return None
        answer = answer[name]
    return str(answer)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side, list[int]]]:
    """A directory, a warehouse in which a few points are many, and what time it is."""
    now = [NOW]
    key = ServerKey(new_key())
    made = [side(tmp_path / name.replace(" ", "-"), name, now, key) for name in ("embedded", "tight warehouse")]
    yield made[0], made[1], now
    for each in made:
        each.close()


def side(directory: Path, engine: str, now: list[int], key: ServerKey) -> Side:
    store = ENGINES[engine].open(directory, lambda: now[0], background=False)
    work = Work()
    inside = Inside(build_app(Settings(data_dir=directory), store, work=work, key=key, clock=lambda: now[0]))

    def close() -> None:
        inside.close()
        work.close()
        store.close()
        ENGINES[engine].remove(directory)

    return Side(store=store, inside=inside, close=close)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 40))])
def test_both_engines_answer_alike(
    sides: tuple[Side, Side, list[int]], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    *both, now = sides
    traffic = Traffic(seed)
    for number in range(REQUESTS):
        now[0] += traffic.rng.choice((0, 1, 1000, 250_000))
        tidied = traffic.rng.random()
        for each in both:
            if tidied < 0.06:
                each.store.flush()
            elif tidied < 0.08:
                each.store.compact()
        asked = traffic.any()
        tokens = ["", ""]
        for _ in range(50):
            answers = []
            for each, token in zip(both, tokens, strict=True):
                monkeypatch.setattr(ids, "secrets", Seeded(f"{seed} {number}"))
                answers.append(each.ask(asked, token))
            told = [each.told(asked, answer) for each, answer in zip(both, answers, strict=True)]
            assert told[0] == told[1], f"seed {seed}, request {number}: {asked}"
            assert told[0][0] != 500, f"seed {seed}, request {number}: {asked}: {told[0]}"
            if answers[0].status < 300 and asked.learns and (made := found(told[0][1], asked.learns)):
                asked.learnt(made)
            tokens = [found(answer.json, (asked.next,)) or "" for answer in answers] if asked.next else ["", ""]
            tokens = ["" if token == "None" else token for token in tokens]
            assert bool(tokens[0]) == bool(tokens[1]), f"seed {seed}, request {number}: {asked}: one has more"
            if not tokens[0]:
                break

"""The ways in which points come to a server, each as requests of equal size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

KINDS = {"JSON": "application/json", "raw": "application/vnd.stepwell.points"}
WORD = 8  # bytes
BEGIN_MS = 1_790_000_000_000

Body = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one interface takes points: `body(first step)` is a request of `keys` x `steps` points."""

    name: str
    verb: str
    path: str
    keys: int
    steps: int
    wanted: float | None  # share of the null server's speed
    body: Body
    headers: dict[str, str]

    @property
    def points(self) -> int:
        """Of one request."""
        return self.keys * self.steps


def ways(run: str, key: str) -> list[Way]:
    """`run`: a run's id; `key`: its number in Pluto."""
    return [*_mlflow(run), _pluto(key), _sap(run), *_native_json(run), *_native_raw(run)]


def _mlflow(run: str) -> Iterator[Way]:
    for keys, steps, wanted in ((1, 1000, 0.35), (100, 10, 0.35), (1000, 1, None)):

        def body(first: int, keys: int = keys, steps: int = steps) -> bytes:
            metrics = [
                {"key": f"of{keys}/m{k}", "value": _value(k, step), "timestamp": BEGIN_MS + step, "step": step}
                for step in range(first, first + steps)
                for k in range(keys)
            ]
            return json.dumps({"run_id": run, "metrics": metrics}).encode()

        yield Way(
            name=f"MLflow log-batch, {_shape(keys, steps)}",
            verb="POST",
            path="/api/2.0/mlflow/runs/log-batch",
            keys=keys,
            steps=steps,
            wanted=wanted,
            body=body,
            headers={},
        )


def _pluto(key: str) -> Way:
    def body(first: int) -> bytes:
        rows = (
            {"time": BEGIN_MS + step, "step": step, "data": {f"p{k}": _value(k, step) for k in range(100)}}
            for step in range(first, first + 10)
        )
        return "\n".join(map(json.dumps, rows)).encode()

    return Way(
        name="Pluto NDJSON, 100 keys x 10",
        verb="POST",
        path="/ingest/metrics",
        keys=100,
        steps=10,
        wanted=0.4,
        body=body,
        headers={"Content_Type": "application/x-ndjson", "X_Run_Id": key, "X_Project_Name": "growth"},
    )


def _sap(run: str) -> Way:
    def body(first: int) -> bytes:
        metrics = [
            {"name": "loss", "value": _value(0, step), "timestamp": "2026-09-21T10:00:00.000Z", "step": step}
            for step in range(first, first + 1000)
        ]
        return json.dumps({"executionId": f"e-{run}", "metrics": metrics}).encode()

    return Way(
        name="SAP PATCH, 1000",
        verb="PATCH",
        path="/v2/lm/metrics",
        keys=1,
        steps=1000,
        wanted=0.4,
        body=body,
        headers={"AI_Resource_Group": "default"},
    )


def _native_json(run: str) -> Iterator[Way]:
    for keys, steps in ((1, 1000), (100, 10)):

        def body(first: int, keys: int = keys, steps: int = steps) -> bytes:
            column = range(first, first + steps)
            series = [
                {
                    "metric": f"j{keys}/m{k}",
                    "steps": list(column),
                    "values": [_value(k, step) for step in column],
                    "times_us": [1000 * (BEGIN_MS + step) for step in column],
                }
                for k in range(keys)
            ]
            return json.dumps({"series": series}).encode()

        yield _native(run, "JSON", keys, steps, 0.4, body)


def _native_raw(run: str) -> Iterator[Way]:
    """Of the size that MLflow takes at most, and ten times that: a client that was away sends up to fifty times."""
    shapes = ((1, 1000, 0.4), (100, 10, 0.4), (1000, 1, None), (1, 10_000, None), (100, 100, None))
    for keys, steps, wanted in shapes:

        def body(first: int, keys: int = keys, steps: int = steps) -> bytes:
            named = [{"metric": f"r{keys}x{steps}/m{k}", "rows": steps} for k in range(keys)]
            head = json.dumps({"series": named}, separators=(",", ":")).encode()
            head += b" " * (-len(head) % WORD)
            column = np.tile(np.arange(first, first + steps), keys)
            values = _value(np.repeat(np.arange(keys), steps), column)
            cells = column.tobytes(), values.tobytes(), (1000 * (BEGIN_MS + column)).tobytes()
            return b"".join([len(head).to_bytes(WORD, "little"), head, *cells])

        yield _native(run, "raw", keys, steps, wanted, body)


def _native(run: str, form: str, keys: int, steps: int, wanted: float | None, body: Body) -> Way:
    return Way(
        name=f"native {form}, {_shape(keys, steps)}",
        verb="POST",
        path=f"/api/v1/runs/{run}/points",
        keys=keys,
        steps=steps,
        wanted=wanted,
        body=body,
        headers={"Content_Type": KINDS[form]},
    )


def _value(key: int | np.ndarray, step: int | np.ndarray) -> float | np.ndarray:
    return 0.5 + (key + 1) / (step + 1)


def _shape(keys: int, steps: int) -> str:
    return f"{keys:,} keys x {steps:,}" if keys > 1 else f"1 key x {steps:,}"

"""The native API, asked as with curl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from contract.cross.drivers.telling import (
    AWKWARD,
    SECOND,
    START,
    Point,
    Points,
    Run,
    added,
    awkward_points,
    curve,
    gone_run,
    means,
    odd_values,
    own_lines,
    plain_run,
    reading,
    shared_run,
    status_runs,
    tell,
)

WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
NAMES = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
EXPERIMENT = "cross native"


class Api:
    """Requests that must succeed."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=60)

    def ask(self, verb: str, path: str, **options: Any) -> Any:
        answer = self.http.request(verb, path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def write(url: str) -> list[Run]:
    api = Api(url)
    experiment = api.ask("POST", "/experiments", json={"name": EXPERIMENT})
    number = experiment["id"]
    found = [_full_run(api, number), _peculiar_run(api, number)]
    found.append(shared_run("cross-native-shared", name="native shared", experiment=EXPERIMENT))
    api.ask("POST", "/runs", json={"id": found[-1]["id"], "name": "native shared", "experiment_id": number})
    found.append(gone_run("cross-native-gone", name="native gone", experiment=EXPERIMENT))
    api.ask("POST", "/runs", json={"id": found[-1]["id"], "name": "native gone", "experiment_id": number})
    api.ask("DELETE", f"/runs/{found[-1]['id']}", params={"purge": "true"})
    for name, status in status_runs("native"):
        run_id = name.replace(" ", "-")
        api.ask("POST", "/runs", json={"id": run_id, "name": name, "experiment_id": number, "status": status})
        found.append(plain_run(run_id, name=name, experiment=EXPERIMENT, status=status))
    return found


def _full_run(api: Api, experiment: int) -> Run:
    params, tags = {"lr": "0.01", AWKWARD: AWKWARD}, {"team": AWKWARD, "stable": "", AWKWARD: ""}
    run = Run(
        id="cross-native-full",
        name="native full",
        experiment=EXPERIMENT,
        status="FINISHED",
        params=params,
        tags=tags,
        note="Written with *curl*.",
        custom_info={"confusion matrix": "[[1, 2], [3, 4]]", "ä": "x" * 300},
        lines=["said by curl", "said by curl: <b>ä</b>", "said by curl again"],
        points={"loss": curve(), "val/odd": odd_values(), "diverged": [(1, START, 0.5), (2, START, float("nan"))]},
        usage={"cpu": means(10.0, 30.0, 50.5), "gpu_mem": means(1.0, 2.0, 0.0)},
    )
    new = {"id": run["id"], "name": run["name"], "experiment_id": experiment, "start_time_us": START}
    api.ask("POST", "/runs", json={**new, "params": params, "tags": tags, "note": run["note"]})
    api.ask("POST", f"/runs/{run['id']}/points", json={"series": [_series(*each) for each in run["points"].items()]})
    api.ask("PATCH", f"/runs/{run['id']}", json={"set_custom_info": run["custom_info"]})
    lines = [
        {"stream": "stdout", "line": place, "text": text, "time_us": START + place * SECOND}
        for place, text in enumerate(run["lines"])
    ]
    api.ask("POST", f"/runs/{run['id']}/logs", json={"lines": lines})
    cpu, gpu = reading(10.0, 30.0, 50.5), reading(1.0, 2.0, 0.0)
    samples: list[dict[str, Any]] = [{"time": at / 1000, "cpu": value} for at, value in cpu]
    samples += [{"time": at / 1000, "gpu_mem": value, "device": "0"} for at, value in gpu]
    api.ask("POST", f"/runs/{run['id']}/tasks/worker-0/resources", json={"samples": samples})
    run["points"]["resource/cpu"] = [(at // 1000, at, value) for at, value in cpu]
    run["points"]["resource/gpu_mem"] = [(at // 1000, at, value) for at, value in gpu]
    api.ask("PUT", f"/runs/{run['id']}/artifacts/{quote('deep/ä 100%/a+b.txt')}", content=b"written as with curl")
    run["files"] = ["written as with curl"]
    api.ask("PATCH", f"/runs/{run['id']}", json={"status": "FINISHED"})
    return run


def _peculiar_run(api: Api, experiment: int) -> Run:
    """What only this interface can write: such an id, such names, negative steps, single microseconds, labels."""
    run = plain_run("peculiar run ü", name="native peculiar", experiment=EXPERIMENT, status="RUNNING")
    api.ask("POST", "/runs", json={"id": run["id"], "name": run["name"], "experiment_id": experiment})
    at = START + 123_456
    series: Points = {
        "two\nlines": [(-3, at, 1.0), (2**62, at + 1, 2.0)],
        "n" * 1024: [(0, at, 3.0)],
        "a=b, {c}": [(0, 0, 4.0)],
        AWKWARD: awkward_points(),
    }
    body = [_series(*each) for each in series.items()]
    body += [
        {**_series("acc", [(1, at, value)]), "labels": {"fold": fold}} for fold, value in (("0", 0.5), ("1", 0.75))
    ]
    api.ask("POST", "/runs/peculiar run ü/points", json={"series": body})
    run["points"] = {**series, "acc": [(1, at, 0.5), (1, at, 0.75)]}
    return run


def _series(metric: str, points: list[Point]) -> dict[str, Any]:
    steps, times, values = zip(*points, strict=True)
    words = ["NaN" if value != value else NAMES.get(value, value) for value in values]
    return {"metric": metric, "steps": steps, "times_us": times, "values": words}


def join(url: str, shared: list[Run]) -> list[Run]:
    api, found = Api(url), [added(run, "native") for run in shared]
    for run in found:
        series = [_series(*each) for each in run["points"].items()]
        api.ask("POST", f"/runs/{run['id']}/points", json={"series": series, "set_tags": run["tags"]})
    return found


def read(url: str, asked: list[Run]) -> list[Run]:
    api = Api(url)
    experiments = api.ask("GET", "/experiments", params={"limit": 1000})["experiments"]
    names = dict(zip(experiments["id"], experiments["name"], strict=True))
    listed = set(api.ask("POST", "/runs/search", json={"limit": 1000})["runs"]["id"])
    return [
        Run(id=each["id"], gone=each["id"] not in listed) if "gone" in each else _read(api, each["id"], names, listed)
        for each in asked
    ]


def _read(api: Api, run_id: str, experiments: dict[int, str], listed: set[str]) -> Run:
    found = api.ask("GET", f"/runs/{run_id}")
    run, metrics = found["run"], found["metrics"]
    return Run(
        id=run["id"],
        name=run["name"],
        experiment=experiments[run["experiment_id"]],
        status=run["status"],
        params=found["params"],
        tags=found["tags"],
        note=found["note"],
        custom_info=api.ask("GET", f"/runs/{run_id}/custom-info")["custom_info"],
        lines=own_lines(api.ask("GET", f"/runs/{run_id}/logs", params={"limit": 10_000})["lines"]["text"]),
        points={metric: _points(api, run_id, metric) for metric in metrics["metric"]},
        files=list(_files(api, run_id, "")),
        latest=dict(zip(metrics["metric"], _column(metrics, "last_value"), strict=True)),
        listed=run["id"] in listed,
    )


def _files(api: Api, run_id: str, folder: str) -> Iterator[str]:
    found = api.ask("GET", f"/runs/{run_id}/artifacts", params={"path": folder})
    for path, size in zip(found["path"], found["size"], strict=True):
        if size is None:
            yield from _files(api, run_id, path)
        else:
            answer = api.http.get(f"/runs/{run_id}/artifacts/{quote(path)}")
            assert answer.is_success, answer.text
            yield answer.text


def _points(api: Api, run_id: str, metric: str) -> list[Point]:
    found = api.ask("GET", f"/runs/{run_id}/points", params={"metric": metric})
    return list(zip(found["steps"], found["times_us"], _column(found, "values"), strict=True))


def _column(table: dict[str, Any], name: str) -> list[float]:
    """A column with what JSON has no number for in its places."""
    column: list[float] = list(table[name])
    odd = table["non_finite"].get(name, {"at": [], "value": []})
    for place, word in zip(odd["at"], odd["value"], strict=True):
        column[place] = WORDS[word]
    return column


if __name__ == "__main__":
    tell(write, read, join)

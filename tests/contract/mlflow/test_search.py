"""The real MLflow client against a real server: filters, orders and pages of runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from contract.mlflow.exact import code_of
from serving import Server


@pytest.fixture(scope="module")
def searchable(shared_server: Server) -> tuple[str, list[dict[str, Any]]]:
    """An experiment with 40 runs, and what each holds."""
    client = MlflowClient(shared_server.url)
    experiment = client.create_experiment("searchable")
    rows = []
    for i in range(40):
        loss = [math.nan, math.inf, -math.inf][i % 3] if i % 10 == 9 else (i * 7 % 40) / 4
        params = {"lr": ["0.1", "0.01"][i % 2]} | ({"only": "some"} if i % 4 == 0 else {})
        run = client.create_run(
            experiment, start_time=1000 + i // 2, run_name=f"run {i}", tags={"model": f"Net_{i % 3}"}
        )
        metrics = [Metric("loss", loss, 1, 1)] if i % 7 else []
        client.log_batch(run.info.run_id, metrics, [Param(k, v) for k, v in params.items()])
        if i % 5 == 0:
            client.set_terminated(run.info.run_id, "FAILED", end_time=5000 + i)
        rows.append({"id": run.info.run_id, "i": i, "start": 1000 + i // 2, "loss": loss if metrics else None} | params)
    return experiment, rows


QUERIES: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
    ("", lambda r: True),
    ("metrics.loss < 2.5", lambda r: r["loss"] is not None and r["loss"] < 2.5),
    ("metrics.loss >= 2.5 and metrics.loss <= 6", lambda r: r["loss"] is not None and 2.5 <= r["loss"] <= 6),
    ("metrics.loss != 2.5", lambda r: r["loss"] is not None and r["loss"] != 2.5),
    ("metrics.`loss` = 2.5", lambda r: r["loss"] == 2.5),
    ("metrics.'loss' = 2.5", lambda r: r["loss"] == 2.5),
    ("params.lr = '0.1'", lambda r: r["lr"] == "0.1"),
    ("params.'lr' = '0.1'", lambda r: r["lr"] == "0.1"),
    ('params."lr" != "0.1"', lambda r: r["lr"] != "0.1"),
    ("params.only IS NULL", lambda r: "only" not in r),
    ("params.only IS NOT NULL AND params.lr = '0.1'", lambda r: "only" in r and r["lr"] == "0.1"),
    ("tags.model LIKE 'Net%1'", lambda r: r["i"] % 3 == 1),
    ("tags.model ILIKE 'nEt_2'", lambda r: r["i"] % 3 == 2),
    ("attributes.status = 'FAILED'", lambda r: r["i"] % 5 == 0),
    ("status != 'FAILED'", lambda r: r["i"] % 5 != 0),
    ("attributes.start_time > 1004 AND start_time <= 1010", lambda r: 1004 < r["start"] <= 1010),
    ("start_time = 1007", lambda r: r["start"] == 1007),
    ("attributes.end_time >= 5010", lambda r: r["i"] % 5 == 0 and r["i"] >= 10),
    ("run_name = 'run 17'", lambda r: r["i"] == 17),
    ("attributes.run_name LIKE 'run 3_'", lambda r: 30 <= r["i"] <= 39),
    ("metrics.none > 0", lambda r: False),
]


@pytest.mark.parametrize(("query", "fits"), QUERIES, ids=[query for query, _ in QUERIES])
def test_filters(
    client: MlflowClient,
    searchable: tuple[str, list[dict[str, Any]]],
    query: str,
    fits: Callable[[dict[str, Any]], bool],
) -> None:
    experiment, rows = searchable
    found = [run.info.run_id for run in client.search_runs([experiment], query)]
    assert sorted(found) == sorted(row["id"] for row in rows if fits(row))
    by_id = {row["id"]: row for row in rows}
    assert found == sorted(found, key=lambda run: (-by_id[run]["start"], run)), "start descending, then id"


def test_filters_by_id(client: MlflowClient, searchable: tuple[str, list[dict[str, Any]]]) -> None:
    experiment, rows = searchable
    some = [rows[3]["id"], rows[11]["id"]]
    listed = ",".join(f"'{each}'" for each in some)
    assert {r.info.run_id for r in client.search_runs([experiment], f"run_id IN ({listed})")} == set(some)
    assert len(client.search_runs([experiment], f"attributes.run_id NOT IN ({listed})")) == 38
    assert [r.info.run_id for r in client.search_runs([experiment], f"run_id = '{some[0]}'")] == some[:1]


@pytest.mark.parametrize("descending", [False, True])
def test_order_by_a_metric_and_pages(
    client: MlflowClient, searchable: tuple[str, list[dict[str, Any]]], descending: bool
) -> None:
    experiment, rows = searchable
    order = [f"metrics.loss {'DESC' if descending else 'ASC'}"]
    pages: list[list[str]] = []
    token = None
    while True:
        page = client.search_runs([experiment], max_results=7, order_by=order, page_token=token)
        pages.append([run.info.run_id for run in page])
        token = page.token
        if not token:
            break

    def place(row: dict[str, Any]) -> tuple[int, float, int, str]:
        loss = row["loss"]
        group = 2 if loss is None else 1 if math.isnan(loss) else 0
        sign = -1 if descending else 1
        return group, sign * loss if group == 0 else 0, -row["start"], row["id"]

    assert [run for page in pages for run in page] == [row["id"] for row in sorted(rows, key=place)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5]


def test_order_by_several_fields(client: MlflowClient, searchable: tuple[str, list[dict[str, Any]]]) -> None:
    experiment, rows = searchable
    found = client.search_runs([experiment], order_by=["params.lr DESC", "attributes.start_time ASC", "tags.model"])
    expected = sorted(rows, key=lambda r: (r["lr"] != "0.1", r["start"], f"Net_{r['i'] % 3}"))
    assert [run.info.run_id for run in found] == [row["id"] for row in expected]


@pytest.mark.parametrize(
    "query",
    [
        "metrics.k > 'x'",
        "metrics.k > 1 OR metrics.k < 0",
        "foo.k > 1",
        "params.p = 1",
        "params.p > '1'",
        "metrics.k >",
        "a b",
    ],
)
def test_a_bad_filter_says_what_is_wrong(raw: Any, query: str) -> None:
    answer = raw.post("runs/search", experiment_ids=["0"], filter=query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert answer.json()["message"]


def test_a_token_of_another_search_is_refused(
    client: MlflowClient, searchable: tuple[str, list[dict[str, Any]]]
) -> None:
    experiment, _ = searchable
    token = client.search_runs([experiment], max_results=5).token
    assert client.search_runs([experiment], max_results=3, page_token=token)
    assert (
        code_of(lambda: client.search_runs([experiment], "params.lr = '0.1'", page_token=token))
        == "INVALID_PARAMETER_VALUE"
    )

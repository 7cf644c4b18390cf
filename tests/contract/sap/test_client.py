"""The real client against a real server: every call of `Tracking`, and what it reads back."""

from __future__ import annotations

import json
import subprocess
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from ai_api_client_sdk.exception import (
    AIAPIAuthenticatorException,
    AIAPIAuthorizationException,
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIServerException,
)
from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel, MetricTag
from ai_core_sdk.tracking import Tracking

from contract.sap.conftest import tracking_of
from serving import Server

if TYPE_CHECKING:
    from ai_core_sdk.models import MetricResource

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
ARTIFACT = "metrics.ai.sap.com/Artifact.name"
A, B = "aa97b177-9383-4934-8543-0f91a7a0283a", "e1c49497ccf6dde8"


def metric(name: str, value: float, step: int = 0, **fields: Any) -> Metric:
    return Metric(**{"name": name, "value": value, "timestamp": NOON, "step": step, "labels": [], **fields})


def resource(tracking: Tracking, execution_id: str = A, **query: Any) -> MetricResource:
    answer = tracking.query(execution_ids=[execution_id], **query)
    assert answer.count == len(answer.resources) == 1
    found: MetricResource = answer.resources[0]
    assert found.execution_id == execution_id
    return found


def labels(found: Metric) -> dict[str, str]:
    return {label.name: label.value for label in found.labels}


def pairs(found: list[Any]) -> dict[str, str]:
    return {pair.name: pair.value for pair in found}


def test_metrics_come_back_as_they_were_logged(tracking: Tracking) -> None:
    logged = [
        metric("Error Rate", 0.98, 2, labels=[MetricLabel("group", "tree-82"), MetricLabel("a b", "ü")]),
        metric("(Val) Fold R2", -1e-300),
        metric("count", 7, 2**62),
        metric("before 1970", 0.1, timestamp=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ]
    tracking.log_metrics(logged, A)
    found = resource(tracking).metrics
    assert [(m.name, m.value, m.step, m.timestamp, labels(m)) for m in found] == [
        (m.name, m.value, m.step, m.timestamp, labels(m)) for m in logged
    ]


def test_the_client_drops_an_offset_and_we_take_what_it_sends(tracking: Tracking) -> None:
    tracking.log_metrics([metric("m", 1, timestamp=NOON.replace(tzinfo=timezone(timedelta(hours=2))))], A)
    assert resource(tracking).metrics[0].timestamp == NOON


def test_a_metric_without_a_time_happened_now(tracking: Tracking) -> None:
    before = datetime.now(UTC)
    tracking.log_metrics([metric("m", 1, timestamp=None)], A)
    found = resource(tracking).metrics[0].timestamp
    assert before <= found <= datetime.now(UTC)


def test_an_artifact_is_a_label_of_every_metric(tracking: Tracking) -> None:
    logged = [metric("a", 1, labels=[MetricLabel("x", "1")]), metric("b", 2)]
    tracking.log_metrics(logged, A, artifact_name="model")
    assert [labels(m) for m in resource(tracking).metrics] == [{"x": "1", ARTIFACT: "model"}, {ARTIFACT: "model"}]
    tracking.log_metrics(logged, A, artifact_name="model")  # the client has changed the objects: the label comes twice
    assert [labels(m) for m in resource(tracking).metrics[2:]] == [{"x": "1", ARTIFACT: "model"}, {ARTIFACT: "model"}]


def test_metrics_stand_as_they_arrived_and_repeats_are_kept(tracking: Tracking) -> None:
    logged = [("b", 5), ("a", 5), ("b", 1), ("b", 5), ("b", 5), ("a", 5), ("c", 0)]
    for _ in range(2):
        for name, step in logged:
            tracking.log_metrics([metric(name, 0.5, step)], A)
        tracking.log_metrics([metric(name, 0.5, step) for name, step in logged], A)
    assert [(m.name, m.step) for m in resource(tracking).metrics] == logged * 4


def test_tags_and_custom_info_are_set_by_name(tracking: Tracking) -> None:
    tracking.set_tags([MetricTag("Artifact Group", "RFC-1"), MetricTag("x_y", "1")], A)
    tracking.set_tags([MetricTag("x_y", "2"), MetricTag("new", "3")], A)
    tracking.set_custom_info([MetricCustomInfo("Confusion Matrix", "[{'Predicted': 'False'}]")], A)
    large = json.dumps(["ö" * 1000] * 1000, ensure_ascii=False)
    tracking.set_custom_info([MetricCustomInfo("large", large)], A)
    found = resource(tracking)
    assert found.metrics == []
    assert pairs(found.tags) == {"Artifact Group": "RFC-1", "x_y": "2", "new": "3"}
    assert pairs(found.custom_info) == {"Confusion Matrix": "[{'Predicted': 'False'}]", "large": large}


def test_modify_does_all_at_once(tracking: Tracking) -> None:
    tracking.modify(
        A, metrics=[metric("loss", 0.5)], tags=[MetricTag("a", "b")], custom_info=[MetricCustomInfo("c", "d")]
    )
    tracking.modify(A)
    found = resource(tracking)
    assert ([m.value for m in found.metrics], pairs(found.tags), pairs(found.custom_info)) == (
        [0.5],
        {"a": "b"},
        {"c": "d"},
    )
    tracking.modify(B)
    bare = resource(tracking, B)
    assert (bare.metrics, bare.tags, bare.custom_info) == ([], [], [])


@pytest.mark.parametrize("select", [["metrics"], ["tags"], ["customInfo"], ["metrics", "customInfo"], ["*"], None])
def test_select_brings_what_it_names(tracking: Tracking, select: list[str] | None) -> None:
    tracking.modify(
        A, metrics=[metric("loss", 0.5)], tags=[MetricTag("a", "b")], custom_info=[MetricCustomInfo("c", "d")]
    )
    found = resource(tracking, select=select)
    every = ["metrics", "tags", "customInfo"]
    wanted = every if select in (["*"], None) else select
    parts = {"metrics": found.metrics, "tags": found.tags, "customInfo": found.custom_info}
    assert [name for name in every if parts[name]] == [name for name in every if name in (wanted or ())]


def test_executions_come_in_the_order_asked_for_and_unknown_ones_do_not(tracking: Tracking) -> None:
    for execution_id in (A, B, "third"):
        tracking.log_metrics([metric("m", 1)], execution_id)
    answer = tracking.query(execution_ids=["third", "nobody", A])
    assert (answer.count, [r.execution_id for r in answer.resources]) == (2, ["third", A])
    none = tracking.query(execution_ids=["nobody"])
    assert (none.count, none.resources) == (0, [])


def test_the_deprecated_filter(tracking: Tracking) -> None:
    for execution_id in (A, B):
        tracking.log_metrics([metric("m", 1)], execution_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        one = tracking.query(filter=f"executionId eq '{A}'")
        both = tracking.query(filter=f"executionId in ('{A}','{B}')")
        with pytest.raises(AIAPIInvalidRequestException, match="is not supported"):
            tracking.query(filter=f"executionId ne '{A}'")
    assert ([r.execution_id for r in one.resources], [r.execution_id for r in both.resources]) == ([A], [A, B])


def test_delete_removes_and_frees_the_id(tracking: Tracking) -> None:
    tracking.modify(
        A, metrics=[metric("loss", 0.5)], tags=[MetricTag("a", "b")], custom_info=[MetricCustomInfo("c", "d")]
    )
    tracking.delete(A)
    assert tracking.query(execution_ids=[A]).count == 0
    with pytest.raises(AIAPINotFoundException) as caught:
        tracking.delete(A)
    error = caught.value
    assert (error.status_code, error.error_code, error.error_message) == (404, "02010055", "Metrics was not found.")
    assert error.request_id
    tracking.set_tags([MetricTag("again", "1")], A)
    found = resource(tracking)
    assert (found.metrics, pairs(found.tags), found.custom_info) == ([], {"again": "1"}, [])


def test_too_many_metrics_are_refused_and_none_is_kept(tracking: Tracking) -> None:
    with pytest.raises(AIAPIInvalidRequestException, match="metrics holds 1001; the limit is 1000") as caught:
        tracking.log_metrics([metric("m", 1)] * 1001, A)
    assert (caught.value.status_code, caught.value.error_code) == (400, "02010001")
    assert caught.value.details == [{"code": "02010001", "message": "metrics holds 1001; the limit is 1000"}]
    assert tracking.query(execution_ids=[A]).count == 0
    tracking.log_metrics([metric("m", 1)] * 1000, A)
    assert len(resource(tracking).metrics) == 1000


def test_the_client_learns_that_24_mebibytes_are_too_much(tracking: Tracking) -> None:
    for text in ("x" * (24 << 20), "x" * (40 << 20)):
        with pytest.raises(AIAPIServerException, match="PayloadLimitException") as caught:
            tracking.set_custom_info([MetricCustomInfo("large", text)], A)
        assert (caught.value.status_code, caught.value.error_code) == (413, "02000005")
    assert tracking.query(execution_ids=[A]).count == 0
    tracking.log_metrics([metric("m", 1)], A)


def test_a_question_without_executions_is_refused(tracking: Tracking) -> None:
    for query in ({}, {"execution_ids": [f"e-{n:03}" for n in range(11)]}, {"execution_ids": [A], "select": ["no"]}):
        with pytest.raises(AIAPIInvalidRequestException) as caught:
            tracking.query(**query)
        assert caught.value.error_code == "02010001"


def test_resource_groups_are_worlds_of_their_own(tracking: Tracking, group: str) -> None:
    tracking.log_metrics([metric("m", 1)], A)
    tracking.log_metrics([metric("other", 2)], A, resource_group=f"{group}-b")
    assert [m.name for m in resource(tracking).metrics] == ["m"]
    assert [m.name for m in resource(tracking, resource_group=f"{group}-b").metrics] == ["other"]
    tracking.delete(A, resource_group=f"{group}-b")
    assert [m.name for m in resource(tracking).metrics] == ["m"]
    assert tracking.query(execution_ids=[A], resource_group=f"{group}-never").count == 0


def test_the_whole_client_has_the_same_metrics(
    shared_server: Server, tracking: Tracking, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = shared_server.url
    by_hand = AICoreV2Client(
        base_url=f"{url}/v2", auth_url=f"{url}/oauth/token", client_id="i", client_secret="s", resource_group=group
    )
    by_hand.metrics.log_metrics([metric("via_client", 1.5)], A)
    for name, value in {"BASE_URL": url, "AUTH_URL": url, "CLIENT_ID": "i", "CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(f"AICORE_{name}", value)
    monkeypatch.setenv("AICORE_RESOURCE_GROUP", group)
    AICoreV2Client.from_env().metrics.set_tags([MetricTag("k", "v")], A)
    found = resource(tracking)
    assert ([m.name for m in found.metrics], pairs(found.tags)) == (["via_client"], {"k": "v"})


def test_what_is_not_here_is_told_in_the_vendors_shape(shared_server: Server, group: str) -> None:
    url = shared_server.url
    client = AICoreV2Client(
        base_url=f"{url}/v2", auth_url=f"{url}/oauth/token", client_id="i", client_secret="s", resource_group=group
    )
    for ask in (
        client.resource_groups.query,
        client.secrets.query,
        client.repositories.query,
        client.applications.query,
        client.docker_registry_secrets.query,
        client.object_store_secrets.query,
        client.kpis.query,
        client.scenario.query,
    ):
        with pytest.raises(AIAPINotFoundException, match="there is nothing at /v2/") as caught:
            ask()
        assert caught.value.error_code == "02000404"


def test_a_long_execution_is_read_whole(tracking: Tracking) -> None:
    for begin in range(0, 12_000, 1000):
        tracking.log_metrics([metric(f"m{n % 7}", n / 8, n) for n in range(begin, begin + 1000)], A)
    tracking.log_metrics([metric("last", 1)], B)
    found = tracking.query(execution_ids=[A, B]).resources
    assert [(m.name, m.value, m.step) for m in found[0].metrics] == [(f"m{n % 7}", n / 8, n) for n in range(12_000)]
    assert [m.name for m in found[1].metrics] == ["last"]


def test_without_a_server_nothing_happens() -> None:
    local = Tracking()
    local.log_metrics([metric("m", 1)], A)
    assert local.query(execution_ids=[A]).count == 0


def test_within_an_execution(execution: Callable[[str], Tracking], shared_server: Server) -> None:
    inside = execution("inside-of-it")
    inside.log_metrics([metric("inside", 2.5, 1)])
    inside.set_tags([MetricTag("k", "v")])
    inside.set_custom_info([MetricCustomInfo("c", "d")])
    outside = tracking_of(shared_server, "default")
    for client in (inside, outside):
        found = resource(client, "inside-of-it")
        assert [(m.name, m.value, m.step) for m in found.metrics] == [("inside", 2.5, 1)]
        assert (pairs(found.tags), pairs(found.custom_info)) == ({"k": "v"}, {"c": "d"})
    inside.delete("inside-of-it")
    assert outside.query(execution_ids=["inside-of-it"]).count == 0


def credential(server: Server, workspace: str, role: str) -> dict[str, str]:
    command = [server.program, "credential", "create", *server.place]
    out = subprocess.run(
        [*map(str, command), "--workspace", workspace, "--role", role], capture_output=True, check=True, text=True
    ).stdout
    found: dict[str, str] = json.loads(out)
    return found


def test_credentials(serve: Callable[..., Server]) -> None:
    server = serve("--auth", "required")

    def client(group: str = "team", **made: str) -> Tracking:
        return tracking_of(server, group, made["id"], made["secret"])

    writer, reader = credential(server, "team", "writer"), credential(server, "team", "reader")
    client(**writer).log_metrics([metric("m", 1)], A)
    assert [m.name for m in resource(client(**reader)).metrics] == ["m"]
    for refused in (
        lambda: client(**reader).log_metrics([metric("m", 2)], A),
        lambda: client(**reader).delete(A),
        lambda: client("other", **writer).log_metrics([metric("m", 2)], A),
        lambda: client("other", **writer).query(execution_ids=[A]),
    ):
        with pytest.raises(AIAPIServerException) as caught:
            refused()
        assert (caught.value.status_code, caught.value.error_code) == (403, "02000403")
    with pytest.raises(AIAPIAuthenticatorException) as wrong:
        client(**{**writer, "secret": "sw_" + "x" * 40}).log_metrics([metric("m", 2)], A)
    assert wrong.value.status_code == 401
    stranger = Tracking(base_url=f"{server.url}/v2", token_creator=lambda: "Bearer nonsense", resource_group="team")
    with pytest.raises(AIAPIAuthorizationException):
        stranger.query(execution_ids=[A])
    by_secret = Tracking(
        base_url=f"{server.url}/v2", token_creator=lambda: "Bearer " + writer["secret"], resource_group="team"
    )
    assert [m.name for m in resource(by_secret).metrics] == ["m"]


def test_a_resource_group_may_be_joined_to_a_workspace(serve: Callable[..., Server]) -> None:
    server = serve()
    command = [server.program, "workspace", "alias", "sap", "a group of SAP's", "team", *server.place]
    subprocess.run(list(map(str, command)), capture_output=True, check=True)
    tracking_of(server, "team").log_metrics([metric("m", 1)], A)
    joined = tracking_of(server, "a group of SAP's")
    for _ in range(100):
        try:
            assert [m.name for m in resource(joined).metrics] == ["m"]
            return
        except AIAPIInvalidRequestException:
            time.sleep(0.05)  # an alias holds within a second
    pytest.fail("the alias never held")


def test_all_is_there_after_a_restart_and_after_a_kill(serve: Callable[..., Server]) -> None:
    server = serve()
    tracking = tracking_of(server, "default")
    logged = []
    for stop in (server.stop, server.kill, server.stop):
        for step in (3, 1, 1, 2):
            tracking.log_metrics([metric("b", 0.5, step), metric("a", 0.5, step, labels=[MetricLabel("x", "y")])], A)
            logged += [("b", step, {}), ("a", step, {"x": "y"})]
        tracking.modify(A, tags=[MetricTag("t", "1")], custom_info=[MetricCustomInfo("c", "d" * 100_000)])
        stop()
        server.start()
        found = resource(tracking)
        assert [(m.name, m.step, labels(m)) for m in found.metrics] == logged
        assert (pairs(found.tags), pairs(found.custom_info)) == ({"t": "1"}, {"c": "d" * 100_000})

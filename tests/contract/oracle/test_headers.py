"""Request ids, retry tokens, unknown paths and rates, as Oracle's interface promises them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import oci
import pytest
from aidp_python_client.aidataplatform_dp import models as m
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from oci.exceptions import ServiceError

from contract.oracle.conftest import KEY_ID, PLATFORM, Raw, make_client, private_key, tracking
from serving import Server

REQUEST_ID = "opc-request-id"


def test_a_request_id_is_echoed_or_made(raw: Raw) -> None:
    for given in ("A", "0123456789ABCDEF0123456789ABCDEF", "a_b-c", "x" * 512):
        answer = raw.get("experiments/get", experiment_id="0", headers={REQUEST_ID: given})
        assert (answer.status_code, answer.headers[REQUEST_ID]) == (200, given)
    made = {raw.get("experiments/get", experiment_id="0").headers[REQUEST_ID] for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", each) for each in made)
    assert raw.get("experiments/get", experiment_id="x").headers[REQUEST_ID]


@pytest.mark.parametrize("given", ["a b", "a/b", "a.b", "ü".encode().decode("latin-1"), "", "x" * 513])
def test_a_request_id_that_cannot_be_one(raw: Raw, given: str) -> None:
    answer = raw.http.get(
        tracking("experiments/get", "w"), params={"experiment_id": "0"}, headers=[(b"opc-request-id", given.encode())]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", answer.headers[REQUEST_ID])


def test_a_request_comes_again_under_its_token(raw: Raw, workspace: str) -> None:
    body = {"experiment_id": "0", "start_time": 1}
    first = raw.post("runs/create", body, workspace=workspace, opc_retry_token="t1", opc_request_id="one")
    again = raw.post("runs/create", body, workspace=workspace, opc_retry_token="t1", opc_request_id="two")
    assert again.content == first.content
    assert (again.status_code, again.headers["etag"]) == (200, first.headers["etag"])
    assert (first.headers[REQUEST_ID], again.headers[REQUEST_ID]) == ("one", "two")
    other = raw.post("runs/create", body, workspace=workspace, opc_retry_token="t2")
    assert other.json()["run"]["info"]["run_id"] != first.json()["run"]["info"]["run_id"]
    found = raw.post("runs/search", {"experiment_ids": ["0"]}, workspace=workspace).json()["runs"]
    assert len(found) == 2


def test_a_token_goes_with_one_request(raw: Raw, workspace: str) -> None:
    assert raw.post("experiments/create", {"name": "a"}, workspace=workspace, opc_retry_token="t").status_code == 200
    for path, body in (("experiments/create", {"name": "b"}), ("runs/create", {"name": "a"})):
        answer = raw.post(path, body, workspace=workspace, opc_retry_token="t")
        assert (answer.status_code, answer.json()["code"]) == (409, "InvalidatedRetryToken")
    assert raw.get("experiments/get-by-name", experiment_name="b", workspace=workspace).status_code == 404
    elsewhere = raw.post("experiments/create", {"name": "b"}, workspace=f"{workspace}-2", opc_retry_token="t")
    assert elsewhere.status_code == 200


def test_a_request_that_failed_may_come_again(raw: Raw, workspace: str) -> None:
    body = {"experiment_id": "1", "start_time": 1}
    for _ in range(2):
        assert raw.post("runs/create", body, workspace=workspace, opc_retry_token="t").status_code == 404
    raw.post("experiments/create", {"name": "a"}, workspace=workspace)
    assert raw.post("runs/create", body, workspace=workspace, opc_retry_token="t").status_code == 200


def test_a_token_has_limits(raw: Raw) -> None:
    for token, status in (("x" * 64, 200), ("x" * 65, 400), ("", 400)):
        answer = raw.post("runs/create", {}, opc_retry_token=token)
        assert answer.status_code == status, len(token)


def test_a_request_sent_twice_at_once_is_done_once(raw: Raw, workspace: str) -> None:
    def send(_: int) -> Any:
        return raw.post("runs/create", {"start_time": 1}, workspace=workspace, opc_retry_token="t")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    made = {answer.content for answer in answers if answer.status_code == 200}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)
    found = raw.post("runs/search", {"experiment_ids": ["0"]}, workspace=workspace).json()["runs"]
    assert len(found) == 1


def test_tokens_hold_over_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        first = Raw(server.url).post("runs/create", {"start_time": 1}, opc_retry_token="t")
        server.restart()
        again = Raw(server.url).post("runs/create", {"start_time": 1}, opc_retry_token="t")
    assert first.content == again.content


@pytest.mark.parametrize("path", ["", "/x", "/aiDataPlatforms", f"/aiDataPlatforms/{PLATFORM}/mlops/api/2.0/x"])
@pytest.mark.parametrize("base", ["/20260430", "/api/20260430"])
def test_an_unknown_path_answers_in_this_shape(raw: Raw, base: str, path: str) -> None:
    answer = raw.http.get(base + path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NotAuthorizedOrNotFound")
    assert answer.json().keys() == {"code", "message"}
    assert answer.headers[REQUEST_ID]


def test_a_wrong_verb_and_a_workspace_that_cannot_be(raw: Raw) -> None:
    assert raw.http.delete(tracking("experiments/get", "w")).json()["code"] == "MethodNotAllowed"
    assert raw.get("experiments/get", experiment_id="0", workspace="a%20b").json()["code"] == "InvalidParameter"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Server]:
    """A server that lets a credential make two requests a second."""
    with Server(tmp_path / "data", args=["--rate-limit", "2"]) as server:
        yield server


def test_too_many_requests_are_told_when_to_come_back(slow: Server, pem: str) -> None:
    raw = Raw(slow.url)
    answers = [raw.get("experiments/get", experiment_id="0") for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 429}
    for answer in refused:
        assert answer.json()["code"] == "TooManyRequests"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers[REQUEST_ID]
    client = make_client(slow.url, pem, retry=oci.retry.DEFAULT_RETRY_STRATEGY)
    for i in range(6):  # the client waits and comes again, with a token that it makes itself
        client.create_experiment(PLATFORM, "w", m.CreateExperimentDetails(name=f"e{i}"))
    found = client.list_experiments(PLATFORM, "w", m.ListExperimentsDetails()).data.experiments
    assert len(found) == 7


def test_a_signed_client_comes_in_where_credentials_are_required(tmp_path: Path, pem: str) -> None:
    public = tmp_path / "key.pem"
    key = load_pem_private_key(pem.encode(), None).public_key()
    public.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with Server(tmp_path / "data", args=["--auth", "required"]) as server:
        command = [str(server.program), "credential", "create", *server.place, "--role", "writer"]
        command += ["--workspace", "w", "--oci-key-id", KEY_ID, "--public-key", str(public)]
        subprocess.run(command, capture_output=True, check=True)
        client = make_client(server.url, pem)
        made = client.create_experiment(PLATFORM, "w", m.CreateExperimentDetails(name="e")).data.experiment_id
        assert client.get_experiment_by_id(PLATFORM, "w", made).data.experiment.name == "e"
        run = client.create_experiment_run(PLATFORM, "w", m.CreateExperimentRunDetails(experiment_id=made)).data.run
        metric = m.LogExperimentRunMetricDetails(run_id=run.info.run_id, key="k", value=float("nan"), timestamp=1)
        client.log_experiment_run_metric(PLATFORM, "w", metric)
        strangers: list[tuple[Callable[[], Any], int, str]] = [
            (lambda: client.get_experiment_by_id(PLATFORM, "other", "0"), 403, "NotAuthorized"),
            (lambda: client.list_registered_models(PLATFORM), 403, "NotAuthorized"),
            (lambda: make_client(server.url, private_key()).get_experiment_by_id(PLATFORM, "w", "0"), 401,
             "NotAuthenticated"),
        ]  # fmt: skip
        for attempt, status, code in strangers:
            with pytest.raises(ServiceError) as caught:
                attempt()
            assert (caught.value.status, caught.value.code) == (status, code)

"""Exchanging client credentials for a token."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from stepwell.services import credentials
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Answer, Asking

FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}


async def who(call: Call) -> Response:
    return json_response({"id": call.principal.credential_id, "in": call.workspace})


def asking(*, required: bool = True) -> Asking:
    return Asking([Route("GET", "/t/read", who)], required=required)


def create(asked: Asking, **more: Any) -> tuple[str, str]:
    store: Any = asked.store
    made, secret = credentials.create(
        store, asked.key, **{"workspace": "w", "role": "writer", "now": asked.now, **more}
    )
    return made.id, secret


def token(asked: Asking, fields: Any = None, body: bytes | None = None, **headers: str) -> Answer:
    sent = body if body is not None else urlencode(fields or {}).encode()
    return asked.ask("POST", "/oauth/token", headers={"content-type": FORM, **headers}, body=[sent])


def basic(id_: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id_}:{secret}".encode()).decode()


def test_a_form_or_basic_credentials_get_a_token_that_is_a_bearer():
    asked = asking()
    id_, secret = create(asked)
    in_form = token(asked, {**GRANT, "client_id": id_, "client_secret": secret})
    in_header = token(asked, GRANT, authorization=basic(id_, secret))
    in_both = token(asked, {**GRANT, "client_id": id_}, authorization=basic(id_, secret))
    for answer in (in_form, in_header, in_both):
        assert answer.status == 200, answer.body
        assert answer.headers["cache-control"] == "no-store"
        said = answer.json
        assert (said.pop("token_type"), said.pop("expires_in")) == ("bearer", 43_199)
        bearer = {"authorization": f"Bearer {said.pop('access_token')}"}
        assert said == {}
        assert asked.ask("GET", "/t/read", headers=bearer).json == {"id": id_, "in": "w"}
        assert asked.ask("GET", "/t/read", headers={"x-auth-token": bearer["authorization"][7:]}).status == 200


def test_revoking_ends_issued_tokens_within_a_second():
    asked = asking()
    id_, secret = create(asked)
    issued = token(asked, {**GRANT, "client_id": id_, "client_secret": secret}).json["access_token"]
    headers = {"authorization": f"Bearer {issued}"}
    assert asked.ask("GET", "/t/read", headers=headers).status == 200
    asked.store.revoke_credential(id=id_, at=asked.now)
    asked.monotonic += 0.99
    answer = asked.ask("GET", "/t/read", headers=headers)
    assert (answer.status, "revoked" in answer.error["message"]) == (401, True)
    assert token(asked, {**GRANT, "client_id": id_, "client_secret": secret}).status == 401


def test_a_token_expires():
    asked = asking()
    id_, secret = create(asked)
    issued = token(asked, {**GRANT, "client_id": id_, "client_secret": secret}).json["access_token"]
    asked.now += 43_199 * 10**6
    answer = asked.ask("GET", "/t/read", headers={"authorization": f"Bearer {issued}"})
    assert (answer.status, "the token expired" in answer.error["message"]) == (401, True)


def test_a_token_holds_no_longer_than_its_credential():
    asked = asking()
    id_, secret = create(asked, lifetime="1h")
    assert token(asked, {**GRANT, "client_id": id_, "client_secret": secret}).json["expires_in"] == 3600


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        (GRANT, 401, "invalid_client"),
        ({**GRANT, "client_id": "x"}, 401, "invalid_client"),
        ({**GRANT, "client_secret": "x"}, 401, "invalid_client"),
        ({**GRANT, "client_id": "x", "client_secret": "wrong-secret"}, 401, "invalid_client"),
        ([*GRANT.items(), *GRANT.items()], 400, "invalid_request"),
    ],
)
def test_refusals_have_the_form_of_the_standard(fields: Any, status: int, error: str):
    answer = token(asking(), fields)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.json.keys() == {"error", "error_description"}
    assert (status == 401) == ("www-authenticate" in answer.headers)
    assert "wrong-secret" not in answer.body.decode()


def test_a_wrong_secret_is_401():
    asked = asking()
    id_, secret = create(asked)
    assert token(asked, {**GRANT, "client_id": id_, "client_secret": secret + "x"}).status == 401
    assert token(asked, GRANT, authorization=basic(id_, "x")).status == 401
    assert token(asked, GRANT, authorization="Basic !!!").json["error"] == "invalid_client"


def test_two_different_clients_in_one_request_are_refused():
    asked = asking()
    id_, secret = create(asked)
    answer = token(asked, {**GRANT, "client_id": "other"}, authorization=basic(id_, secret))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"\xff", FORM), (b"client_secret=%ff", FORM), (b"{}", "application/json"), (b"a=1&" * 200, FORM), (b"", "")],
)
def test_what_is_no_form_is_400_and_not_repeated(body: bytes, content_type: str):
    answer = token(asking(), body=body, **{"content-type": content_type})
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_a_body_over_the_limit_is_413():
    answer = token(asking(), body=bytes(65_537))
    assert (answer.status, answer.json["error"]) == (413, "body_too_large")


def test_other_verbs_are_405_in_the_same_shape():
    answer = asking().ask("GET", "/oauth/token?grant_type=client_credentials")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json["error"] == "wrong_verb"


def test_with_auth_off_anybody_gets_a_token_that_proves_nothing_later():
    off = asking(required=False)
    id_, _ = create(off)
    issued = token(off, {**GRANT, "client_id": id_, "client_secret": "anything"}).json
    assert issued["expires_in"] == 43_199
    assert off.ask("GET", "/t/read", headers={"authorization": f"Bearer {issued['access_token']}"}).status == 200
    on = asking()
    on.key, on.store = off.key, off.store
    on.app._gate._key, on.app._gate._store = off.key, off.store  # type: ignore[assignment]
    answer = on.ask("GET", "/t/read", headers={"authorization": f"Bearer {issued['access_token']}"})
    assert (answer.status, "wanted no credentials" in answer.error["message"]) == (401, True)

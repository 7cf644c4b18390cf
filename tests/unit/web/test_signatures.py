"""Signed requests: what the signature covers cannot be changed, what it must cover cannot be left out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import pytest

from inside import Inside
from signing import HOST, PrivateKey, shared
from stepwell.core.access import Role
from stepwell.services import credentials
from stepwell.web import auth
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Asking

NOW = 1_700_000_000_000_000
MINUTE = 60 * 10**6
PRIVATE = PrivateKey()
HTTP_JSON = {"content-type": "application/json"}


async def who(call: Call) -> Response:
    return json_response({"id": call.principal.credential_id})


async def whole(call: Call) -> Response:
    return json_response(len(await call.body(1 << 20)))


async def stream(call: Call) -> Response:
    seen = hashlib.sha256()
    async for chunk in call.chunks():
        seen.update(chunk)
    return json_response(seen.hexdigest())


async def unread(_call: Call) -> Response:
    return json_response("not read")


ROUTES = [
    Route("GET", "/t/read", who),
    Route("GET", "/t/{name}/x", who),
    Route("POST", "/t/whole", whole, Role.WRITER),
    Route("PUT", "/t/stream", stream, Role.WRITER),
    Route("DELETE", "/t/read", unread, Role.WRITER),
]


class Signed:
    """A server that wants credentials, and one credential in both kinds of signature."""

    def __init__(self, *, hops: int = 0) -> None:
        self.asking = Asking(ROUTES, required=True, budget=64 << 20, hops=hops)
        self.asking.now = NOW
        store: Any = self.asking.store
        made, self.secret = credentials.create(
            store, self.asking.key, workspace="w", role="writer", key_id=PRIVATE.key_id, public_key=PRIVATE.pem, now=NOW
        )
        self.id = made.id
        self.inside = Inside(self.asking.app)

    def sign(
        self, scheme: str, method: str, target: str, *, body: bytes = b"", at: int = NOW, **more: Any
    ) -> dict[str, str]:
        if scheme == "secret":
            return shared(self.id, self.secret, method, target, body=body, at=at, **more)
        return PRIVATE.headers(method, target, body=body, at=at, **more)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Any = b"") -> tuple[int, Any]:
        answer = self.inside.ask(method, target, headers=headers, body=body)
        return answer.status, answer.json if answer.status < 400 else answer.json["error"]["message"]

    def refused(self, *args: Any, told: str) -> None:
        status, message = self.send(*args)
        assert status == 401, message
        assert told in message
        assert self.secret not in message


@pytest.fixture
def signed(request: pytest.FixtureRequest) -> Any:
    made = Signed(hops=getattr(request, "param", 0))
    yield made
    made.inside.close()
    made.asking.work.close()


both = pytest.mark.parametrize("scheme", ["secret", "key"])


@both
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/t/read", b""),
        ("GET", "/t/read?b=2&a=1&a=0&empty=&sp=a%20b&plus=a%2Bb&x=%C3%A9~", b""),
        ("GET", "/t/a%20b/x", b""),
        ("GET", "/t/a%2Fb/x", b""),
        ("DELETE", "/t/read", b""),
        ("POST", "/t/whole", b""),
        ("POST", "/t/whole", b'{"a": 1}'),
        ("POST", "/t/whole", bytes(500_000)),
        ("PUT", "/t/stream", bytes(500_000)),
    ],
)
def test_what_is_signed_is_let_in(signed: Signed, scheme: str, method: str, target: str, body: bytes):
    headers = signed.sign(scheme, method, target, body=body, headers=HTTP_JSON)
    status, _ = signed.send(method, target, headers, body)
    assert status == 200
    assert signed.send(method, target, headers, body)[0] == 200, "a signature may repeat"


@both
def test_a_body_without_a_length_is_checked_too(signed: Signed, scheme: str):
    headers = signed.sign(scheme, "PUT", "/t/stream", body=b"abcdef", headers=HTTP_JSON, **LENGTHLESS[scheme])
    headers.pop("content-length", None)
    expected = hashlib.sha256(b"abcdef").hexdigest()
    assert signed.send("PUT", "/t/stream", headers, [b"abc", b"def"]) == (200, expected)
    signed.refused("PUT", "/t/stream", headers, [b"abc", b"dex"], told=CHANGED_BODY[scheme])


LENGTHLESS: dict[str, dict[str, Any]] = {"secret": {}, "key": {"leave_out": ("content-length",)}}
MISMATCH = "the signature does not match the request"
CHANGED_BODY = {"secret": MISMATCH, "key": "the body is not the one that was signed"}


@both
@pytest.mark.parametrize("route", ["/t/whole", "/t/stream"])
def test_a_changed_body_is_refused(signed: Signed, scheme: str, route: str):
    method = "POST" if route == "/t/whole" else "PUT"
    headers = signed.sign(scheme, method, route, body=b'{"a": 1}', headers=HTTP_JSON)
    signed.refused(method, route, headers, b'{"a": 2}', told=CHANGED_BODY[scheme])
    if scheme == "secret":  # the length is under the other signature
        signed.refused(method, route, headers, b"", told=MISMATCH)


@both
def test_a_body_added_to_a_request_that_had_none_is_refused(signed: Signed, scheme: str):
    headers = signed.sign(scheme, "DELETE", "/t/read")
    told = MISMATCH if scheme == "secret" else "does not cover 'x-content-sha256'"
    signed.refused("DELETE", "/t/read", headers, b"{}", told=told)


@both
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/t/read?a=1"),
        ("GET", "/t/read"),
        ("GET", "/t/read?a=2"),
        ("GET", "/t/b/x?a=1"),
        ("GET", "/t/read?a=1&b="),
    ],
)
def test_a_changed_verb_path_or_query_is_refused(signed: Signed, scheme: str, method: str, target: str):
    headers = signed.sign(scheme, "GET", "/t/read?a=1")
    assert signed.send("GET", "/t/read?a=1", headers)[0] == 200
    signed.refused(method, target, headers, told=MISMATCH)


@both
def test_a_changed_header_that_is_signed_is_refused(signed: Signed, scheme: str):
    date = "x-sdk-date" if scheme == "secret" else "date"
    headers = signed.sign(scheme, "GET", "/t/read")
    later = signed.sign(scheme, "GET", "/t/read", at=NOW + MINUTE)
    signed.refused("GET", "/t/read", {**headers, date: later[date]}, told=MISMATCH)
    signed.refused("GET", "/t/read", {**headers, "host": "other.example"}, told=MISMATCH)
    assert signed.send("GET", "/t/read", {**headers, "accept": "*/*"})[0] == 200


@both
@pytest.mark.parametrize(("minutes", "status"), [(15, 200), (-15, 200), (15.02, 401), (-15.02, 401), (10**6, 401)])
def test_a_signature_holds_for_a_quarter_of_an_hour(signed: Signed, scheme: str, minutes: float, status: int):
    headers = signed.sign(scheme, "GET", "/t/read", at=NOW + int(minutes * MINUTE))
    got, told = signed.send("GET", "/t/read", headers)
    assert got == status, told
    assert status == 200 or "2023-11-14T22:13:20Z; at most 15 minutes may lie between" in told


@both
def test_a_revoked_or_expired_credential_is_told_to_its_owner_alone(signed: Signed, scheme: str):
    headers = signed.sign(scheme, "GET", "/t/read")
    assert signed.send("GET", "/t/read", headers)[0] == 200
    signed.asking.store.revoke_credential(id=signed.id, at=NOW)
    signed.asking.monotonic += 0.99
    signed.refused("GET", "/t/read", headers, told="the credential was revoked at 2023-11-14T22:13:20Z")
    signed.refused("GET", "/t/read?x=1", headers, told=MISMATCH)


@both
def test_a_signature_is_looked_up_once_in_a_while(signed: Signed, scheme: str):
    signed.send("GET", "/t/read", signed.sign(scheme, "GET", "/t/read"))
    signed.asking.store.kept.clear()
    headers = signed.sign(scheme, "GET", "/t/read?x=1")
    assert signed.send("GET", "/t/read?x=1", headers)[0] == 200
    signed.asking.monotonic += 0.99
    signed.refused("GET", "/t/read?x=1", headers, told="unknown")


@both
@pytest.mark.parametrize(("signed", "believed"), [(1, True), (0, False)], indirect=["signed"])
def test_host_and_path_are_those_that_the_client_saw(signed: Signed, scheme: str, believed: bool):
    seen = {"x-forwarded-host": "stepwell.example", "x-forwarded-prefix": "/prefix"}
    headers = signed.sign(scheme, "GET", "/prefix/t/read?a=1", host="stepwell.example") | {"host": "10.0.0.1"}
    if believed:
        assert signed.send("GET", "/t/read?a=1", headers | seen)[0] == 200
    else:
        signed.refused("GET", "/t/read?a=1", headers | seen, told=MISMATCH)
    signed.refused("GET", "/t/read?a=1", headers, told=MISMATCH)


# Signed with the secret


def test_numbers_in_lists_may_be_signed_as_they_are_sent(signed: Signed):
    """A client that sorts 9 before 10 also sends them so."""
    target = "/t/read?k=9&k=10"
    headers = shared(signed.id, signed.secret, "GET", "/t/read", at=NOW)
    canonical = ["GET", "/t/read/", "k=9&k=10", f"host:{HOST}", f"x-sdk-date:{headers['x-sdk-date']}", ""]
    text = "\n".join([*canonical, "host;x-sdk-date", hashlib.sha256(b"").hexdigest()])
    assert signed.send("GET", target, _resigned(signed, headers, text))[0] == 200


def _resigned(signed: Signed, headers: dict[str, str], canonical: str) -> dict[str, str]:
    text = f"SDK-HMAC-SHA256\n{headers['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(signed.secret.encode(), text.encode(), "sha256").hexdigest()
    start = headers["authorization"].rpartition("=")[0]
    return {**headers, "authorization": f"{start}={signature}"}


def test_a_declared_hash_of_the_body_is_compared(signed: Signed):
    body = b"abc" * 1000
    digest = hashlib.sha256(body).hexdigest()
    headers = shared(signed.id, signed.secret, "PUT", "/t/stream", body=body, at=NOW, payload=digest)
    assert signed.send("PUT", "/t/stream", headers, body) == (200, digest)
    signed.refused("PUT", "/t/stream", headers, body[::-1], told="the body is not the one that was signed")


def test_an_unsigned_payload_is_taken_as_the_client_says(signed: Signed):
    headers = shared(signed.id, signed.secret, "PUT", "/t/stream", body=b"a", at=NOW, payload="UNSIGNED-PAYLOAD")
    assert signed.send("PUT", "/t/stream", headers, b"b")[0] == 200
    plain = shared(signed.id, signed.secret, "PUT", "/t/stream", body=b"a", at=NOW)
    signed.refused("PUT", "/t/stream", {**plain, "x-sdk-content-sha256": "UNSIGNED-PAYLOAD"}, b"b", told=MISMATCH)
    signed.refused("PUT", "/t/stream", {**plain, "x-sdk-content-sha256": "abc"}, b"b", told="neither a SHA-256")


def test_a_body_that_must_be_read_first_has_a_limit(signed: Signed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auth, "SIGNED_BODY", 1000)
    for size, status in ((1000, 200), (1001, 413)):
        body = bytes(size)
        headers = shared(signed.id, signed.secret, "PUT", "/t/stream", body=body, at=NOW)
        assert signed.send("PUT", "/t/stream", headers, body)[0] == status
    assert signed.asking.budget.used == 0


@pytest.mark.parametrize(("id_", "minutes"), [("cr_unknown", 0), (None, 16)])
def test_nothing_is_read_for_a_stranger(signed: Signed, id_: str | None, minutes: int):
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    at = NOW + minutes * MINUTE
    headers = shared(id_ or signed.id, signed.secret, "PUT", "/t/stream", body=b"abc", at=at)
    headers["content-length"] = "3"
    scope = {"type": "http", "method": "PUT", "path": "/t/stream", "raw_path": b"/t/stream", "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(signed.asking.app(scope, receive, send))
    assert sent[0]["status"] == 401


@pytest.mark.parametrize(
    ("authorization", "told"),
    [
        ("SDK-HMAC-SHA256", "is not SDK-HMAC-SHA256 Access="),
        ("SDK-HMAC-SHA256 Access=a", "is not SDK-HMAC-SHA256 Access="),
        ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=abc", "is not SDK-HMAC-SHA256 Access="),
        (f"SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature={'0' * 64}", "does not cover 'x-sdk-date'"),
        (f"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature={'0' * 64}", "does not cover 'host'"),
        (f"SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}", "does not have"),
        (
            "SDK-HMAC-SM3 Access=a, SignedHeaders=host, Signature=00",
            "must be Bearer, Basic, SDK-HMAC-SHA256 or Signature",
        ),
    ],
)
def test_a_malformed_signature_says_what_is_wrong(signed: Signed, authorization: str, told: str):
    signed.refused("GET", "/t/read", {"authorization": authorization}, told=told)


@pytest.mark.parametrize("date", ["", "now", "20231114", "2023-11-14T22:13:20Z", "20231332T221320Z"])
def test_a_malformed_date_of_a_shared_secret(signed: Signed, date: str):
    headers = shared(signed.id, signed.secret, "GET", "/t/read", at=NOW)
    signed.refused("GET", "/t/read", {**headers, "x-sdk-date": date}, told="x-sdk-date must be a time like")


def test_a_signed_header_that_did_not_come(signed: Signed):
    headers = shared(signed.id, signed.secret, "GET", "/t/read", at=NOW, headers={"User-Agent": "é/1"})
    assert signed.send("GET", "/t/read", headers)[0] == 200
    del headers["user-agent"]
    signed.refused("GET", "/t/read", headers, told="covers the header 'user-agent', which the request does not have")


# Signed with a private key


def test_another_name_of_the_date_will_do(signed: Signed):
    headers = PRIVATE.headers("GET", "/t/read", at=NOW, date="x-date")
    assert signed.send("GET", "/t/read", {**headers, "date": "not looked at"})[0] == 200


@pytest.mark.parametrize(
    "name", ["date", "host", "(request-target)", "content-length", "content-type", "x-content-sha256"]
)
def test_what_a_private_key_must_sign(signed: Signed, name: str):
    headers = PRIVATE.headers("POST", "/t/whole", body=b"{}", at=NOW, leave_out=(name,))
    told = "covers neither 'x-date' nor 'date'" if name == "date" else f"does not cover {name!r}"
    signed.refused("POST", "/t/whole", headers, b"{}", told=told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('version="1"', 'version="2"', "version must be 1"),
        ("rsa-sha256", "hmac-sha256", "algorithm must be rsa-sha256"),
        ("rsa-sha256", "rsa-sha1", "algorithm must be rsa-sha256"),
        ('algorithm="rsa-sha256",', "", "algorithm must be rsa-sha256"),
        ("keyId=", "keyIe=", "has no keyId"),
        (PRIVATE.key_id, "a/b/c", "the signature's key id is unknown"),
        ('signature="', 'signature="!', "the signature is not base64"),
        ('signature="', 'signature="AAAA', MISMATCH),
        ('version="1"', 'version="1",version="1"', "is not Signature keyId="),
        ('version="1"', "version=1", "is not Signature keyId="),
    ],
)
def test_a_malformed_signature_of_a_key_says_what_is_wrong(signed: Signed, old: str, new: str, told: str):
    headers = PRIVATE.headers("GET", "/t/read", at=NOW)
    assert old in headers["authorization"]
    headers["authorization"] = headers["authorization"].replace(old, new)
    signed.refused("GET", "/t/read", headers, told=told)


@pytest.mark.parametrize("date", ["", "now", "20231114T221320Z", "Tue, 14 Nov 2023 22:13:20 -0000", "Tue, 99 Nov 2023"])
def test_a_malformed_date_of_a_private_key(signed: Signed, date: str):
    headers = PRIVATE.headers("GET", "/t/read", at=NOW)
    signed.refused("GET", "/t/read", {**headers, "date": date}, told="date must be")


def test_a_hash_that_is_none(signed: Signed):
    headers = PRIVATE.headers("POST", "/t/whole", body=b"{}", at=NOW)
    signed.refused(
        "POST", "/t/whole", {**headers, "x-content-sha256": "!"}, b"{}", told="x-content-sha256 is not base64"
    )
    other = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    signed.refused("POST", "/t/whole", {**headers, "x-content-sha256": other}, b"{}", told=MISMATCH)


# Beside other ways


def test_a_token_decides_where_a_request_is_signed_too(signed: Signed):
    wrong = shared(signed.id, "sw_" + "x" * 40, "GET", "/t/read", at=NOW)
    assert signed.send("GET", "/t/read", {**wrong, "x-auth-token": signed.secret}) == (200, {"id": signed.id})
    good = shared(signed.id, signed.secret, "GET", "/t/read", at=NOW)
    signed.refused("GET", "/t/read", {**good, "x-auth-token": "sw_" + "x" * 40}, told="unknown")


def test_a_token_that_repeats_is_refused(signed: Signed):
    twice = [("x-auth-token", signed.secret), ("x-auth-token", "other")]
    answer = signed.asking.ask("GET", "/t/read", headers=twice)
    assert (answer.status, answer.error["code"]) == (400, "repeated_header")

"""What is believed of X-Forwarded-* headers, and what it changes: links, the rule of foreign pages, the log."""

from __future__ import annotations

import logging

import pytest

from stepwell.core.access import Role
from stepwell.services import credentials
from stepwell.web import forwarding
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.forwarding import Forwarded
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Asking
from unit.web.test_auth import basic

NOTHING = Forwarded(client=None, host=None, scheme=None, prefix=b"")


def read(hops: int, *lines: tuple[str, str]) -> Forwarded:
    return forwarding.read([(f"x-forwarded-{name}".encode(), value.encode()) for name, value in lines], hops)


# What is believed


def test_one_proxy_says_it_all():
    found = read(1, ("for", "10.1.2.3"), ("host", "a.example:8443"), ("proto", "https"), ("prefix", "/team/stepwell"))
    assert found == Forwarded(client="10.1.2.3", host=b"a.example:8443", scheme="https", prefix=b"/team/stepwell")


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_nothing_said_is_nothing(hops: int):
    assert read(hops) == NOTHING
    assert read(hops, ("for", ""), ("host", ""), ("proto", " "), ("prefix", "")) == NOTHING


@pytest.mark.parametrize(("hops", "client"), [(1, "3.3.3.3"), (2, "2.2.2.2"), (3, "forged"), (4, "forged")])
def test_only_the_last_values_are_believed(hops: int, client: str):
    assert read(hops, ("for", "forged, 2.2.2.2 ,3.3.3.3")).client == client


def test_a_header_that_repeats_goes_on_where_it_stopped():
    lines = [("host", "forged"), ("host", "outer.example, inner.example"), ("proto", "https"), ("proto", "http")]
    assert read(1, *lines) == Forwarded(client=None, host=b"inner.example", scheme="http", prefix=b"")
    assert read(2, *lines) == Forwarded(client=None, host=b"outer.example", scheme="https", prefix=b"")


def test_the_prefixes_of_all_proxies_are_joined():
    assert read(1, ("prefix", "/forged, /a, /b")).prefix == b"/b"
    assert read(2, ("prefix", "/forged, /a/, /b/")).prefix == b"/a/b"
    assert read(2, ("prefix", "/, /b%20c")).prefix == b"/b%20c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "a/b"),
        ("host", "user@a.example"),
        ("host", "a.example:123456"),
        ("host", "a b"),
        ("proto", "javascript"),
        ("proto", "HTTPS"),
        ("prefix", "team"),
        ("prefix", "//evil.example"),
        ("prefix", "/a//b"),
        ("prefix", "/a?b"),
        ("prefix", "/a\\b"),
        ("prefix", '/a"b'),
        ("for", "a b"),
        ("for", "x" * 101),
    ],
)
def test_a_value_that_cannot_be_is_refused_unless_it_is_not_believed(name: str, value: str):
    with pytest.raises(HttpProblem) as caught:
        read(1, (name, value))
    assert (caught.value.status, caught.value.code) == (400, "malformed_forwarding")
    assert f"x-forwarded-{name}" in caught.value.message
    good = {"host": "a", "proto": "http", "prefix": "/a", "for": "::1"}[name]
    read(1, (name, f"{value}, {good}"))


# What it changes


async def seen(call: Call) -> Response:
    return json_response([call.base, call.path])


ROUTES = [Route("GET", "/t/seen", seen), Route("POST", "/t/seen", seen, Role.WRITER)]
SENT = {
    "host": "10.0.0.1:8585",
    "x-forwarded-host": "ml.example",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/team/stepwell/",
    "x-forwarded-for": "9.9.9.9, 10.1.2.3",
}


def behind(hops: int) -> tuple[Asking, str, str]:
    asking = Asking(ROUTES, required=True, hops=hops)
    store = asking.store
    credential, secret = credentials.create(
        store,  # type: ignore[arg-type]
        asking.key,
        workspace="w",
        role="writer",
        now=asking.now,
    )
    return asking, credential.id, secret


@pytest.mark.parametrize(("hops", "base"), [(0, "http://10.0.0.1:8585"), (1, "https://ml.example/team/stepwell")])
def test_links_begin_with_what_the_client_sees(hops: int, base: str):
    asking, _, secret = behind(hops)
    answer = asking.ask("GET", "/t/seen", headers={"authorization": f"Bearer {secret}"} | SENT)
    assert answer.json == [base, "/t/seen"]


def test_a_proxy_that_tells_only_the_prefix_passes_the_host_on():
    asking, _, secret = behind(1)
    headers = {"authorization": f"Bearer {secret}", "host": "ml.example", "x-forwarded-prefix": "/p"}
    assert asking.ask("GET", "/t/seen", headers=headers).json[0] == "http://ml.example/p"


@pytest.mark.parametrize(
    ("hops", "origin", "status"),
    [
        (1, "https://ml.example", 200),
        (1, "http://ml.example", 403),
        (1, "https://other.example", 403),
        (1, "http://10.0.0.1:8585", 403),
        (0, "http://10.0.0.1:8585", 200),
        (0, "https://ml.example", 403),
    ],
)
def test_a_foreign_page_is_one_of_another_origin_than_the_client_sees(hops: int, origin: str, status: int):
    asking, id_, secret = behind(hops)
    answer = asking.ask("POST", "/t/seen", headers={"authorization": basic(id_, secret), "origin": origin} | SENT)
    assert answer.status == status


@pytest.mark.parametrize(("hops", "status"), [(0, 403), (1, 200)])
def test_without_credentials_the_forwarded_host_must_be_local(hops: int, status: int):
    asking = Asking(ROUTES, hops=hops)
    forwarded = {"host": "ml.example", "x-forwarded-host": "localhost:1"}
    assert asking.ask("GET", "/t/seen", headers=forwarded).status == status
    turned = {"host": "localhost:1", "x-forwarded-host": "ml.example"}
    assert asking.ask("GET", "/t/seen", headers=turned).status == 603 - status


def test_a_malformed_value_is_an_error_of_the_dialect_s_shape():
    asking, _, secret = behind(1)
    headers = {"authorization": f"Bearer {secret}", "x-forwarded-host": "a/b"}
    assert asking.ask("GET", "/t/seen", headers=headers).error["code"] == "malformed_forwarding"


@pytest.mark.parametrize(("hops", "client"), [(0, ""), (1, "10.1.2.3"), (2, "9.9.9.9")])
def test_the_log_names_the_client(hops: int, client: str, caplog: pytest.LogCaptureFixture):
    asking, _, _ = behind(hops)
    with caplog.at_level(logging.INFO, logger="stepwell.web"):
        assert asking.ask("GET", "/t/seen", headers=SENT).status == 401
    assert [record.__dict__["client"] for record in caplog.records] == [client]

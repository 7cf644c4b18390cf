"""Reading bodies: limits, broken and slow uploads, gzip, the budget of all requests together."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.web.call import Call
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Asking

LIMIT = 1000


async def whole(call: Call) -> Response:
    return Response(200, await call.body(LIMIT), "application/octet-stream")


async def large(call: Call) -> Response:
    return Response(200, await call.body(1 << 20), "application/octet-stream")


async def pieces(call: Call) -> Response:
    return json_response([len(chunk) async for chunk in call.chunks()])


async def unread(_call: Call) -> Response:
    return json_response("unread")


def app(**options: int) -> Asking:
    return Asking(
        [Route("POST", "/t/whole", whole), Route("PUT", "/t/pieces", pieces), Route("POST", "/t/unread", unread)],
        **options,  # type: ignore[arg-type]
    )


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_a_body_is_its_pieces_joined(parts: list[bytes]):
    data = b"".join(parts)
    answer = app().ask("POST", "/t/whole", body=parts)
    if len(data) <= LIMIT:
        assert (answer.status, answer.body) == (200, data)
    else:
        assert answer.status == 413


def test_no_body_is_an_empty_one():
    assert app().ask("POST", "/t/whole").body == b""


@pytest.mark.parametrize("length", [LIMIT + 1, 10**18])
def test_a_body_that_announces_too_much_is_refused_unread(length: int):
    answer = app().ask("POST", "/t/whole", headers={"content-length": str(length)}, body=[b"x"])
    assert (answer.status, answer.error["code"], answer.error["limit"]) == (413, "body_too_large", LIMIT)
    assert answer.headers["connection"] == "close"
    assert answer.complete


def test_a_chunked_body_is_refused_where_it_passes_the_limit_and_the_rest_is_read():
    answer = app().ask("POST", "/t/whole", body=[b"x" * 400] * 50)
    assert (answer.status, answer.error["code"], answer.complete) == (413, "body_too_large", True)


def test_after_expect_nothing_is_read_that_was_not_asked_for():
    headers = {"content-length": "5000", "expect": "100-continue"}
    answer = app().ask("POST", "/t/whole", headers=headers, body=[b"x"])
    assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("path", ["/t/whole", "/t/pieces"])
def test_a_body_that_breaks_off_is_400(path: str):
    answer = app().ask("PUT" if "pieces" in path else "POST", path, body=[b"half"], broken=True)
    assert (answer.status, answer.error["code"]) == (400, "body_broken_off")


@pytest.mark.parametrize("path", ["/t/whole", "/t/pieces"])
def test_a_body_that_does_not_go_on_is_408(path: str):
    answer = app().ask("PUT" if "pieces" in path else "POST", path, body=[b"half"], slow=True)
    assert (answer.status, answer.error["code"]) == (408, "body_too_slow")
    assert "30 seconds" in answer.error["message"]
    assert answer.headers["connection"] == "close"


def test_chunks_have_no_limit_in_all_and_take_nothing_of_the_budget():
    answer = app(budget=10).ask("PUT", "/t/pieces", body=[b"x" * 5000, b"", b"y" * 7000])
    assert answer.json == [5000, 7000]


def test_bodies_in_flight_are_bounded_together():
    asking = app(budget=500)
    answer = asking.ask("POST", "/t/whole", body=[b"x" * 400, b"x" * 400])
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "busy", "1")
    assert asking.budget.used == 0
    assert asking.ask("POST", "/t/whole", body=[b"x" * 400]).status == 200
    assert asking.budget.used == 0


@pytest.mark.parametrize("coding", ["gzip", "GZip", "x-gzip"])
def test_gzip_is_undone(coding: str):
    answer = app().ask("POST", "/t/whole", headers={"content-encoding": coding}, body=[gzip.compress(b"hello")])
    assert answer.body == b"hello"


def test_identity_is_no_encoding():
    assert app().ask("POST", "/t/whole", headers={"content-encoding": "identity"}, body=[b"hello"]).body == b"hello"


def test_a_gzip_bomb_is_413():
    bomb = gzip.compress(bytes(900_000), 9)
    assert len(bomb) < LIMIT
    answer = app().ask("POST", "/t/whole", headers={"content-encoding": "gzip"}, body=[bomb])
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


def test_a_gzip_bomb_is_not_unpacked_beyond_the_limit():
    layer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = layer.compress(bytes(64 << 20)) + layer.flush()
    tracemalloc.start()
    try:
        answer = Asking([Route("POST", "/t/large", large)]).ask(
            "POST", "/t/large", headers={"content-encoding": "gzip"}, body=[bomb]
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert most < 8 << 20


@pytest.mark.parametrize(
    "data",
    [b"no gzip", gzip.compress(b"cut")[:-3], gzip.compress(b"a") + b"more", b""],
    ids=["other", "cut", "longer", "empty"],  # a gzip member holds the time of its making
)
def test_what_is_not_one_gzip_member_is_400(data: bytes):
    answer = app().ask("POST", "/t/whole", headers={"content-encoding": "gzip"}, body=[data])
    assert (answer.status, answer.error["code"]) == (400, "malformed_gzip")


@pytest.mark.parametrize(
    ("path", "coding", "accepted"), [("/t/whole", "br", "gzip"), ("/t/pieces", "gzip", "identity")]
)
def test_other_encodings_are_415(path: str, coding: str, accepted: str):
    method = "PUT" if "pieces" in path else "POST"
    answer = app().ask(method, path, headers={"content-encoding": coding}, body=[b"x"])
    assert (answer.status, answer.headers["accept-encoding"]) == (415, accepted)


def test_a_large_unread_body_ends_the_connection_and_a_small_one_does_not():
    assert (
        app().ask("POST", "/t/unread", headers={"content-length": "70000"}, body=[b"x"]).headers["connection"]
        == "close"
    )
    assert "connection" not in app().ask("POST", "/t/unread", headers={"content-length": "70"}, body=[b"x"]).headers

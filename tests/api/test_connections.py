"""What a connection may do to the server, with real sockets: too much, too slowly, half, and while it stops."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from stepwell.web.server import listen

pytestmark = pytest.mark.slow  # they wait for what a server does in time

LIMIT = 1 << 20
MIB = 1 << 20


PATIENT = 60.0  # seconds; where nothing waits for it, a stall of the machine must not end it
HASTY = 5.0


class Program:
    """connection_server.py as a process, which waits so many seconds for the rest of a request."""

    def __init__(self, patience: float = PATIENT, connections: int = 4096) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("connection_server.py")), str(patience), str(connections)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.out: IO[bytes] = self.process.stdout
        self.port = int(self.out.readline())

    def http(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def raw(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(data)
        return connection

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.out.close()


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    started = Program()
    yield started
    started.end()


@pytest.fixture(scope="module")
def hasty() -> Iterator[Program]:
    started = Program(HASTY)
    yield started
    started.end()


def everything(connection: socket.socket) -> bytes:
    with connection:
        got = b""
        while piece := connection.recv(65536):
            got += piece
        return got


def asked(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def lives(program: Program) -> None:
    connection = program.http()
    connection.request("POST", "/size", b"12345")
    assert connection.getresponse().read() == b"5"
    connection.close()


def test_small_answers_are_not_held_back():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize("path", ["/size", "/refuse", "/nowhere"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_64_mib_gets_to_read_the_refusal(program: Program, path: str, chunked: bool):
    connection = program.http()
    body = (bytes(MIB) for _ in range(64))
    headers = {} if chunked else {"Content-Length": str(64 * MIB)}
    connection.request("POST", path, body, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == {"/size": 413, "/refuse": 409, "/nowhere": 404}[path]
    told = json.loads(answer.read())
    if path == "/size":
        assert told["error"]["limit"] == LIMIT
    lives(program)


def test_a_client_that_asks_before_sending_is_refused_at_once(program: Program):
    got = everything(program.raw(asked("POST", "/size", "Content-Length: 67108864", "Expect: 100-continue")))
    assert got.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_before_sending_may_go_on(program: Program):
    with program.raw(
        asked("POST", "/size", "Content-Length: 5", "Expect: 100-continue", "Connection: close")
    ) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(b"12345")
        got = everything(connection)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\n5")


def test_an_upload_without_a_limit_streams(program: Program):
    connection = program.http()
    connection.request("PUT", "/count", (bytes(MIB) for _ in range(80)), encode_chunked=True)
    assert int(connection.getresponse().read()) == 80 * MIB
    connection.close()


@pytest.mark.parametrize(("method", "path"), [("POST", "/size"), ("PUT", "/count")])
def test_a_body_that_stops_coming_is_408(hasty: Program, method: str, path: str):
    got = everything(hasty.raw(asked(method, path, "Content-Length: 100") + b"some"))
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b'"body_too_slow"' in got
    lives(hasty)


def test_a_body_that_comes_slowly_but_comes_is_taken(hasty: Program):
    with hasty.raw(asked("POST", "/size", "Content-Length: 8", "Connection: close")) as connection:
        for _ in range(8):
            time.sleep(HASTY / 6)
            connection.sendall(b"x")
        assert everything(connection).endswith(b"\r\n\r\n8")


@pytest.mark.parametrize("head", [b"", b"POST /si", b"POST /size HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_head_that_stops_coming_ends_the_connection(hasty: Program, head: bytes):
    assert everything(hasty.raw(head)) == b""
    lives(hasty)


def test_an_upload_that_is_cut_leaves_the_server_alone(program: Program):
    for method, path in (("POST", "/size"), ("PUT", "/count"), ("POST", "/nowhere")):
        with program.raw(asked(method, path, "Content-Length: 100") + b"half") as connection:
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
        program.raw(asked(method, path, "Content-Length: 100") + b"half").close()
    lives(program)


def test_a_client_that_has_said_all_and_closed_its_side_gets_its_answer(program: Program):
    with program.raw(asked("GET", "/late")) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection).endswith(b'"late"')


def test_requests_sent_at_once_are_answered_in_order(program: Program):
    one = asked("POST", "/size", "Content-Length: 3") + b"abc"
    last = asked("POST", "/size", "Content-Length: 1", "Connection: close") + b"x"
    got = everything(program.raw(one + asked("GET", "/nowhere") + last))
    assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]


def test_an_unread_small_body_does_not_become_the_next_request(program: Program):
    hidden = asked("GET", "/late")
    first = asked("POST", "/refuse", f"Content-Length: {len(hidden)}") + hidden
    got = everything(program.raw(first + asked("POST", "/size", "Content-Length: 0", "Connection: close")))
    assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"409", b"200"]


def test_a_good_request_before_a_bad_one_gets_its_answer_whole(program: Program):
    got = everything(program.raw(asked("GET", "/late") + b"nonsense\r\n\r\n"))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b'"late"')
    assert got.count(b"HTTP/1.1") == 1


def test_a_stream_travels_in_chunks_and_to_an_old_client_until_the_end(program: Program):
    new = everything(program.raw(asked("GET", "/streams", "Connection: close")))
    assert b"transfer-encoding: chunked\r\n" in new
    assert new.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
    old = everything(program.raw(b"GET /streams HTTP/1.0\r\nHost: localhost\r\n\r\n"))
    assert b"transfer-encoding" not in old
    assert old.endswith(b"\r\n\r\nonetwothree")


def test_an_answer_to_head_has_no_body(program: Program):
    got = everything(program.raw(asked("HEAD", "/streams", "Connection: close")))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\n")
    assert b"\r\ndate: " in got


def test_a_line_break_in_a_value_never_becomes_a_header(program: Program):
    got = everything(program.raw(asked("GET", "/injects")))
    assert b"set-cookie" not in got
    lives(program)


def test_a_wish_for_another_protocol_is_passed_over(program: Program):
    got = everything(program.raw(asked("GET", "/late", "Connection: Upgrade", "Upgrade: websocket")))
    assert got.endswith(b'"late"')


@pytest.mark.parametrize("target", ["/address/a%2Fb?x=1", "http://localhost/address/a%2Fb?x=1"])
def test_a_target_is_read_in_both_of_its_forms(program: Program, target: str):
    got = everything(program.raw(asked("GET", target, "Connection: close")))
    told = json.loads(got.partition(b"\r\n\r\n")[2])
    assert told == {"path": "/address/a/b", "raw": "/address/a%2Fb", "q": [["x", "1"]]}


@pytest.fixture
def small() -> Iterator[Program]:
    """With room for three."""
    started = Program(connections=3)
    yield started
    started.end()


def answered(program: Program) -> socket.socket:
    """A connection that has its answer, and is kept."""
    connection = program.raw(asked("POST", "/size", "Content-Length: 1") + b"x")
    while not (got := connection.recv(65536)).endswith(b"1"):
        assert got, "an answer"
    return connection


def test_one_connection_too_many_takes_the_place_of_who_was_idle_longest(small: Program):
    first, second, third = answered(small), answered(small), answered(small)
    fourth = answered(small)
    assert everything(first) == b""
    for kept in (second, third, fourth):
        kept.sendall(asked("POST", "/size", "Content-Length: 2") + b"xy")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        kept.close()


def test_who_only_connects_keeps_nobody_out(small: Program):
    silent = [small.raw(b"") for _ in range(3)]
    for _ in range(4):
        answered(small).close()
    for connection in silent:
        connection.close()


def test_while_all_are_answered_one_more_is_told_to_come_back(small: Program):
    waiting = [small.raw(asked("POST", "/size", "Content-Length: 1", "Expect: 100-continue")) for _ in range(3)]
    for connection in waiting:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
    refused = everything(small.raw(b""))
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in refused
    told = json.loads(refused.partition(b"\r\n\r\n")[2])["error"]
    assert told["message"] == "the server has the 3 connections that it may have"
    for connection in waiting:
        connection.sendall(b"x")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.close()


def test_who_takes_nothing_of_an_answer_is_let_go():
    hasty = Program(HASTY, connections=3)
    deaf = [hasty.raw(asked("GET", "/large") * 2) for _ in range(3)]
    try:
        until, got = time.monotonic() + PATIENT, b""
        while not got.endswith(b'"late"'):
            assert time.monotonic() < until, "nobody was let go"
            with suppress(ConnectionError):  # whoever is turned away while it asks may be cut off
                got = everything(hasty.raw(asked("GET", "/late", "Connection: close")))
            time.sleep(0.5)
    finally:
        for connection in deaf:
            connection.close()
        hasty.end()


def test_who_takes_an_answer_slowly_gets_all_of_it(hasty: Program):
    got = 0
    with hasty.raw(asked("GET", "/large", "Connection: close")) as connection:
        for _ in range(8):
            time.sleep(HASTY / 6)
            got += len(connection.recv(1 << 20))
        while piece := connection.recv(1 << 20):
            got += len(piece)
    assert got > 64 * MIB


def test_a_connection_that_asks_nothing_more_is_let_go(program: Program):
    got = everything(program.raw(asked("POST", "/size", "Content-Length: 1") + b"x"))
    assert got.endswith(b"\r\n\r\n1")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_json(program: Program, data: bytes):
    got = everything(program.raw(data))
    assert got.startswith(b"HTTP/1.1 400 ")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"]
    lives(program)


@pytest.mark.parametrize(
    "head",
    [
        asked("GET", "/size", "X-Long: " + "x" * 70_000),
        asked("GET", "/size?" + "q" * 70_000),
        asked("GET", "/size", *(f"X-{number}: {'y' * 100}" for number in range(1000))),
    ],
)
def test_a_head_over_the_limit_is_431(program: Program, head: bytes):
    got = everything(program.raw(head))
    assert got.startswith(b"HTTP/1.1 431 ")
    lives(program)


def test_a_head_without_an_end_is_cut(program: Program):
    with program.raw(b"GET /size HTTP/1.1\r\nX-Endless: ") as connection:
        try:
            for _ in range(1000):
                connection.sendall(b"x" * 65536)
        except ConnectionError:
            pass
        else:
            pytest.fail("64 MiB of one header were taken")
    lives(program)


CHUNKED = asked("POST", "/size", "Transfer-Encoding: chunked", "Connection: close") + b"5\r\n12345\r\n"


@pytest.mark.parametrize("name", ["Content-Encoding", "Host"])
def test_a_field_after_the_body_is_no_header(program: Program, name: str):
    got = everything(program.raw(CHUNKED + f"0\r\n{name}: gzip\r\n\r\n".encode()))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\n5")


@pytest.mark.parametrize("end", [b"0\r\nX-Endless: ", b"0\r\n", b"5;"], ids=["one field", "fields", "a chunk's head"])
def test_what_stands_between_and_after_the_pieces_of_a_body_is_bounded(program: Program, end: bytes):
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(6_000)) if end == b"0\r\n" else b"x" * 65536
    with program.raw(CHUNKED + end) as connection:
        try:
            for _ in range(1000):
                connection.sendall(fields)
        except ConnectionError:
            pass
        else:
            pytest.fail("64 MiB beside a body were taken")
    lives(program)


def test_small_pieces_of_a_body_may_be_many(program: Program):
    got = everything(program.raw(CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"))
    assert got.endswith(b"\r\n\r\n100005")


def test_a_large_body_in_the_same_packet_as_its_head_is_no_large_head(program: Program):
    got = everything(
        program.raw(asked("POST", "/size", "Content-Length: 900000", "Connection: close") + bytes(900_000))
    )
    assert got.endswith(b"\r\n\r\n900000")


def test_an_answer_that_breaks_in_the_middle_never_looks_whole(program: Program):
    connection = program.http()
    connection.request("GET", "/breaks")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()
    lives(program)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_it_has_begun_takes_no_more_and_ends_with_0(number: signal.Signals):
    program = Program()
    try:
        idle = program.raw(b"")
        connection = program.http()
        got: list[bytes] = []
        connection.request("GET", "/late")
        waiting = threading.Thread(target=lambda: got.append(connection.getresponse().read()))
        waiting.start()
        assert program.out.readline() == b"begun\n"
        program.process.send_signal(number)
        assert program.process.wait(timeout=60) == 0
        waiting.join(timeout=60)
        assert got == [b'"late"']
        assert idle.recv(10) == b""
        idle.close()
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            program.raw(b"")
    finally:
        program.end()

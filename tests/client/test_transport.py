"""Requests to servers that behave in all the ways that servers do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving import HOST, free_port
from stepwell.client import transport
from stepwell.client.environment import target
from stepwell.client.transport import Api, Denied, Refused, Unanswered, Unavailable


class Told(BaseHTTPRequestHandler):
    """Answers what the path says: /STATUS/CODE, and writes down what came."""

    protocol_version = "HTTP/1.1"
    came: list[dict[str, Any]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.came.append({"line": self.requestline, "headers": dict(self.headers), "body": body, "by": id(self)})
        status, _, code = self.path.partition("/api/v1/")[2].partition("?")[0].partition("/")
        text = (
            b"<p>a proxy</p>"
            if code in ("html", "moved")
            else json.dumps({"error": {"code": code, "message": "so"}}).encode()
        )
        text = b"" if status == "204" else text
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(text)))
        if code == "moved":
            self.send_header("Location", "https://far.example/")
        self.send_header("Retry-After", code if code == "inf" else "7")
        self.end_headers()
        self.wfile.write(text)
        if code == "last":
            self.close_connection = True  # without a word, as after an idle time

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  as the library calls them

    def do_CONNECT(self) -> None:
        """As a proxy that goes no further."""
        self.came.append({"line": self.requestline, "headers": dict(self.headers)})
        self.send_error(502)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    class Own(Told):
        came: list[dict[str, Any]] = []  # noqa: RUF012  of this class alone

    with ThreadingHTTPServer((HOST, 0), Own) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", Own.came
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/400/invalid", Refused),
        ("/404/not_found", Refused),
        ("/409/conflict", Refused),
        ("/413/html", Refused),
        ("/401/unauthenticated", Denied),
        ("/403/forbidden", Denied),
        ("/403/html", Denied),
        ("/404/unknown_path", Unavailable),
        ("/405/wrong_verb", Unavailable),
        ("/404/html", Unavailable),
        ("/400/html", Unavailable),
        ("/408/body_too_slow", Unavailable),
        ("/429/too_many_requests", Unavailable),
        ("/500/internal", Unavailable),
        ("/503/busy", Unavailable),
        ("/507/storage_full", Unavailable),
        ("/502/html", Unavailable),
        ("/504/html", Unanswered),
        ("/302/html", Unavailable),
        ("/200/html", Unavailable),
    ],
)
def test_only_a_word_of_ours_refuses_for_good(path: str, error: type[Exception]) -> None:
    with told() as (url, _), closing(Api(url)) as api, pytest.raises(error) as caught:
        api.get(path)
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after == 7.0
        assert ("no Stepwell" in str(caught.value)) == (path == "/200/html")


@pytest.mark.parametrize(("status", "error"), [(413, Refused), (401, Denied), (200, Unavailable)])
def test_an_answer_that_does_not_wait_for_the_body_is_heard(
    status: int, error: type[Exception], tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(20_000_000))

    def answer_at_once() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1)
            connection.sendall(f"HTTP/1.1 {status} so\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    with socket.create_server((HOST, 0)) as listening:
        threading.Thread(target=answer_at_once, daemon=True).start()
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        with closing(Api(url)) as api, pytest.raises(error):
            api.request("PUT", "/x", large)


def test_where_a_server_has_moved_is_said() -> None:
    with (
        told() as (url, _),
        closing(Api(url)) as api,
        pytest.raises(Unavailable, match="status 301: it is at https://far"),
    ):
        api.get("/301/moved")


def test_nobody_is_asked_to_wait_for_ever() -> None:
    with told() as (url, _), closing(Api(url)) as api, pytest.raises(Unavailable) as caught:
        api.get("/503/inf")
    assert caught.value.retry_after == 3600.0


def test_one_connection_serves_all_and_is_made_anew_when_it_ended() -> None:
    with told() as (url, came), closing(Api(url)) as api:
        api.send("POST", "/200/a", {"x": 1})
        api.get("/204/last", {"q": ["1", "2"], "none": None})
        api.get("/200/b")
        assert [request["line"] for request in came] == [
            "POST /api/v1/200/a HTTP/1.1",
            "GET /api/v1/204/last?q=1&q=2 HTTP/1.1",
            "GET /api/v1/200/b HTTP/1.1",
        ]
        assert came[0]["by"] == came[1]["by"] != came[2]["by"]
        assert came[0]["body"] == b'{"x":1}'


def test_credential_workspace_and_path_prefix_go_along(tmp_path: Path) -> None:
    content = tmp_path / "file"
    content.write_bytes(b"abc" * 100_000)
    with told() as (url, came):
        with closing(Api(f"{url}/team/x/", api_key="sw_1", workspace="w")) as api:
            assert api.url == f"{url}/team/x"
            api.request("PUT", "/200/a", content)
        with closing(Api(url.replace("//", "//id:se%2Fcret@"))) as api:
            assert "cret" not in api.url
            api.get("/200/a")
    put, get = came
    assert put["line"].startswith("PUT /team/x/api/v1/200/a ")
    assert put["body"] == content.read_bytes()
    assert put["headers"]["Authorization"] == "Bearer sw_1"
    assert put["headers"]["X-Stepwell-Workspace"] == "w"
    assert get["headers"]["Authorization"] == "Basic aWQ6c2UvY3JldA=="


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="refused"):
        Api(f"http://{HOST}:{free_port()}").get("/runs")


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with told() as (url, came):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        with closing(Api("http://far.example:99")) as api:
            api.get("/200/a")
        monkeypatch.setenv("no_proxy", "far.example")
        assert came[0]["line"] == "GET http://far.example:99/api/v1/200/a HTTP/1.1"
        assert came[0]["headers"]["Host"] == "far.example:99"
        assert "Proxy-Authorization" not in came[0]["headers"]


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "10.1.2.3", "192.168.7.9", "[fd00::7]"])
def test_no_proxy_is_asked_for_what_is_near(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("http_proxy", "http://a.proxy:3128")
    monkeypatch.setenv("no_proxy", "a.host, 10.0.0.0/8,192.168.7.9,fd00::/8")
    for name in ("HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "proxy" not in _unreachable(monkeypatch, f"http://{host}:99")
    assert _unreachable(monkeypatch, "http://11.0.0.1:99") == "http://11.0.0.1:99 through the proxy a.proxy:3128: no"


def _unreachable(monkeypatch: pytest.MonkeyPatch, url: str) -> str:
    def none(*_: Any, **__: Any) -> socket.socket:
        raise OSError("no")

    monkeypatch.setattr(socket, "create_connection", none)
    with pytest.raises(Unavailable) as caught:
        Api(url).get("/runs")
    return str(caught.value)


@pytest.mark.parametrize("proxy", ["http://me:secret@host:port", "socks5://me:secret@host:1"])
def test_a_proxy_that_can_be_none_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(Unavailable, match="what http_proxy says is no address of a proxy") as caught:
        Api("http://far.example").get("/runs")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_gets_it(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with told() as (url, came):
        monkeypatch.setenv(f"{scheme}_proxy", url.replace("//", "//me:p%40ss@"))
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        with closing(Api(f"{scheme}://far.example:99", api_key="key")) as api, suppress(Unavailable):
            api.get("/200/a")
        assert came[0]["line"].startswith("CONNECT far.example:99 " if scheme == "https" else "GET http://far.example")
        assert came[0]["headers"]["Proxy-Authorization"] == "Basic bWU6cEBzcw=="
        assert ("Authorization" in came[0]["headers"]) == (scheme == "http")


def test_the_answer_to_a_large_file_is_waited_for_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_ANSWER", 0.5)
    monkeypatch.setattr(transport, "_STORED", 1e5)
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    over = threading.Event()

    def answer_late() -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as told:
                length = 0
                while (line := told.readline()) != b"\r\n":
                    length = int(line.split()[1]) if line.lower().startswith(b"content-length") else length
                told.read(length)
                over.wait(1.5)
                with suppress(OSError):
                    connection.sendall(b"HTTP/1.1 200 so\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server((HOST, 0)) as listening:
        threading.Thread(target=answer_late, daemon=True).start()
        heard: list[int] = []
        with closing(Api(f"http://{HOST}:{listening.getsockname()[1]}")) as api:
            api.moved = lambda _, sent: heard.append(sent)
            with pytest.raises(Unanswered, match=r"no answer in 1 s|no answer in 0 s"):
                api.request("PUT", "/x", tmp_path / "small")
            heard.clear()
            assert api.request("PUT", "/x", tmp_path / "large") == {}
            assert (heard[0], heard[-1], heard) == (0, 2_000_000, sorted(heard))


def test_what_stands_around_an_address_is_not_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert target(url=" http://host:80\n").url == "http://host:80"
    monkeypatch.setenv("STEPWELL_URL", "http://other\r\n")
    assert target(url=" ").url == "http://other"
    monkeypatch.setenv("STEPWELL_URL", " ")
    assert target().url == "http://127.0.0.1:8585"


@pytest.mark.parametrize(
    "url",
    ["ftp://host", "http://", "unix:///x", "", "http://host:99999", "http://host:80x", "http://ho st", "http://[::1"],
)
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Api(url)

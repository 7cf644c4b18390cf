"""Requests to one server over one connection that stays open. Whether to try again is `delivery`'s to decide."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import IO, Any, Final, NoReturn, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

PREFIX: Final = "/api/v1"
_JSON: Final = "application/json"
_CONNECT: Final = 10.0  # seconds
_ANSWER: Final = 60.0
_STORED: Final = 4e6  # bytes of a file that a server puts away in a second, at the least
_LONGEST: Final = 3600.0  # that a server may ask for; a thread cannot wait for any number
_PIECE: Final = 1024 * 1024  # bytes
_DENIED: Final = frozenset({401, 403})
_LATER: Final = frozenset({408, 425, 429})
_ELSEWHERE: Final = (None, "unknown_path", "wrong_verb")  # what answers at an address that is not the API's
_WAITED: Final = frozenset({504, 524})  # of something between, which had no answer of the server

Body: TypeAlias = "bytes | Path | None"


class Unavailable(Exception):
    """Not now: try again, after `retry_after` seconds if the server said so. `status`: 0 where nobody answered."""

    def __init__(self, message: str, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class Unanswered(Unavailable):
    """All was sent, and no answer came in time. It may be done or not."""


class Denied(Exception):
    """The credential is missing, wrong, or not for this."""

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class Refused(Exception):
    """The server will never take this request. `code` is its word for why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Api:
    """The native API of one server. For one thread at a time.

    url: of the server, with the path under which it lives if there is one. workspace "": the credential's own.
    """

    def __init__(self, url: str, *, api_key: str = "", workspace: str = "") -> None:
        parts, port = _parted(url)
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._base = parts.path.rstrip("/") + PREFIX
        self._headers = {"Accept": _JSON, "User-Agent": "stepwell-python"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        elif parts.username is not None:
            self._headers["Authorization"] = _basic(parts)
        if workspace:
            self._headers["X-Stepwell-Workspace"] = workspace
        self._connect, self._target, for_proxy, self._through = _way(parts.scheme, parts.hostname or "", port)
        self._headers.update(for_proxy)
        self._connection: http.client.HTTPConnection | None = None
        self.moved: Callable[[Path, int], None] = lambda *_: None  # hears how many bytes of a file are sent
        self.ahead: float | None = None  # seconds that this machine's clock was before the server's at its first answer

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, accept: str = "") -> Any:
        """The JSON that a path answers. Values of `query` that are None are left out; lists are given one by one.

        accept: a media type that is liked better; an answer of this type is bytes.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        asked = f"?{urlencode(given, doseq=True)}" if given else ""
        return self.request("GET", path + asked, accept=accept)

    def send(self, verb: str, path: str, message: Mapping[str, Any]) -> Any:
        """As `request`, with a JSON body."""
        return self.request(verb, path, json.dumps(message, separators=(",", ":")).encode(), _JSON)

    def request(
        self,
        verb: str,
        path: str,
        body: Body = None,
        content_type: str = "",
        *,
        into: IO[bytes] | None = None,
        accept: str = "",
    ) -> Any:
        """The JSON of the answer, None where it has no body. Unavailable, Denied, Refused.

        path: below /api/v1, quoted. body: bytes, or a file that is streamed. into: takes the content of a good answer
        instead; what came before Unavailable is in it too. accept: as in `get`.
        """
        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        if accept:
            headers["Accept"] = f"{accept}, {_JSON}"
        reused = self._connection is not None
        try:
            try:
                status, told, data = self._exchange(verb, path, body, headers, into)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if not reused:
                    raise
                # The server had ended the idle connection. Every request of ours may be sent twice.
                status, told, data = self._exchange(verb, path, body, headers, into)
        except FileNotFoundError:
            raise
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.url}{self._through}: {str(error) or type(error).__name__}") from None
        except BaseException:
            self.close()
            raise
        if accept and status == http.HTTPStatus.OK and told.get("Content-Type") == accept:
            return data
        return self._judge(status, told, data)

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._connection = None

    def _exchange(
        self, verb: str, path: str, body: Body, headers: Mapping[str, str], into: IO[bytes] | None
    ) -> tuple[int, Message, bytes]:
        try:
            connection = self._open()
            cut = self._send(connection, verb, path, body, headers)
            answer = self._answered(connection, cut, body)
            if into is not None and 200 <= answer.status < 300:
                _copy(answer, into)
            data = answer.read()
            if cut is not None or answer.will_close:
                self.close()
            return answer.status, answer.headers, data
        except BaseException:
            self.close()
            raise

    def _send(
        self, connection: http.client.HTTPConnection, verb: str, path: str, body: Body, headers: Mapping[str, str]
    ) -> OSError | None:
        """What ended the connection before all of the request was sent; None: nothing."""
        with _content(body, self.moved) as content:
            connection.sock.settimeout(_ANSWER)
            if isinstance(body, Path):
                headers = {**headers, "Content-Length": str(body.stat().st_size)}
            try:
                connection.request(verb, self._target + self._base + path, content, dict(headers))
            except (BrokenPipeError, ConnectionResetError) as error:
                return error
        return None

    def _answered(
        self, connection: http.client.HTTPConnection, cut: OSError | None, body: Body
    ) -> http.client.HTTPResponse:
        """The answer, which may not wait for all of a request that it refuses. Else what has cut that off is raised."""
        patience = _ANSWER + (body.stat().st_size / _STORED if isinstance(body, Path) else 0.0)
        if connection.sock is not None:  # where it still is
            connection.sock.settimeout(patience)
        try:
            answer = connection.getresponse()
        except TimeoutError:
            raise Unanswered(f"{self.url}{self._through}: no answer in {patience:.0f} s") from None
        if cut is not None and answer.status < 400:
            raise cut
        if self.ahead is None:
            self.ahead = _ahead(answer.headers.get("Date"))
        return answer

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None or self._connection.sock is None:  # which http.client itself may have ended
            connection = self._connect()
            connection.connect()
            self._connection = connection
        return self._connection

    def _judge(self, status: int, headers: Message, data: bytes) -> Any:
        try:
            answer, is_json = json.loads(data) if data else None, True
        except ValueError:
            answer, is_json = None, False
        if is_json and 200 <= status < 300:
            return answer
        problem = answer.get("error") if isinstance(answer, dict) else None
        told = problem if isinstance(problem, dict) else {}
        elsewhere = f": it is at {headers['Location']}" if 300 <= status < 400 and headers["Location"] else ""
        strange = "what answers there is no Stepwell" if 200 <= status < 300 else f"HTTP status {status}{elsewhere}"
        message = str(told.get("message") or strange)
        if status in _DENIED:
            raise Denied(message, status)
        if status == 413 or (400 <= status < 500 and status not in _LATER and told.get("code") not in _ELSEWHERE):
            raise Refused(status, str(told.get("code", "")), message)
        # 5xx and what says to come again; also whatever stands in the way and is no Stepwell, which may change: a page
        # to sign in at comes with 200, and what it took is nowhere.
        kind = Unanswered if status in _WAITED else Unavailable
        raise kind(f"{self.url}{self._through}: {message}", _seconds(headers.get("Retry-After")), status)


def quoted(part: str) -> str:
    """A part of a path. What is no character goes as it is, for the server to refuse."""
    return quote(part, safe="", errors="surrogatepass")


def _parted(url: str) -> tuple[SplitResult, int | None]:
    """The parts of an address, and its port. ValueError."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme in ("http", "https") and parts.hostname and url.isprintable() and " " not in url:
            return parts, parts.port
    except ValueError:  # of the port, or of half an IPv6 address
        pass
    raise ValueError(f"{url!r} is no address of a server: http://HOST:PORT is one")


def _basic(parts: SplitResult) -> str:
    """What user and password of a URL are in a header."""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _way(
    scheme: str, host: str, port: int | None
) -> tuple[Callable[[], http.client.HTTPConnection], str, dict[str, str], str]:
    """How to connect, through the proxy that the environment names; what stands before each path, the headers that
    each request has for the proxy, and the proxy for people."""
    try:
        proxy = _proxy(scheme, host)
    except ValueError as error:
        return partial(_nowhere, str(error)), "", {}, ""
    entry, door = (host, port) if proxy is None else (proxy.hostname or "", proxy.port)
    shown = {} if proxy is None or proxy.username is None else {"Proxy-Authorization": _basic(proxy)}

    def connect() -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(entry, door, timeout=_CONNECT)
        secure = http.client.HTTPSConnection(entry, door, timeout=_CONNECT, context=ssl.create_default_context())
        if proxy is not None:
            secure.set_tunnel(host, port, shown)  # which the server itself does not get to see
        return secure

    through = "" if proxy is None else f" through the proxy {entry}{f':{door}' if door else ''}"
    if proxy is None or scheme == "https":
        return connect, "", {}, through
    return connect, f"http://{host}:{port or 80}", shown, through


def _nowhere(why: str) -> NoReturn:
    """What the environment says may be mended while a training waits in its spool."""
    raise OSError(why)


def _proxy(scheme: str, host: str) -> SplitResult | None:
    """The proxy that the environment names for a host, None for this machine itself. ValueError."""
    named = urllib.request.getproxies()
    if not named.get(scheme) or urllib.request.proxy_bypass(host) or _is_near(host, named.get("no", "")):
        return None
    try:
        return _parted(named[scheme])[0]
    except ValueError:  # with a password in it
        raise ValueError(f"what {scheme}_proxy says is no address of a proxy: http://HOST:PORT is one") from None


def _is_near(host: str, exempt: str) -> bool:
    """Whether it is this machine, or in one of the networks (10.0.0.0/8) of no_proxy."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _networks(exempt))


def _networks(exempt: str) -> Iterator[IPv4Network | IPv6Network]:
    for each in exempt.split(","):
        with suppress(ValueError):  # the name of a host
            yield ip_network(each.strip(), strict=False)


class _content:  # noqa: N801  reads as a verb where it is used
    """The body as http.client takes it; a file is open meanwhile, and `moved` hears how much of it is sent."""

    def __init__(self, body: Body, moved: Callable[[Path, int], None]) -> None:
        self._body = body
        self._moved = moved
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Any:
        if isinstance(self._body, Path):
            self._file = self._body.open("rb")
            return self
        return self._body

    def read(self, size: int = -1) -> bytes:
        """The next part: those before it are sent."""
        assert self._file is not None
        assert isinstance(self._body, Path)
        self._moved(self._body, self._file.tell())
        return self._file.read(size)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _copy(answer: http.client.HTTPResponse, into: IO[bytes]) -> None:
    """All of it: with a size to read, `HTTPResponse.read` takes a connection that broke off for an end."""
    shutil.copyfileobj(answer, into, _PIECE)
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)


def _ahead(date: str | None) -> float | None:
    """Seconds that this machine's clock is before one that says this; None where it says nothing."""
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds, an hour at most; a date, which our server never sends, counts as none."""
    try:
        return None if text is None else max(0.0, min(float(text), _LONGEST))
    except ValueError:
        return None

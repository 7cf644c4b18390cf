"""The socket in the data directory."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.core.errors import NotFound
from stepwell.web.control import NAME, Arguments, Item, Refused, ask
from stepwell.web.control_server import ControlServer


def answering(command: str, arguments: Arguments) -> Iterator[Item]:
    if command == "fail":
        raise NotFound("no such thing")
    for number in range(3):
        yield {"command": command, "number": number, **arguments}
    if command == "fail late":
        raise NotFound("gone meanwhile")


def with_server(directory: Path, do: Callable[[], Any]) -> Any:
    """`do` runs in a thread while the server answers."""

    async def both() -> Any:
        server = ControlServer(directory, answering)
        await server.start()
        try:
            return await asyncio.to_thread(do)
        finally:
            await server.stop()

    return asyncio.run(both())


def items(directory: Path, command: str, **arguments: str) -> list[Item] | None:
    answers = ask(directory, command, arguments)
    return None if answers is None else list(answers)


def test_items_come_in_order(tmp_path: Path):
    got = with_server(tmp_path, lambda: items(tmp_path, "tell", name="ä\n"))
    assert got == [{"command": "tell", "number": number, "name": "ä\n"} for number in range(3)]


@pytest.mark.parametrize(("command", "message"), [("fail", "no such thing"), ("fail late", "gone meanwhile")])
def test_errors_come_in_the_servers_words(tmp_path: Path, command: str, message: str):
    with pytest.raises(Refused, match=message) as caught:
        with_server(tmp_path, lambda: items(tmp_path, command))
    assert caught.value.code == "not_found"


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path):
    directory = tmp_path / ("long" * 50) / ("longer" * 40)
    directory.mkdir(parents=True)
    assert len(str(directory)) > 400
    assert with_server(directory, lambda: items(directory, "tell")) is not None


def test_only_the_owner_may_open_it_and_it_goes_with_the_server(tmp_path: Path):
    mode = with_server(tmp_path, lambda: (tmp_path / NAME).stat().st_mode)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / NAME).exists()


def test_without_a_server_there_is_no_answer(tmp_path: Path):
    assert ask(tmp_path, "tell", {}) is None
    assert ask(tmp_path / "none", "tell", {}) is None
    with socket.socket(socket.AF_UNIX) as dead:  # left by a server that was killed
        dead.bind(str(tmp_path / NAME))
    assert ask(tmp_path, "tell", {}) is None


def test_a_socket_that_may_not_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(PermissionError) as caught:
        ask(tmp_path, "check", {})
    assert caught.value.filename == str(tmp_path / NAME)


def test_a_socket_left_behind_is_replaced(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    assert with_server(tmp_path, lambda: items(tmp_path, "tell")) is not None


def test_an_argument_may_be_as_long_as_one_can_be(tmp_path: Path):
    longest = "\0" * (128 << 10)
    got = with_server(tmp_path, lambda: items(tmp_path, "tell", key=longest))
    assert [each["key"] for each in got] == [longest] * 3


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"no json\n", b"{}\n", b'{"command": 1}\n', b"x" * (2 << 20)])
def test_nonsense_does_not_harm(tmp_path: Path, line: bytes):
    def nonsense() -> list[Item] | None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / NAME))
            connection.settimeout(10)
            try:
                connection.sendall(line)
                connection.shutdown(socket.SHUT_WR)
                assert b"item" not in connection.recv(1000)
            except ConnectionError:
                pass  # refused while still writing
        return items(tmp_path, "tell")

    assert len(with_server(tmp_path, nonsense)) == 3

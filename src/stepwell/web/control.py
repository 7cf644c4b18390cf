"""The socket in the data directory through which the command line speaks to the server that runs there.

One line of JSON asks: {"command", "arguments"}; lines answer: {"item"}..., then {"done": true} or
{"error": {"code", "message"}}. Only root and the owner of the server may ask.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from stepwell.core.errors import StepwellError
from stepwell.web.commands import Arguments, Item

NAME: Final = "control.sock"
_LINE: Final = 64 << 10
_log = logging.getLogger("stepwell.control")


class Refused(Exception):
    """The server's own words for why the command failed; `code` is the error's word (core.errors)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlServer:
    """Answers commands with `run`, each in a thread of its own, so that a long check delays nobody."""

    def __init__(self, directory: Path, run: Callable[[str, Arguments], Iterator[Item]]) -> None:
        self._directory = directory
        self._run = run
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. A socket left by a server that died is replaced: whoever holds the store's lock may do that."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.fchmod(listener.fileno(), 0o600)  # before bind, so that there is no moment when others could connect
        with _address(self._directory) as address:
            (self._directory / NAME).unlink(missing_ok=True)
            listener.bind(address)
        listener.listen(16)
        self._server = await asyncio.start_unix_server(self._met, sock=listener, limit=_LINE)

    async def stop(self) -> None:
        """Finish what runs and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        (self._directory / NAME).unlink(missing_ok=True)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if _peer(writer) in (0, os.geteuid()):
                await self._answer(reader, writer)
        except (ConnectionError, asyncio.LimitOverrunError, ValueError) as error:
            _log.warning("a control connection failed: %s", error, extra={"action": "control_failed"})
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command, arguments = _asked(await reader.readline())
        _log.info("command %s", command, extra={"action": "command", "command": command})
        try:
            items = self._run(command, arguments)
            while (item := await asyncio.to_thread(next, items, None)) is not None:
                writer.write(_line({"item": item}))
                await writer.drain()
            writer.write(_line({"done": True}))
        except StepwellError as error:
            writer.write(_line({"error": {"code": error.code, "message": error.message}}))
        await writer.drain()


def ask(directory: Path, command: str, arguments: Arguments) -> Iterator[Item] | None:
    """Ask the server that runs in `directory`; None when none does. The iterator raises Refused, OSError if cut off."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(directory) as address:
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError:
        connection.close()
        raise
    return _answers(connection, command, arguments)


def _answers(connection: socket.socket, command: str, arguments: Arguments) -> Iterator[Item]:
    with connection, connection.makefile("rb") as lines:
        connection.sendall(_line({"command": command, "arguments": dict(arguments)}))
        for line in lines:
            answer: dict[str, Any] = json.loads(line)
            if "item" in answer:
                yield answer["item"]
            elif "error" in answer:
                raise Refused(answer["error"]["code"], answer["error"]["message"])
            else:
                return
    raise ConnectionAbortedError("the server ended before the command did")


@contextmanager
def _address(directory: Path) -> Iterator[str]:
    """A path of the socket that is short enough for its 108 bytes, however long the directory's own is."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user id at the other end."""
    end: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _asked(line: bytes) -> tuple[str, Arguments]:
    """ValueError: the line asks for nothing."""
    match json.loads(line):
        case {"command": str(command), "arguments": dict(arguments)}:
            return command, arguments
    raise ValueError("the line is not a command")


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"

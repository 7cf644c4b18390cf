"""The socket in the data directory through which the command line reaches a running server (control.py has the format).

Only root and the owner of the server may ask.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stepwell.core import acting
from stepwell.core.errors import StepwellError
from stepwell.web.control import NAME, Arguments, Item, address, line

_LINE: Final = 1 << 20  # an argument of a command has at most 128 KiB, each byte of which may be written as six
_log = logging.getLogger("stepwell.control")


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
        with address(self._directory) as place:
            (self._directory / NAME).unlink(missing_ok=True)
            listener.bind(place)
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
            acting.begin(lambda: acting.COMMAND)
            items = self._run(command, arguments)
            while (item := await asyncio.to_thread(next, items, None)) is not None:
                writer.write(line({"item": item}))
                await writer.drain()
            writer.write(line({"done": True}))
        except StepwellError as error:
            writer.write(line({"error": {"code": error.code, "message": error.message}}))
        await writer.drain()


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user id at the other end."""
    end: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _asked(text: bytes) -> tuple[str, Arguments]:
    """ValueError: the line asks for nothing."""
    match json.loads(text):
        case {"command": str(command), "arguments": dict(arguments)}:
            return command, arguments
    raise ValueError("the line is not a command")

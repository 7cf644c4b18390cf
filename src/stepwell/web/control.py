"""Speaking to the server that has a data directory open, through the socket that it keeps there.

One line of JSON asks: {"command", "arguments"}; lines answer: {"item"}..., then {"done": true} or
{"error": {"code", "message"}}. Nothing heavy is imported here: commands are quick.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

NAME: Final = "control.sock"
Item: TypeAlias = dict[str, object]
Arguments: TypeAlias = Mapping[str, str | None]


class Refused(Exception):
    """The server's own words for why the command failed; `code` is the error's word (core.errors)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def ask(directory: Path, command: str, arguments: Arguments) -> Iterator[Item] | None:
    """Ask the server that runs in `directory`; None when none does. The iterator raises Refused, OSError if cut off."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(directory) as place:
            connection.connect(place)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        error.filename = str(directory / NAME)
        raise
    return _answers(connection, command, arguments)


def _answers(connection: socket.socket, command: str, arguments: Arguments) -> Iterator[Item]:
    with connection, connection.makefile("rb") as lines:
        with suppress(BrokenPipeError):  # told below, after what it may have answered
            connection.sendall(line({"command": command, "arguments": dict(arguments)}))
        for text in lines:
            answer: dict[str, Any] = json.loads(text)
            if "item" in answer:
                yield answer["item"]
            elif "error" in answer:
                raise Refused(answer["error"]["code"], answer["error"]["message"])
            else:
                return
    raise ConnectionAbortedError("the server ended before the command did")


@contextmanager
def address(directory: Path) -> Iterator[str]:
    """A path of the socket that is short enough for its 108 bytes, however long the directory's own is."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)


def line(value: object) -> bytes:
    """A message as it travels."""
    return json.dumps(value).encode() + b"\n"

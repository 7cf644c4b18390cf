"""The event loop's life: the server and what runs beside it begin and end together."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Final

import uvloop

from stepwell.web import server
from stepwell.web.application import Application
from stepwell.web.control_server import ControlServer
from stepwell.web.tls import Certificate

COLLECT: Final = (50_000, 20, 50)  # allocations that are not freed yet before each generation is collected


def run(
    application: Application,
    listener: socket.socket,
    *,
    control: ControlServer | None,
    ready: Callable[[], None],
    certificate: Certificate | None = None,
    connections: int = 0,
) -> None:
    """Serve on the listening socket until SIGTERM or SIGINT. `ready` is called once requests are answered; connections:
    how many there may be (0: any number)."""
    # What was made so far lives as long as the server: the collector need not look at it again, and pages of thousands
    # of short-lived rows need not wake it.
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        limits = replace(server.DEFAULT, connections=server.room(connections))
        serving = server.serve(application, listener, ready=ready, certificate=certificate, limits=limits)
        runner.run(_serve(control, serving))


async def _serve(control: ControlServer | None, serving: Coroutine[None, None, None]) -> None:
    if control is None:
        await serving
        return
    await control.start()
    try:
        await serving
    finally:
        await control.stop()

"""A program: the whole server on a data directory, with little patience for slow bodies. It prints its port."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from stepwell.app import build_app
from stepwell.core.clock import system_clock
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web import server
from stepwell.web.connection import Limits
from stepwell.web.work import Work


def main() -> None:
    place = Path(sys.argv[1])
    store, work = open_store(place, clock=system_clock), Work()
    app = build_app(Settings(data_dir=place), store, work=work)
    limits = Limits(body_seconds=5.0, sweep_seconds=0.1)
    with server.listen("127.0.0.1", 0) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        port = listener.getsockname()[1]
        runner.run(server.serve(app, listener, ready=lambda: print(port, flush=True), limits=limits))
    work.close()
    store.close()


if __name__ == "__main__":
    main()

"""What operators ask: health, metrics, and the page at the root. The error shape here is the plain one."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from stepwell.core.errors import StepwellError
from stepwell.web.call import Call
from stepwell.web.counters import Counters, histogram, singles
from stepwell.web.errors import HttpProblem, status_of
from stepwell.web.page import Page
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Dialect, Route


def dialect(*, counters: Counters, gauges: Callable[[], dict[str, float]]) -> Dialect:
    """The routes of operations. `gauges` tells what the web room itself holds: bodies in flight, waiting work."""
    page = Page()
    return Dialect(
        name="operations",
        prefixes=("/healthz", "/readyz", "/metrics", "/ui/"),
        routes=(
            Route("GET", "/healthz", _health, public=True),
            Route("GET", "/readyz", _health, public=True),
            Route("GET", "/metrics", _metrics(counters, gauges), about_process=True),
            Route("GET", "/", _to_page, public=True),
            Route("GET", "/ui/", page.index, public=True),
            Route("GET", "/ui/{name:path}", page.file, public=True),
        ),
        workspace=lambda call: call.principal.home,
        error_response=error_response,
    )


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """`{"error": {"code", "message", "request_id", "field", "limit"}}`."""
    told: dict[str, object] = {"code": error.code, "message": error.message, "request_id": call.request_id}
    if isinstance(error, StepwellError) and error.field is not None:
        told["field"] = error.field
    if error.limit is not None:
        told["limit"] = error.limit
    return json_response({"error": told}, status_of(error))


async def _health(call: Call) -> Response:
    """Whether writes are taken; if not, why. Never waits for anything."""
    reason = call.context.store.healthy()
    if reason:
        told = json_response({"status": "read_only", "reason": reason, "version": call.context.version}, 503)
        return replace(told, headers=(("retry-after", "1"),))
    return json_response({"status": "ok", "version": call.context.version})


def _metrics(counters: Counters, gauges: Callable[[], dict[str, float]]) -> Callable[[Call], Awaitable[Response]]:
    async def metrics(call: Call) -> Response:
        """Prometheus text."""
        stats = await call.run(call.context.store.stats)
        lines = [
            *counters.lines(),
            *singles("gauge", gauges()),
            *singles("gauge", _process_gauges()),
            *singles("counter", {"process_cpu_seconds": time.process_time()}),
            *singles("gauge", stats.gauges),
            *singles("counter", stats.counters),
            "# TYPE stepwell_commit_seconds histogram",
            *histogram(
                "stepwell_commit_seconds",
                stats.commit_seconds,
                total=stats.commit_seconds[-1][1] if stats.commit_seconds else 0,
                summed=stats.commit_seconds_sum,
            ),
            "# TYPE stepwell_build_info gauge",
            f'stepwell_build_info{{version="{call.context.version}"}} 1',
        ]
        return Response(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4; charset=utf-8")

    return metrics


def _process_gauges() -> dict[str, float]:
    resident = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    return {
        "process_resident_bytes": resident,
        "process_open_files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  names are all that is needed
        "process_open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


async def _to_page(_call: Call) -> Response:
    """The fragment of a link (/#/experiments/0/runs/...) stays with the browser and arrives at the page.

    The address is relative: right behind a proxy that puts a prefix before it.
    """
    return Response(307, b"", "text/plain; charset=utf-8", (("location", "ui/"),))

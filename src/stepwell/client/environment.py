"""What the environment says to the client: the one place that reads it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from stepwell.agent.tasks import is_first_here, task_name
from stepwell.agent.watch import INTERVAL
from stepwell.client.limits import wrong_task, wrong_workspace

_INTERVALS: Final = (0.1, 3600.0)  # seconds
MODES: Final = ("online", "offline", "disabled")
_URL: Final = "http://127.0.0.1:8585"
_SPOOL: Final = "stepwell-spool"


@dataclass(frozen=True)
class Target:
    """Where a client writes to. workspace "": the credential's own."""

    url: str
    api_key: str
    workspace: str
    mode: str
    spool: Path


def target(
    *,
    url: str | None = None,
    api_key: str | None = None,
    workspace: str | None = None,
    mode: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    usual_url: str = _URL,
    usual_workspace: str = "",
) -> Target:
    """What is given, else the STEPWELL_* variable, else what is usual.

    ValueError: the mode, the workspace or the key can be none. Spaces and line feeds around a key
    or a URL are not of it.
    """
    read = os.environ.get
    chosen = mode or read("STEPWELL_MODE") or MODES[0]
    if chosen not in MODES:
        raise ValueError(f"mode is {chosen!r}; it must be one of {', '.join(MODES)}")
    whose = (read("STEPWELL_WORKSPACE") or usual_workspace) if workspace is None else workspace
    wrong = wrong_workspace(whose) if whose else ""
    if wrong:
        raise ValueError(f"workspace {whose!r}: {wrong}")
    key = (read("STEPWELL_API_KEY", "") if api_key is None else api_key).strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the API key holds characters that no key has")  # which are not for logs
    return Target(
        url=(url or "").strip() or read("STEPWELL_URL", "").strip() or usual_url,
        api_key=key,
        workspace=whose,
        mode=chosen,
        spool=_absolute(Path(spool or read("STEPWELL_SPOOL") or _SPOOL)),
    )


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError):  # the current folder is gone; nobody has a home
        return path


def interval(system: float | str | bool | None = None) -> float:
    """Seconds between two samples of the machine, 0 for none: what is given, else STEPWELL_SYSTEM, else 5 (also True).

    Where nothing is given, it is 0 in a process beside which another one of the same machine measures. ValueError.
    """
    if system is None and not is_first_here(os.environ):
        return 0.0
    given = (os.environ.get("STEPWELL_SYSTEM") or True) if system is None else system
    if isinstance(given, bool):
        return INTERVAL if given else 0.0
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    least, most = _INTERVALS
    if seconds != 0 and not least <= seconds <= most:
        raise ValueError(f"{given!r} between two samples: it must be seconds from {least} to {most:.0f}, or 0 for none")
    return seconds


def task(given: str | None = None) -> str:
    """The task of this process: what is given, else what STEPWELL_TASK or a scheduler's variables say. ValueError."""
    name = given or task_name(os.environ, socket.gethostname())
    wrong = wrong_task(name)
    if wrong:
        raise ValueError(f"task {name!r}: {wrong}")
    return name


def coloured(out: TextIO) -> bool:
    """Whether colours are wanted there: on a terminal that has some, where NO_COLOR is not set."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def cuda_visible() -> str | None:
    """CUDA_VISIBLE_DEVICES, None where it is unset."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")

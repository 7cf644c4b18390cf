"""What the environment says to the client: the one place that reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    """What is given, else the STEPWELL_* variable, else what is usual. ValueError names a wrong mode."""
    read = os.environ.get
    chosen = mode or read("STEPWELL_MODE") or MODES[0]
    if chosen not in MODES:
        raise ValueError(f"mode is {chosen!r}; it must be one of {', '.join(MODES)}")
    return Target(
        url=url or read("STEPWELL_URL") or usual_url,
        api_key=read("STEPWELL_API_KEY", "") if api_key is None else api_key,
        workspace=(read("STEPWELL_WORKSPACE") or usual_workspace) if workspace is None else workspace,
        mode=chosen,
        spool=Path(spool or read("STEPWELL_SPOOL") or _SPOOL).absolute(),
    )

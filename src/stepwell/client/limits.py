"""The limits of the native API that the client keeps by itself, so that one bad name costs one value, not a request."""

from __future__ import annotations

import re
from typing import Final

NAME_LENGTH: Final = 1024  # characters
VALUE_LENGTH: Final = 65_536
EXPERIMENT_LENGTH: Final = 500
RUN_ID_LENGTH: Final = 255
TASK_LENGTH: Final = 255
WORKSPACE_LENGTH: Final = 255
_WORKSPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def wrong_name(name: str) -> str:
    """What is wrong with the name of a metric, param or tag; "" where nothing is."""
    if not name:
        return "the name is empty"
    return wrong_text(name, NAME_LENGTH)


def wrong_text(text: str, limit: int = VALUE_LENGTH) -> str:
    """What is wrong with a text; "" where nothing is."""
    if len(text) > limit:
        return f"{len(text)} characters; the limit is {limit}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair is no character"
    return "a NUL is no character of a text" if "\0" in text else ""


def wrong_run_id(run_id: str) -> str:
    """What is wrong with the id of a run; "" where nothing is."""
    if not 0 < len(run_id) <= RUN_ID_LENGTH:
        return f"{len(run_id)} characters; an id has 1 to {RUN_ID_LENGTH}"
    if "/" in run_id or not run_id.isprintable() or run_id in (".", ".."):
        return "an id holds printable characters without '/'"
    return ""


def wrong_task(task: str) -> str:
    """What is wrong with the name of a task; "" where nothing is."""
    if not 0 < len(task) <= TASK_LENGTH:
        return f"{len(task)} characters; a task has 1 to {TASK_LENGTH}"
    if "/" in task or not task.isprintable() or task in (".", ".."):
        return "a task's name holds printable characters without '/'"
    return ""


def wrong_workspace(name: str) -> str:
    """What is wrong with the name of a workspace; "" where nothing is."""
    if not 0 < len(name) <= WORKSPACE_LENGTH:
        return f"{len(name)} characters; a workspace has 1 to {WORKSPACE_LENGTH}"
    return (
        "" if _WORKSPACE.fullmatch(name) else "it begins with a letter or digit and holds only those, '.', '_' and '-'"
    )

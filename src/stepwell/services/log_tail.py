"""The newest console lines of a task, as one text. A stream belongs to the task whose name it begins with."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from stepwell.core.model import LogLine
from stepwell.core.resources import FIRST_TASK
from stepwell.core.store import Store

_CHUNK: Final = 5_000  # lines read at once


@dataclass(slots=True)
class _Tail:
    """The last lines of one stream that fit."""

    limit: int
    size: int = 0
    lines: deque[LogLine] = field(default_factory=deque)

    def add(self, line: LogLine) -> int:
        size = _size(line)
        self.lines.append(line)
        self.size += size
        while self.size > self.limit and len(self.lines) > 1:
            self.size -= _size(self.lines.popleft())
        return size


def newest(
    store: Store, *, workspace: str, run_id: str, task: str, tasks: Collection[str], limit: int
) -> tuple[str, int]:
    """The newest lines of a task, at most `limit` bytes in whole lines, oldest first, and the bytes of all its lines.

    A stream `worker-1`, or one that begins with `worker-1/`, is that task's; those of no task are the first task's.
    """
    tails: dict[str, _Tail] = {}
    full, after = 0, None
    while True:
        page = store.read_lines(workspace=workspace, run_id=run_id, stream=None, after=after, limit=_CHUNK)
        for line in page.items:
            if _owner(line.stream, tasks) == task:
                full += tails.setdefault(line.stream, _Tail(limit)).add(line)
        after = page.after
        if after is None:
            break
    lines = sorted((line for tail in tails.values() for line in tail.lines), key=lambda line: line.time)
    kept, size = len(lines), 0
    while kept and size + _size(lines[kept - 1]) <= limit:
        kept -= 1
        size += _size(lines[kept])
    return "".join(f"{line.text}\n" for line in lines[kept:]), full


def _owner(stream: str, tasks: Collection[str]) -> str:
    name = stream.partition("/")[0]
    return name if name in tasks else FIRST_TASK


def _size(line: LogLine) -> int:
    return len(line.text.encode("utf-8", "replace")) + 1

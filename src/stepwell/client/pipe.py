"""All that a process needs to write a run: a folder of the spool, a worker that fills it, a sender that empties it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stepwell.client import records
from stepwell.client.environment import Target
from stepwell.client.outbox import FILES, Outbox, machine
from stepwell.client.problems import Problems
from stepwell.client.records import Note, Points, encode_note
from stepwell.client.sender import Sender
from stepwell.client.spool import Spool
from stepwell.client.transport import Api
from stepwell.client.worker import Worker


class Pipe:
    """Its threads run from the beginning, if there can be any. `put`: the values that went into the worker's queue."""

    def __init__(
        self, run_id: str, where: Target, problems: Problems, begin: Mapping[str, Any], *, direct: bool = False
    ) -> None:
        """direct: who puts something into the queue empties it too, as this process may be killed at any moment."""
        folder = where.spool / quoted_folder(run_id) / _own_name()
        head = {
            "version": records.VERSION,
            "run": run_id,
            "url": where.url,
            "workspace": where.workspace,
            "machine": machine(),
            "pid": os.getpid(),
        }
        self.put = 0
        self.direct = direct
        self.outbox = Outbox(folder)
        self.spool = Spool(folder, encode_note(Note(records.SEGMENT, head)))
        self.worker = Worker(self.spool, problems)
        self.worker.queue.append(Note(records.RUN, dict(begin)))
        self.sender: Sender | None = None
        if where.mode == "online":
            api = Api(where.url, api_key=where.api_key, workspace=where.workspace)
            self.sender = Sender(api, run_id, self.outbox, self.spool, problems)
        try:
            if not direct:
                self.worker.start()
            if self.sender is not None:
                self.sender.start()
        except RuntimeError as error:
            what = "no thread can be started, so flush() writes what is logged, and close() or finish() sends it"
            problems.add(what, detail=str(error))

    @property
    def whole(self) -> bool:
        """Once it is closed: whether all is where it belongs."""
        return self.worker.whole if self.sender is None else self.sender.whole

    @property
    def lost(self) -> int:
        """Once it is closed: how much of what went in is nowhere, counted in values."""
        _, held = self.spool.held()
        return self.worker.lost + sum(map(_count, held))

    def keep(self, path: Path) -> str:
        """Copy a file into the spool; its name there. OSError."""
        stored = f"{secrets.token_hex(8)}-{path.name[:50]}"  # in bytes at most four times as long
        copy = self.outbox.folder / FILES / stored
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, copy)
        except OSError:
            copy.unlink(missing_ok=True)  # half a file only takes room on a disk that has none
            raise
        self.spool.copied(copy)
        return stored

    def abandon(self) -> None:
        """In a forked child: queue, spool and connection are the parent's."""
        self.worker.queue.clear()
        self.spool.abandon()


def close_all(pipes: Sequence[Pipe], patience: float) -> None:
    """Empty their queues, close their spools and send the rest, one beside the other.

    Waits for each as long as something of it moves, and `patience` seconds in which nothing does.
    """
    until = time.monotonic() + patience
    senders = [each.sender for each in pipes if each.sender is not None]
    try:
        for each in pipes:
            each.worker.stop()
        for each in pipes:
            each.worker.join(until)
        for sender in senders:
            sender.stop()
        for sender in senders:
            sender.join(patience)
    finally:
        for sender in senders:
            sender.give_up()


def _count(payload: bytes) -> int:
    record = records.decode(payload)
    return len(record) if isinstance(record, Points) else 1


def quoted_folder(run_id: str) -> str:
    """The name of a run's folder. What is too long for a name is cut: the head of each segment has the whole id."""
    name = quote(run_id, safe="")[:200]
    return name.replace(".", "%2E") if name.startswith(".") else name


def _own_name() -> str:
    """A name that no other process takes."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:60]
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{host}-{os.getpid()}-{secrets.token_hex(4)}"

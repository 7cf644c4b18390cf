"""One process's folder of the spool, read: what is there, how far it was sent, what was set aside. FORMAT.md.

Reading changes nothing but `sent.json` and `refused.jsonl`; writing the segments is `spool`'s.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stepwell.client import records
from stepwell.client.records import Note, Points, Unreadable
from stepwell.client.spool import Damage, scan

FILES: Final = "files"
_SENT: Final = "sent.json"
_REFUSED: Final = "refused.jsonl"
REFUSED_BYTES: Final = 64 << 20  # of all that is set aside in one folder
_SETTLED: Final = 600.0  # seconds; a network file system shows other machines what was written far sooner


@dataclass(frozen=True, order=True)
class Place:
    """A byte of the outbox: an offset in the segment of this number."""

    segment: int
    offset: int


@dataclass(frozen=True)
class Item:
    """A record and the place behind it."""

    record: Note | Points
    after: Place


@dataclass(frozen=True)
class Broken:
    """Bytes that are no record, why, and the place behind them."""

    path: Path
    begin: int
    end: int
    why: str
    after: Place

    def __str__(self) -> str:
        return f"{self.path}: bytes {self.begin} to {self.end} are damaged ({self.why})"


class Outbox:
    """For one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._draft = f".{_SENT}.{os.getpid()}-{secrets.token_hex(4)}"  # machines that share the folder share numbers

    def head(self) -> Mapping[str, Any]:
        """The fields of the first `segment` note that can be read; empty where there is none."""
        for _, path in self.segments():
            for found in scan(_read(path)):
                if isinstance(found, Damage):
                    continue
                with contextlib.suppress(Unreadable):
                    record = records.decode(found.payload)
                    if isinstance(record, Note) and record.kind == records.SEGMENT:
                        return record.fields
        return {}

    def sent(self) -> Place:
        """All before this is on the server."""
        try:
            found = json.loads((self.folder / _SENT).read_text())
            return Place(int(found["segment"]), int(found["offset"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Place(0, 0)

    def mark(self, place: Place) -> None:
        """All before this is on the server now. A mark that cannot be written is no harm: things are sent again."""
        new = self.folder / self._draft
        with contextlib.suppress(OSError):
            new.write_text(json.dumps({"segment": place.segment, "offset": place.offset}))
            new.replace(self.folder / _SENT)

    def items(self, after: Place, *, ended: bool) -> Iterator[Item | Broken]:
        """What stands behind a place.

        Unless it has `ended`, what is no frame in the last segment may be one that is being written, of which a network
        file system may show the end before the beginning: all stops there.
        """
        listed = self.segments()
        for number, path in listed:
            if number < after.segment:
                continue
            begin = after.offset if number == after.segment else 0
            last = number == listed[-1][0]
            for found in scan(_read(path, begin), begin):
                place = Place(number, found.end)
                if isinstance(found, Damage):
                    if last and not ended:
                        return
                    why = "unfinished: the process ended while it wrote" if found.tail and last else "no whole frame"
                    yield Broken(path, found.begin, found.end, why, place)
                    continue
                try:
                    yield Item(records.decode(found.payload), place)
                except Unreadable as error:
                    yield Broken(path, found.begin, found.end, str(error), place)

    def unsent_bytes(self) -> int:
        """How much of the segments is not sent."""
        sent, total = self.sent(), 0
        for number, path in self.segments():
            with contextlib.suppress(OSError):
                if number >= sent.segment:
                    total += max(0, path.stat().st_size - (sent.offset if number == sent.segment else 0))
        return total

    def set_aside(self, request: Mapping[str, Any]) -> str:
        """Keep a request that the server refuses; why it is not kept, "" where it is."""
        line = json.dumps(request).encode() + b"\n"
        try:
            with self.refused.open("ab") as file:
                if file.tell() + len(line) > REFUSED_BYTES:
                    return f"the limit of {REFUSED_BYTES} bytes is reached"
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return error.strerror or str(error)
        return ""

    @property
    def refused(self) -> Path:
        """Where refused requests are kept."""
        return self.folder / _REFUSED

    def drop_before(self, segment: int, *, but: Container[int] = ()) -> None:
        """Remove the segments before this one, but for some: they are sent."""
        for number, path in self.segments():
            if number < segment and number not in but:
                with contextlib.suppress(OSError):
                    path.unlink()

    def remove(self) -> None:
        """Remove the folder, unless something is set aside in it, and the run's folder when it is empty then."""
        if self.refused.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def segments(self) -> list[tuple[int, Path]]:
        """Number and file of each, in order."""
        found = [(int(p.stem), p) for p in self.folder.glob("*.spool") if p.stem.isdecimal()]
        return sorted(found)


def outboxes(folder: Path) -> list[Outbox]:
    """All below a folder, which may be one itself, in the order of their names. Others may remove theirs meanwhile."""
    found = (place for place, _, names in os.walk(folder) if any(name.endswith(".spool") for name in names))
    return [Outbox(each) for each in sorted(map(Path, found))]


def is_settled(outbox: Outbox) -> bool:
    """Whether what is no frame never becomes one: its process has ended, or has long written nothing."""
    if has_ended(outbox):
        return True
    with contextlib.suppress(OSError):
        written = max((path.stat().st_mtime for _, path in outbox.segments()), default=0.0)
        return time.time() - written > _SETTLED
    return False


def has_ended(outbox: Outbox) -> bool:
    """Whether its process is known to be gone: it ran on this machine, and is not there."""
    head = outbox.head()
    if not machine() or head.get("machine") != machine():
        return False
    try:
        os.kill(int(head["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, ValueError):
        return False
    return False


def machine() -> str:
    """What tells processes with the same number apart: this boot of this machine, this container. "": nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  no path: a number in brackets
    except OSError:
        return ""


def _read(path: Path, begin: int = 0) -> bytes:
    """From `begin` on. A segment that is gone meanwhile was sent."""
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read()
    except FileNotFoundError:
        return b""

"""Pluto's words for where a run stands, our words for them, and which may follow which in a write through Pluto."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from stepwell.core.model import Run, Status
from stepwell.dialects.pluto.decoding import refused

RUNNING: Final = "RUNNING"
CANCELLED: Final = "CANCELLED"
WORDS: Final = ("RUNNING", "COMPLETED", "FAILED", "TERMINATED", "CANCELLED")
_CANCELLED_REASON: Final = "cancelled"

# Ours, and the reason that tells two of theirs apart.
_INSIDE: Final[Mapping[str, tuple[Status, str]]] = {
    "RUNNING": (Status.RUNNING, ""),
    "COMPLETED": (Status.FINISHED, ""),
    "FAILED": (Status.FAILED, ""),
    "TERMINATED": (Status.KILLED, "terminated"),
    "CANCELLED": (Status.KILLED, _CANCELLED_REASON),
}
# A write may only replace an end by one that says worse: a job that failed does not become a good one at exit.
_RANK: Final[Mapping[str, int]] = {"RUNNING": 0, "COMPLETED": 1, "TERMINATED": 2, "CANCELLED": 3, "FAILED": 4}
# Other words that filters take, as a popular tracker spells them.
_ALIASES: Final[Mapping[str, str]] = {
    "finished": "COMPLETED",
    "crashed": "FAILED",
    "killed": "TERMINATED",
    "preempted": "CANCELLED",
    "canceled": "CANCELLED",
}


def word_of(run: Run) -> str:
    """Pluto's word for the status of a run. One that only waits for its start counts as running."""
    match run.status:
        case Status.FINISHED:
            return "COMPLETED"
        case Status.FAILED:
            return "FAILED"
        case Status.KILLED:
            return CANCELLED if run.status_reason == _CANCELLED_REASON else "TERMINATED"
        case _:
            return RUNNING


def inside(word: str) -> tuple[Status, str]:
    """Our status and reason for one of Pluto's words."""
    return _INSIDE[word]


def word_in(text: str, field: str = "status") -> str:
    """One of Pluto's words, exactly. Invalid."""
    if text not in _INSIDE:
        raise refused(field, f"Invalid enum value. Expected {' | '.join(WORDS)}, received {text!r}")
    return text


def word_asked(text: str, field: str) -> str:
    """One of Pluto's words, or a known other word for it, in any case. Invalid."""
    known = text.upper()
    known = known if known in _INSIDE else _ALIASES.get(text.lower(), "")
    return word_in(known or text, field)


def among(words: Collection[str]) -> tuple[tuple[Status, ...], bool]:
    """Our statuses of runs for which Pluto has one of these words, and whether all runs of these statuses are meant."""
    found = {_INSIDE[word][0] for word in words}
    if RUNNING in words:
        found.add(Status.SCHEDULED)
    return tuple(sorted(found)), Status.KILLED not in found or {"TERMINATED", CANCELLED} <= set(words)


def may_follow(new: str, old: str) -> bool:
    """Whether a write of `new` changes a run that stands at `old`. Going back to RUNNING is what resuming is for."""
    if old == RUNNING:
        return new != RUNNING
    return _RANK[new] > _RANK[old]

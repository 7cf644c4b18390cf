"""Losing the power at every boundary of a journal, in every way, and asking a check about each disk that is left."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from crash.powerloss.images import RANDOM_MODES, Choice, CrashImage, Mode, build, fingerprint, survivors
from crash.powerloss.journal import Journal, Mark
from crash.powerloss.state import DiskState

Check: TypeAlias = Callable[[CrashImage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One disk that the check refused. `choice` builds it again (`images.image`)."""

    choice: Choice
    operation: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.choice} after {self.operation}: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a replay looked at: boundaries of the journal, distinct disks that the check saw."""

    boundaries: int
    disks: int


class PowerLoss(AssertionError):
    """A check refused at least one disk. `losses` are the first of them, in the journal's order."""

    def __init__(self, losses: list[Loss], report: Report) -> None:
        lines = "\n  ".join(str(loss) for loss in losses)
        super().__init__(f"{report.disks} disks checked, refused:\n  {lines}")
        self.losses = losses
        self.report = report


def replay(
    journal: Journal,
    check: Check,
    *,
    modes: Iterable[Mode] = tuple(Mode),
    seed: int = 0,
    variants: int = 1,
    limit: int | None = None,
    stop_after: int = 5,
) -> Report:
    """Check every distinct disk of every boundary; PowerLoss when `check` raised (AssertionError or other) for one.

    `variants` is how many disks each random mode makes per boundary. With `limit` only so many choices are tried, drawn
    by `seed`: first the disks that dropped all and those that kept all right after each mark, then any. After
    `stop_after` refusals the replay ends. The folder of an image is removed after its check.
    """
    choices = _choices(journal, tuple(modes), seed, variants, limit)
    state, seen, losses = DiskState(), set[object](), list[Loss]()
    with tempfile.TemporaryDirectory(prefix="power-loss-", dir=_fast_folder()) as scratch:
        for at, here in groupby(choices, key=lambda choice: choice.at):
            while state.at < at:
                state.advance(journal.operations[state.at])
            for choice in here:
                error = _try(state, choice, check, Path(scratch), seen)
                if error is not None:
                    losses.append(Loss(choice=choice, operation=journal.describe(at), error=error))
                if len(losses) >= stop_after:
                    raise PowerLoss(losses, Report(boundaries=at - journal.first + 1, disks=len(seen)))
    report = Report(boundaries=len({choice.at for choice in choices}), disks=len(seen))
    if losses:
        raise PowerLoss(losses, report)
    return report


def _choices(journal: Journal, modes: tuple[Mode, ...], seed: int, variants: int, limit: int | None) -> list[Choice]:
    """In the journal's order, at most `limit`."""
    every = [
        Choice(at=at, mode=mode, seed=seed, variant=variant)
        for at in range(journal.first, len(journal.operations) + 1)
        for mode in modes
        for variant in range(variants if mode in RANDOM_MODES else 1)
    ]
    if limit is None or limit >= len(every):
        return every
    rng = random.Random(seed)
    rng.shuffle(every)
    every.sort(key=lambda choice: not _is_promise(journal, choice))  # stable: the rest stays shuffled
    return sorted(every[:limit], key=lambda choice: (choice.at, choice.mode, choice.variant))


def _is_promise(journal: Journal, choice: Choice) -> bool:
    after_mark = choice.at > 0 and isinstance(journal.operations[choice.at - 1], Mark)
    return after_mark and choice.mode in {Mode.DROP, Mode.KEEP}


def _try(state: DiskState, choice: Choice, check: Check, scratch: Path, seen: set[object]) -> Exception | None:
    chosen = survivors(state, choice)
    if chosen is None:
        return None
    print_ = fingerprint(state, chosen)
    if print_ in seen:
        return None
    seen.add(print_)
    path = scratch / f"{choice.at}-{choice.mode}-{choice.variant}"
    build(state, chosen, path)
    try:
        check(CrashImage(path=path, choice=choice, marks=tuple(state.marks)))
    except Exception as error:  # noqa: BLE001 - whatever the program says about this disk is the finding
        return error
    finally:
        shutil.rmtree(path)
    return None


def _fast_folder() -> Path | None:
    """Memory, where there is some: thousands of images are written, opened once and removed."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**30 else None

"""The disks that a power loss may leave behind at one point of a journal, and how one of them is built in a folder.

Each choice keeps a part of what no sync covers. Reordering needs no mode of its own: the cache holds one version of a
sector, so "later before earlier" is the same disk as "later without earlier", which the random modes produce.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from crash.powerloss.journal import ROOT_NODE, Journal, Resize, Write
from crash.powerloss.state import Content, DiskState, Pending, PendingNames

SECTOR = 512


class Mode(StrEnum):
    """Which part of the unsynced operations reached the disk."""

    DROP = "drop"  # nothing
    KEEP = "keep"  # everything, as after kill -9
    PREFIX = "prefix"  # of each file and each folder: its first operations
    SUBSET = "subset"  # any of the operations
    SCATTER = "scatter"  # any sectors of any writes
    TORN = "torn"  # everything, but of one write only some sectors
    NAMES_LOST = (
        "names-lost"  # all content, no change of names: the new file missing, the renamed one under its old name
    )
    DATA_LOST = "data-lost"  # all names, no content: the new file empty
    GARBAGE = "garbage"  # all names and sizes, but where a file grew: new bytes, zeros or noise


RANDOM_MODES = frozenset({Mode.PREFIX, Mode.SUBSET, Mode.SCATTER, Mode.TORN, Mode.GARBAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One possible disk: which image, of which boundary. Equal choices of one journal build equal folders."""

    at: int
    mode: Mode
    seed: int = 0
    variant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashImage:
    """A disk after the power came back: its folder, and what the program had promised when the power went."""

    path: Path
    choice: Choice
    marks: tuple[Any, ...]


Piece: TypeAlias = tuple[int, Write | Resize]  # (index of the operation it is a part of, that part)


@dataclass(slots=True)
class Survivors:
    """What of the unsynced operations reached the disk: pieces per file, and changes of names, each in order."""

    pieces: dict[int, list[Piece]]
    names: list[PendingNames]


def survivors(state: DiskState, choice: Choice) -> Survivors | None:
    """Choose; None when the mode has nothing to choose from here (no write to tear, nothing that grew)."""
    rng = random.Random(f"{choice.seed}/{choice.at}/{choice.mode}/{choice.variant}")
    return _CHOOSERS[choice.mode](state, rng)


def fingerprint(state: DiskState, chosen: Survivors) -> object:
    """Equal for two choices only if they build the same disk and the program had promised the same."""
    pieces = tuple(
        (node, tuple((i, c.size) if isinstance(c, Resize) else (i, c.offset, c.data) for i, c in chosen.pieces[node]))
        for node in sorted(chosen.pieces)
        if chosen.pieces[node]
    )
    versions = tuple(sorted(state.versions.items()))
    names = tuple(pending.index for pending in chosen.names)
    return len(state.marks), versions, pieces, state.names_version, names


def build(state: DiskState, chosen: Survivors, path: Path) -> None:
    """Write the chosen disk into `path`, which must not exist."""
    table = state.names.copy()
    kept = {pending.index for pending in chosen.names}
    unsynced = {pending.index for pending in state.pending_names}
    for pending in chosen.names:
        if pending.change.after not in unsynced - kept:
            table.apply(pending.index, pending.change)
    inner: dict[int, list[tuple[str, int]]] = {}
    for (folder, name), node in table.nodes.items():
        if node is not None:
            inner.setdefault(folder, []).append((name, node))
    _build_folder(state, chosen, inner, ROOT_NODE, path)


def _build_folder(
    state: DiskState, chosen: Survivors, inner: dict[int, list[tuple[str, int]]], folder: int, path: Path
) -> None:
    path.mkdir()
    # Taken out, so that a folder which two names lead to for a moment is built once and a cycle ends.
    for name, node in inner.pop(folder, []):
        if node in state.folders:
            _build_folder(state, chosen, inner, node, path / name)
        else:
            _build_file(state.durable.get(node), chosen.pieces.get(node, []), path / name)


def _build_file(durable: Content | None, pieces: Sequence[Piece], path: Path) -> None:
    content = durable or Content()
    if pieces:
        content = content.copy()
        for _, change in pieces:
            content.apply(change)
    with path.open("wb", buffering=0) as file:
        file.write(content.data)
        if content.size > len(content.data):
            file.truncate(content.size)


def images(journal: Journal, at: int, *, into: Path, seed: int = 0, variants: int = 1) -> Iterator[CrashImage]:
    """Every distinct disk of boundary `at` (after the first `at` operations), each in a new folder below `into`."""
    state = state_at(journal, at)
    seen: set[object] = set()
    for mode in Mode:
        for variant in range(variants if mode in RANDOM_MODES else 1):
            choice = Choice(at=at, mode=mode, seed=seed, variant=variant)
            chosen = survivors(state, choice)
            if chosen is None or (print_ := fingerprint(state, chosen)) in seen:
                continue
            seen.add(print_)
            path = into / f"{at}-{mode}-{variant}"
            build(state, chosen, path)
            yield CrashImage(path=path, choice=choice, marks=tuple(state.marks))


def image(journal: Journal, choice: Choice, into: Path) -> CrashImage:
    """The one disk that a failure named, built in the new folder `into`."""
    state = state_at(journal, choice.at)
    chosen = survivors(state, choice)
    if chosen is None:
        raise ValueError(f"{choice.mode} has nothing to choose at boundary {choice.at}")
    build(state, chosen, into)
    return CrashImage(path=into, choice=choice, marks=tuple(state.marks))


def state_at(journal: Journal, at: int) -> DiskState:
    """The state after the first `at` operations."""
    state = DiskState()
    for operation in journal.operations[:at]:
        state.advance(operation)
    return state


# --- one function per mode -------------------------------------------------------------------------------------------

Chooser: TypeAlias = Callable[[DiskState, random.Random], Survivors | None]
Picker: TypeAlias = Callable[
    [Pending, int], list[Piece]
]  # (operation, durable size of its file) -> what of it survives


def _whole(pending: Pending) -> list[Piece]:
    return [(pending.index, pending.change)]


def _pick(state: DiskState, picker: Picker) -> dict[int, list[Piece]]:
    return {
        node: [piece for pending in waiting for piece in picker(pending, _durable_size(state, node))]
        for node, waiting in state.pending.items()
    }


def _everything(state: DiskState) -> dict[int, list[Piece]]:
    return _pick(state, lambda pending, _: _whole(pending))


def _drop(state: DiskState, rng: random.Random) -> Survivors | None:
    del state, rng
    return Survivors({}, [])


def _keep(state: DiskState, rng: random.Random) -> Survivors | None:
    del rng
    return Survivors(_everything(state), list(state.pending_names))


def _prefix(state: DiskState, rng: random.Random) -> Survivors | None:
    pieces = {}
    for node, waiting in state.pending.items():
        first = waiting[: rng.randint(0, len(waiting))]
        pieces[node] = [piece for pending in first for piece in _whole(pending)]
    cuts = [pending.index for pending in state.pending_names] + [state.at]
    cut_of = {folder: rng.choice(cuts) for folder in sorted(state.folders)}
    names = [p for p in state.pending_names if all(p.index < cut_of[folder] for folder in p.change.folders)]
    return Survivors(pieces, names)


def _some_names(state: DiskState, rng: random.Random) -> list[PendingNames]:
    return [pending for pending in state.pending_names if rng.random() < 0.5]


def _subset(state: DiskState, rng: random.Random) -> Survivors | None:
    pieces = _pick(state, lambda pending, _: _whole(pending) if rng.random() < 0.5 else [])
    return Survivors(pieces, _some_names(state, rng))


def _scatter(state: DiskState, rng: random.Random) -> Survivors | None:
    def picker(pending: Pending, size: int) -> list[Piece]:
        del size
        return [piece for piece in _sectors(pending) if rng.random() < 0.5]

    return Survivors(_pick(state, picker), _some_names(state, rng))


def _torn(state: DiskState, rng: random.Random) -> Survivors | None:
    writes = [pending for waiting in state.pending.values() for pending in waiting if isinstance(pending.change, Write)]
    tearable = sorted((p for p in writes if len(_sectors(p)) > 1), key=lambda p: p.index)
    if not tearable:
        return None
    victim = tearable[-1] if rng.random() < 0.5 else rng.choice(tearable)
    sectors = _sectors(victim)
    kept = rng.sample(sectors, rng.randint(1, len(sectors) - 1))

    def picker(pending: Pending, size: int) -> list[Piece]:
        del size
        return kept if pending is victim else _whole(pending)

    return Survivors(_pick(state, picker), list(state.pending_names))


def _names_lost(state: DiskState, rng: random.Random) -> Survivors | None:
    del rng
    return Survivors(_everything(state), []) if state.pending_names else None


def _data_lost(state: DiskState, rng: random.Random) -> Survivors | None:
    del rng
    return Survivors({}, list(state.pending_names)) if state.pending_names else None


def _garbage(state: DiskState, rng: random.Random) -> Survivors | None:
    def picker(pending: Pending, size: int) -> list[Piece]:
        return [_spoiled(piece, size, rng) for piece in _sectors(pending)]

    if not any(_grows(state, node) for node in state.pending):
        return None
    return Survivors(_pick(state, picker), list(state.pending_names))


def _spoiled(piece: Piece, durable_size: int, rng: random.Random) -> Piece:
    """New bytes, zeros or noise where the file grew. What was there before is never spoiled: SQLite relies on it."""
    index, change = piece
    if isinstance(change, Resize) or change.offset < durable_size:
        return piece
    noise = (change.data, bytes(len(change.data)), rng.randbytes(len(change.data)))[rng.randrange(3)]
    return index, Write(node=change.node, offset=change.offset, data=noise)


def _grows(state: DiskState, node: int) -> bool:
    size = _durable_size(state, node)
    changes = (pending.change for pending in state.pending[node])
    return any(isinstance(c, Write) and c.offset + len(c.data) > size for c in changes)


def _durable_size(state: DiskState, node: int) -> int:
    content = state.durable.get(node)
    return content.size if content else 0


def _sectors(pending: Pending) -> list[Piece]:
    """A write cut where the sectors of the disk meet."""
    change = pending.change
    if isinstance(change, Resize):
        return [(pending.index, change)]
    end = change.offset + len(change.data)
    starts = [change.offset, *range((change.offset // SECTOR + 1) * SECTOR, end, SECTOR)]
    return [
        (pending.index, Write(node=change.node, offset=a, data=change.data[a - change.offset : b - change.offset]))
        for a, b in zip(starts, [*starts[1:], end], strict=True)
    ]


_CHOOSERS: dict[Mode, Chooser] = {
    Mode.DROP: _drop,
    Mode.KEEP: _keep,
    Mode.PREFIX: _prefix,
    Mode.SUBSET: _subset,
    Mode.SCATTER: _scatter,
    Mode.TORN: _torn,
    Mode.NAMES_LOST: _names_lost,
    Mode.DATA_LOST: _data_lost,
    Mode.GARBAGE: _garbage,
}

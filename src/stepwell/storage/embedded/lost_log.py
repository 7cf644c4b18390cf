"""What SQLite leaves out of a write-ahead log when it opens one, and does not tell: commits behind a damaged frame.

https://sqlite.org/fileformat2.html#the_write_ahead_log tells of the bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final, TypeAlias

import apsw
import numpy as np
import numpy.typing as npt

from stepwell.core.model import Damage
from stepwell.storage.embedded.database import PAGE_SIZE

_HEAD: Final = struct.Struct(">8I")  # the fifth and the sixth are salts, which each frame repeats
_FRAME: Final = np.dtype([("number", ">u4"), ("commit", ">u4"), ("salts", ">u4", 2), ("sums", ">u4", 2)])
_LENGTH: Final = _FRAME.itemsize + PAGE_SIZE
_BIG: Final = 1  # in the first number of the head: checksums are of big-endian words
_STEP: Final = np.array([[1, 1], [1, 2]], np.uint32)  # what two words make of two sums
_AT_ONCE: Final = 1_000  # frames

U32: TypeAlias = npt.NDArray[np.uint32]
Flags: TypeAlias = npt.NDArray[np.bool_]


def lost(connection: apsw.Connection, log: Path) -> Damage | None:
    """To be asked after the log was opened and before something is written; only where it is certain.

    A loss of power leaves half of the last commit at most, for each is synced before the next is begun. So where one is
    whole behind another one, and neither is in what SQLite reads, what stands before them has changed since.
    """
    read, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    if not log.exists() or log.stat().st_size < _HEAD.size + (read + 2) * _LENGTH:
        return None
    commits = _commits_behind(np.memmap(log, np.uint8, "r"), max(read, 0))
    if not commits:
        return None
    cost = f"{commits} commits behind a damaged frame are lost: what is there is the moment before them"
    return Damage(place=f"the database's log, from frame {read + 1} on", cost=cost)


def _commits_behind(log: npt.NDArray[np.uint8], read: int) -> int:
    """How many commits stand behind the frames that are read, each before or behind another one that belongs to it."""
    first, *_, salt, other, one, two = _HEAD.unpack(log[: _HEAD.size].tobytes())
    form = ">u4" if first & _BIG else "<u4"
    if _sums(log[None, : _HEAD.size - 8].copy().view(form))[0].tolist() != [one, two]:
        return 0  # whose the frames are cannot be told
    frames = log[_HEAD.size :][: (len(log) - _HEAD.size) // _LENGTH * _LENGTH].reshape(-1, _LENGTH)[read:]
    heads = frames[:, : _FRAME.itemsize].copy().view(_FRAME)[:, 0]
    ours = (heads["salts"] == (salt, other)).all(axis=1)
    commits = ours & (heads["commit"] != 0)
    if commits.sum() < 2:
        return 0
    sums = heads["sums"].astype(np.uint32)
    follows = np.concatenate([_follows(frames, sums, form, at) for at in range(0, len(frames), _AT_ONCE)])
    stretch = np.cumsum(~(follows & ours))
    counts = np.bincount(stretch[commits])
    return int(counts[counts > 1].sum())


def _follows(frames: npt.NDArray[np.uint8], sums: U32, form: str, begin: int) -> Flags:
    """Of some frames from one on, whether each was written behind the one that stands before it. The first of all is
    taken for one that was not."""
    part = frames[begin : begin + _AT_ONCE]
    words = np.concatenate([part[:, :8], part[:, _FRAME.itemsize :]], axis=1).view(form)
    before = np.roll(sums, 1, axis=0)[begin : begin + len(part)]
    same: Flags = np.equal(_sums(words, before), sums[begin : begin + len(part)])
    return np.logical_and(same[:, 0], same[:, 1])


def _sums(words: npt.NDArray[Any], before: U32 | None = None) -> U32:
    """The two checksums of each row of words, of which each goes on from those before it."""
    powers = [np.eye(2, dtype=np.uint32)]
    for _ in range(words.shape[1] // 2):
        powers.append(_STEP @ powers[-1])
    weights = np.concatenate([(power @ np.array([[1, 0], [1, 1]], np.uint32)).T for power in powers[-2::-1]])
    found: U32 = words.astype(np.uint32) @ weights
    return found if before is None else found + before @ powers[-1].T

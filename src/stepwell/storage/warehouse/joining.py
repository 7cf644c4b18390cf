"""Requests that write points and nothing else: those that wait together are written as if they were one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from stepwell.core.errors import StepwellError
from stepwell.core.model import Lifecycle, PointBatch, RunWrite
from stepwell.storage.catalog import runs
from stepwell.storage.catalog.runs import RunState
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.staging import Stage

POINTS: Final = 1 << 20  # that are worked on together
RunName: TypeAlias = tuple[str, str]  # workspace, run id
Write: TypeAlias = tuple[int, PointBatch]  # run key, its points


@dataclass(frozen=True, slots=True, kw_only=True)
class PointWrites:
    """A request: points of some runs of a workspace, all of them or none."""

    workspace: str
    writes: Sequence[RunWrite]


class JoinedWrites:
    """Implements writer.Joining for PointWrites."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def join(self, connection: Connection, changes: Sequence[PointWrites]) -> list[StepwellError | None]:
        """Store the points of all requests but of those that are refused: their runs are not there or were deleted, or
        the workspace may have no more."""
        found, server = _find(connection, changes)
        admitted: list[Write] = []
        errors: list[StepwellError | None] = []
        for change in changes:
            try:
                some = [(_open(found, change.workspace, write.run_id), write.points) for write in change.writes]
                batches = [(key, points) for key, points in some if points is not None]
                for key, points in batches:
                    self._stage.admit(connection, change.workspace, key, points)
            except StepwellError as error:
                errors.append(error)
            else:
                errors.append(None)
                admitted += batches
        for piece in _pieces(admitted):
            self._stage.add(connection, piece, server=server)
        return errors

    def rolled_back(self) -> None:
        """See writer.Joining."""
        self._stage.rolled_back()


def _find(connection: Connection, changes: Sequence[PointWrites]) -> tuple[dict[RunName, RunState], int]:
    """The runs that are there, now locked, and a number that the server has until it is started again."""
    names = list({(change.workspace, write.run_id): None for change in changes for write in change.writes})
    rows = connection.ask(SQL["find_to_write"], {"runs": json.dumps(names)})
    states = {
        names[number - 1]: runs.state(key, experiment_id, deleted) for number, key, experiment_id, deleted, _ in rows
    }
    return states, rows[0][-1] if rows else 0


def _open(found: Mapping[RunName, RunState], workspace: str, run_id: str) -> int:
    state = found.get((workspace, run_id))
    if state is None:
        raise runs.missing(run_id)
    if state.lifecycle is Lifecycle.DELETED:
        raise runs.deleted(run_id)
    return state.key


def _pieces(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """All, in pieces of few enough points, but for a write that alone has more; none of nothing."""
    piece: list[Write] = []
    points = 0
    for write in writes:
        points += len(write[1])
        if points > POINTS and piece:
            yield piece
            piece, points = [], len(write[1])
        piece.append(write)
    if piece:
        yield piece

"""A store of records in memory: enough of the interface for the services that keep entities as records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.model import Experiment, Lifecycle, Record
from stepwell.core.page import Page, Position
from stepwell.core.store import Store

W = "w"


class Recorded:
    """One workspace. `between` is called once, before the next change: what somebody else does meanwhile."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Record] = {}
        self.experiments = {0: Lifecycle.ACTIVE, 1: Lifecycle.ACTIVE}
        self.between: list[Callable[[], object]] = []
        self.pages = 0

    @property
    def store(self) -> Store:
        """Itself, as the services want it."""
        return cast("Store", self)

    def put_records(
        self,
        *,
        workspace: str,
        records: Sequence[Record],
        remove: Sequence[Record] = (),
        unchanged: Sequence[Record] = (),
    ) -> None:
        """By the promises of the interface."""
        assert workspace == W
        if self.between:
            self.between.pop()()
        if any(self.held.get((each.kind, each.id)) != each for each in unchanged):
            raise Conflict("changed meanwhile")
        after = {key: each for key, each in self.held.items() if each not in remove}
        after |= {(each.kind, each.id): each for each in records}
        unique = [(each.kind, name, value) for each in after.values() for name, value in each.unique.items()]
        if len(unique) != len(set(unique)):
            raise AlreadyExists("taken")
        self.held = after

    def get_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> list[Record | None]:
        """By the promises of the interface."""
        return [self.held.get((kind, number)) for number in ids]

    def find_records(
        self, *, workspace: str, kind: str, where: Mapping[str, str], after: Position | None, limit: int
    ) -> Page[Record]:
        """At most two at once, whatever the limit, so that every page has a next one."""
        self.pages += 1
        found = sorted(
            (
                each
                for each in self.held.values()
                if each.kind == kind and where.items() <= {**each.unique, **each.indexed}.items()
            ),
            key=lambda each: (each.created_at, each.id),
        )
        places: list[Position] = [(each.created_at, each.id) for each in found]
        start = 0 if after is None else sum(place <= after for place in places)
        end = start + min(limit, 2)
        return Page(items=found[start:end], after=places[end - 1] if end < len(found) else None)

    def delete_records(self, *, workspace: str, kind: str, ids: Sequence[str]) -> int:
        """By the promises of the interface."""
        return sum(self.held.pop((kind, number), None) is not None for number in ids)

    def get_experiment(self, *, workspace: str, id: int | None = None, name: str | None = None) -> Experiment:
        """One of two, by its number."""
        assert id is not None
        if id not in self.experiments:
            raise NotFound("no such experiment")
        return Experiment(
            workspace=W,
            id=id,
            name="e",
            artifact_location="",
            lifecycle=self.experiments[id],
            created_at=0,
            updated_at=0,
        )

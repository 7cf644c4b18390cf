"""The model test on a warehouse: two processes that serve it in turns, moves that end anywhere, a ClickHouse that
forgets what it has not written out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from property.test_model import StoreMachine
from stepwell.core.bounds import Kept
from stepwell.core.errors import Busy
from stepwell.core.store import Store
from stepwell.storage.warehouse import WarehouseStore
from stepwell.storage.warehouse.points import ClickHouse, Rows
from stores import W


def forget_connections(store: WarehouseStore) -> None:
    """As when the server behind them has ended."""
    assert isinstance(store._clickhouse, ClickHouse)
    free = store._clickhouse._free
    for _ in range(free.qsize()):
        link = free.get()
        if link is not None:
            link.client.disconnect()
        free.put(link)


class WarehouseMachine(StoreMachine):
    """With sizes that a few points reach."""

    engine = "tight warehouse"

    def __init__(self) -> None:
        super().__init__()
        self.other = self.shelf.open(self.shelf.directory)
        self.turned = False
        self.trimmed = False
        self.expired = False

    @property
    def store(self) -> Store:
        """That of the process whose turn it is."""
        return self.other if self.turned else self.shelf.store

    @property
    def one(self) -> WarehouseStore:
        """The same, with what is inside."""
        assert isinstance(self.store, WarehouseStore)
        return self.store

    def teardown(self) -> None:
        self.other.close()
        self.turned = False
        super().teardown()

    @rule()
    def turn(self) -> None:
        self.turned = not self.turned

    def told(self, points: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """What comes again after it has expired is one more of its equals as long as those are there."""
        return [point[: 3 if self.expired else 4] for point in points]

    @rule(since=st.none() | st.integers(-1, 4), latest=st.none() | st.integers(1, 20))
    def expire(self, since: int | None, latest: int | None) -> None:
        kept = Kept(since=since, latest=latest)
        gone = self.model.expire(kept)
        steps = self.store.expire_points(workspace=W, experiment_id=0, kept=kept)
        assert sum(step.points for step in steps) == gone
        self.expired |= gone > 0
        self.readers = []  # who reads on may find a page behind what it has seen, or none

    @rule()
    def remove_what_expired(self) -> None:
        self.one._remover.remove(at_once=True)

    @rule()
    def sum_up_long_series(self) -> None:
        self.one._roller.roll()

    @rule(stored=st.booleans())
    def end_within_a_move(self, *, stored: bool) -> None:
        """After ClickHouse took all of it, or a part, and before PostgreSQL knows."""
        mover = self.one._mover
        insert: Callable[[Rows], list[Rows]] = mover._tables.insert

        def ends(*given: Rows) -> None:
            rows = Rows.concat(given)
            insert(rows if stored else rows.take(slice(0, len(rows) // 2)))
            raise Busy

        with pytest.MonkeyPatch.context() as patch, suppress(Busy):
            patch.setattr(mover._tables, "insert", ends)
            self.store.flush()

    @rule()
    def forget_the_journal(self) -> None:
        """What is in ClickHouse is safe there, says time."""
        mover = self.one._mover
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mover, "_kept", -1)
            while mover.trim():
                pass
        self.trimmed = True

    @precondition(lambda self: not self.trimmed)
    @rule(by_move=st.booleans())
    def lose_power(self, *, by_move: bool) -> None:
        """ClickHouse starts again with nothing: whoever meets it first sees to it."""
        for table in ("points", "nodes", "tilings", "met"):
            self.one._clickhouse.run(f"TRUNCATE TABLE {table}")
        for store in (self.shelf.store, self.other):
            assert isinstance(store, WarehouseStore)
            forget_connections(store)
        if by_move:
            self.forget_the_journal()


TestWarehouse = WarehouseMachine.TestCase
TestWarehouse.settings = settings(
    max_examples=12, stateful_step_count=30, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)

"""What is kept between reads: whatever the order of reads and changes, a read gets what its snapshot has."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from stepwell.storage.catalog.read_cache import ReadCache, Reading

KEYS = st.integers(0, 3)


class Read:
    """One read of a pretended database."""

    def __init__(self, cache: ReadCache[int, int]) -> None:
        self.stack = ExitStack()
        self.reading: Reading[int, int] = self.stack.enter_context(cache.reading())
        self.snapshot: dict[int, int] | None = None


class Machine(RuleBasedStateMachine):
    """A value of a key is the number of the transaction that wrote it."""

    reads = Bundle("reads")

    def __init__(self) -> None:
        super().__init__()
        self.cache: ReadCache[int, int] = ReadCache(lambda _: 1, most=3)
        self.database = dict.fromkeys(range(4), 0)
        self.open: dict[int, int] = {}
        self.number = 0

    @rule(key=KEYS)
    def change(self, key: int) -> None:
        self.number += 1
        self.open[key] = self.number
        self.cache.changes(key)

    @rule()
    def change_all(self) -> None:
        self.number += 1
        self.open = dict.fromkeys(self.database, self.number)
        self.cache.all_change()

    @rule()
    def commit(self) -> None:
        self.database |= self.open
        self.open = {}

    @rule()
    def settle(self) -> None:
        self.commit()
        self.cache.settled()

    @rule()
    def roll_back(self) -> None:
        self.open = {}

    @rule(target=reads)
    def begin(self) -> Read:
        return Read(self.cache)

    @rule(read=reads)
    def snapshot(self, read: Read) -> None:
        if read.snapshot is None:
            read.snapshot = dict(self.database)

    @rule(read=reads, keys=st.lists(KEYS))
    def take(self, read: Read, keys: list[int]) -> None:
        if read.snapshot is not None:
            taken = read.reading.take(keys)
            assert taken == {key: read.snapshot[key] for key in taken}

    @rule(read=reads, keys=st.sets(KEYS))
    def keep(self, read: Read, keys: set[int]) -> None:
        if read.snapshot is not None:
            read.reading.keep({key: read.snapshot[key] for key in keys})

    @rule(read=consumes(reads))
    def end(self, read: Read) -> None:
        read.stack.close()

    @invariant()
    def a_new_read_gets_what_is_there(self) -> None:
        with self.cache.reading() as reading:
            taken = reading.take(range(4))
        assert taken == {key: self.database[key] for key in taken}
        assert len(taken) <= 3


TestReadCache = Machine.TestCase

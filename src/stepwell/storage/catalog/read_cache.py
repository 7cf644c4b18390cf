"""What reads ask for again and again, kept in memory until it changes: rows of runs, experiments.

A read says that it begins (`reading`) before it takes its snapshot. What the writer changes from then on the read is
told of, and takes from the database, as its snapshot has it; nor does it keep what it read of that. So who gets what is
kept gets what it would have read. The writer names what it changes before that is committed, and until the change is
visible nobody gets or keeps it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Generic, TypeAlias, TypeVar

from stepwell.core.model import Columns, Experiment, RunRow

CACHED: Final = Columns(last=True)  # what rows of runs bring along: all params, tags and last points
ROW_BYTES: Final = 16 << 20
EXPERIMENT_BYTES: Final = 1 << 20
_OBJECTS: Final = 1_500  # bytes of a run's or an experiment's; about, with the JSON that is made of them
_VALUE: Final = 150  # of a metric, param or tag, its texts aside
Place: TypeAlias = tuple[str, int]  # workspace, experiment id
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Reading(Generic[K, V]):
    """One read. For the thread that reads."""

    def __init__(self, cache: ReadCache[K, V]) -> None:
        self._cache = cache
        self.outdated: set[K] | None = set()  # what changed since it began; None: all may have

    def take(self, keys: Iterable[K]) -> dict[K, V]:
        """Those that are kept and are as in a snapshot that was taken since. Nobody changes them."""
        return {} if self.outdated is None else self._cache.take(keys, self)

    def keep(self, found: Mapping[K, V]) -> None:
        """What was read since."""
        if self.outdated is not None:
            self._cache.keep(found, self)


class ReadCache(Generic[K, V]):
    """Of one store: those used last, which together weigh no more than `most`. The thread that writes calls `changes`,
    `all_change` and `settled`, any thread the rest."""

    def __init__(self, weight: Callable[[V], int], *, most: int) -> None:
        """`weight`: about how many bytes one takes. `most` 0: nothing is ever kept, and no change need be told."""
        self._weight = weight
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weighs = 0
        self._changing: set[K] | None = set()  # as `Reading.outdated`
        self._readings: set[Reading[K, V]] = set()

    def changes(self, key: K) -> None:
        """It changes in the transaction that is open."""
        changing = self._changing
        if changing is None or key in changing or not self._most:
            return
        with self._lock:
            changing.add(key)
            self._drop(key)
            for reading in self._readings:
                if reading.outdated is not None:
                    reading.outdated.add(key)

    def all_change(self) -> None:
        """As `changes`, of nobody knows which."""
        if not self._most:
            return
        with self._lock:
            self._changing = None
            self._kept.clear()
            self._weighs = 0
            for reading in self._readings:
                reading.outdated = None

    def settled(self) -> None:
        """What changed is committed, and every read that begins now sees it."""
        if self._changing is None or self._changing:
            with self._lock:
                self._changing = set()

    @contextmanager
    def reading(self, *, wanted: bool = True) -> Iterator[Reading[K, V]]:
        """A read that begins now, its snapshot comes later. Not `wanted`: it neither takes nor keeps anything."""
        reading = Reading(self)
        if not (self._most and wanted):
            reading.outdated = None
            yield reading
            return
        with self._lock:
            reading.outdated = None if self._changing is None else set(self._changing)
            self._readings.add(reading)
        try:
            yield reading
        finally:
            with self._lock:
                self._readings.remove(reading)

    def take(self, keys: Iterable[K], reading: Reading[K, V]) -> dict[K, V]:
        """See Reading."""
        found: dict[K, V] = {}
        with self._lock:
            if reading.outdated is None:
                return found
            for key in keys:
                kept = self._kept.get(key)
                if kept is not None and key not in reading.outdated:
                    found[key] = kept[0]
                    self._kept.move_to_end(key)
        return found

    def keep(self, found: Mapping[K, V], reading: Reading[K, V]) -> None:
        """See Reading."""
        weighed = [(key, value, self._weight(value)) for key, value in found.items()]
        with self._lock:
            if reading.outdated is None:
                return
            for key, value, weight in weighed:
                if weight <= self._most and key not in reading.outdated and key not in self._kept:
                    self._kept[key] = value, weight
                    self._weighs += weight
            while self._weighs > self._most:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._weighs -= dropped[1]


class ReadCaches:
    """Those of one store."""

    def __init__(self, *, on: bool = True) -> None:
        """Not `on`: where nobody tells what others change."""
        self.rows: ReadCache[int, RunRow] = ReadCache(_row_bytes, most=ROW_BYTES if on else 0)  # by run key
        self.experiments: ReadCache[Place, Experiment] = ReadCache(
            _experiment_bytes, most=EXPERIMENT_BYTES if on else 0
        )

    def settled(self) -> None:
        """As `ReadCache.settled`, of all."""
        self.rows.settled()
        self.experiments.settled()


def _row_bytes(row: RunRow) -> int:
    texts = [*row.params.values(), *row.tags.values()]
    return _OBJECTS + _VALUE * (len(texts) + len(row.last.values)) + 2 * sum(map(len, texts))


def _experiment_bytes(experiment: Experiment) -> int:
    return _OBJECTS + sum(_VALUE + len(text) for text in experiment.tags.values())

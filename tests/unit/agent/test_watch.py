"""The thread of the samples: the first at once, the others in batches, the last at the end, and none afterwards."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from stepwell.agent.rounds import Sample
from stepwell.agent.watch import Watch

PATIENCE = 60  # seconds until something that does not happen is an error


class Device:
    """Gives samples, numbered by their time. `taken` is set with each; `slow` holds the next one up until it is set."""

    def __init__(self) -> None:
        self.count = 0
        self.taken = threading.Semaphore(0)
        self.slow = threading.Event()
        self.slow.set()

    def take(self) -> Sample:
        self.count += 1
        number = self.count
        self.taken.release()
        assert self.slow.wait(PATIENCE)
        return Sample(time_us=number, usage=(), measures={})


class Shelf:
    """Keeps what is handed over."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.kept = threading.Semaphore(0)

    def keep(self, samples: Sequence[Sample]) -> None:
        self.batches.append([each.time_us for each in samples])
        self.kept.release()


def test_the_first_goes_at_once_and_the_rest_at_the_end() -> None:
    device, shelf = Device(), Shelf()
    watch = Watch(device.take, shelf.keep, 0.001)
    watch.start()
    assert shelf.kept.acquire(timeout=PATIENCE)
    for _ in range(5):
        assert device.taken.acquire(timeout=PATIENCE)
    watch.stop()
    assert shelf.batches[0] == [1]
    numbers = [number for batch in shelf.batches for number in batch]
    assert len(numbers) >= 4
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_device_that_hangs_holds_up_nobody_and_is_too_late() -> None:
    device, shelf = Device(), Shelf()
    watch = Watch(device.take, shelf.keep, 0.001)
    device.slow.clear()
    watch.start()
    assert device.taken.acquire(timeout=PATIENCE)
    watch.stop()  # returns, though the device does not
    device.slow.set()
    watch._thread.join(PATIENCE)
    assert not watch._thread.is_alive()
    assert shelf.batches == []


def test_stopping_twice_hands_over_once() -> None:
    device, shelf = Device(), Shelf()
    watch = Watch(device.take, shelf.keep, PATIENCE)
    watch.start()
    assert shelf.kept.acquire(timeout=PATIENCE)
    watch.stop()
    watch.stop()
    watch._thread.join(PATIENCE)
    assert shelf.batches == [[1]]
    assert watch._thread.daemon

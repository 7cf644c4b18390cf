"""What may be logged. The tensors here are stand-ins with the methods of the real ones: no accelerator is needed."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stepwell.client.values import NoNumber, Pending, Wrong, number, snapshot


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.5, 1.5),
        (3, 3),
        (True, True),
        (np.float32(0.5), 0.5),
        (np.float64(-0.0), -0.0),
        (np.int64(7), 7.0),
        (np.bool_(True), 1.0),
        (np.array(2.0), 2.0),
        (np.array([[2.0]]), 2.0),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
    ],
)
def test_numbers_of_every_kind_are_kept(value: Any, kept: float) -> None:
    assert snapshot(value) == kept
    assert math.copysign(1, snapshot(value)) == math.copysign(1, kept)


def test_an_array_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.array([1.0])
    kept = snapshot(array)
    array[0] = 2.0
    assert number(kept) == 1.0


MASKED: tuple[Any, ...] = (np.ma.masked, np.ma.masked_equal([0.5, 0.5], 0.5)[:1], np.ma.array(1.0, mask=True))
TEXTS = (np.array("2.5"), np.array(b"2.5"), bytearray(b"2.5"), np.datetime64("2026", "ns"), np.timedelta64(5, "ns"))
BEYOND = (Decimal("1e400"), -Decimal("1e400"), np.longdouble("1e400"))


def test_what_is_masked_is_no_number() -> None:
    for value in MASKED:
        kept = snapshot(value)
        assert isinstance(kept, Wrong)
        assert kept.why.endswith(": a masked value is no number")
    assert snapshot(np.ma.array([0.5])) == 0.5
    assert snapshot(np.ma.array([0.5, 9.0], mask=[False, True]).mean()) == 0.5
    assert snapshot(np.longdouble("inf")) == snapshot(Decimal("Infinity")) == math.inf


@pytest.mark.parametrize("value", ["1", b"1", None, [1], {}, object(), 1j, 10**400, np.zeros(2), *TEXTS, *BEYOND])
def test_what_is_no_number_is_wrong_and_says_its_type(value: Any) -> None:
    kept = snapshot(value)
    if isinstance(kept, Wrong):
        assert type(value).__name__ in kept.why
    else:
        assert kept is value  # an int, which the worker finds too large
        with pytest.raises(NoNumber):
            number(kept)


class Stream:
    """A device's queue of work, done when `work` is called."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def work(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


class Tensor:
    """A tensor of one number in `box`, on a device that works on its stream later."""

    def __init__(self, box: list[float], stream: Stream | None, *, size: int = 1) -> None:
        self.box, self.stream, self.shape = box, stream, (size,)
        self.device = SimpleNamespace(type="cpu" if stream is None else "cuda")

    def numel(self) -> int:
        return self.shape[0]

    def detach(self) -> Tensor:
        return self

    def to(self, device: str, *, non_blocking: bool) -> Tensor:
        assert (device, non_blocking) == ("cpu", True)
        assert self.stream is not None
        copy = Tensor([math.nan], None)
        self.stream.waiting.append(lambda: copy.box.__setitem__(0, self.box[0]))
        return copy

    def item(self) -> float:
        assert self.stream is None, "the training thread waited for the device"
        assert self.shape == (1,)
        return self.box[0]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """The current stream of a stand-in for torch.cuda."""
    current = Stream()

    class Event:
        done = False

        def record(self, stream: Stream) -> None:
            stream.waiting.append(lambda: setattr(self, "done", True))

        def query(self) -> bool:
            return self.done

        def synchronize(self) -> None:
            current.work()

    torch: Any = ModuleType("torch")
    torch.cuda = SimpleNamespace(Event=Event, current_stream=lambda _: current)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return current


def test_a_tensor_on_a_device_is_copied_in_the_device_s_order_and_never_waited_for(stream: Stream) -> None:
    tensor = Tensor([math.nan], stream)
    stream.waiting.append(lambda: tensor.box.__setitem__(0, 1.0))  # what computes it
    kept = snapshot(tensor)
    stream.waiting.append(lambda: tensor.box.__setitem__(0, 2.0))  # the next step of the training
    assert isinstance(kept, Pending)
    assert not kept.ready()
    stream.work()
    assert kept.ready()
    assert kept.value() == 1.0
    assert tensor.box == [2.0]


def test_waiting_is_for_the_worker(stream: Stream) -> None:
    kept = snapshot(Tensor([5.0], stream))
    kept.wait()
    assert (kept.ready(), kept.value()) == (True, 5.0)


def test_a_tensor_of_the_host_is_a_number_at_once(stream: Stream) -> None:
    assert snapshot(Tensor([4.0], None)) == 4.0


def test_a_tensor_of_many_numbers_is_wrong(stream: Stream) -> None:
    assert "(3,)" in snapshot(Tensor([1.0], stream, size=3)).why


def test_a_device_without_events_gives_a_copy_that_the_worker_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        device = SimpleNamespace(type="mps")
        shape = ()

        def __init__(self, value: float) -> None:
            self.value = value

        def numel(self) -> int:
            return 1

        def detach(self) -> Odd:
            return self

        def clone(self) -> Odd:
            return Odd(self.value)

        def item(self) -> float:
            return self.value

    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    tensor = Odd(1.0)
    kept = snapshot(tensor)
    tensor.value = 2.0
    assert isinstance(kept, Pending)
    assert (kept.ready(), kept.value()) == (True, 1.0)


def test_an_array_whose_buffer_is_given_away_is_copied_first() -> None:
    class Array:
        size, shape = 1, ()

        def __init__(self, value: float) -> None:
            self.value: float | None = value
            self.begun = False

        def copy(self) -> Array:
            assert self.value is not None
            return Array(self.value)

        def copy_to_host_async(self) -> None:
            self.begun = True

        def item(self) -> float:
            assert self.value is not None, "deleted"
            assert self.begun
            return self.value

    array = Array(3.0)
    kept = snapshot(array)
    array.value = None  # donated to the next step
    assert kept.value() == 3.0


def test_a_tensor_whose_methods_fail_is_wrong() -> None:
    class Broken:
        def detach(self) -> None:
            raise MemoryError

    assert "Broken" in snapshot(Broken()).why

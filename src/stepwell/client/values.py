"""What may be logged as a value, and how it is kept until the worker has time: copied at once, converted later.

Tensors of every library are known by what they can do, and none is imported. A tensor that lies on an accelerator is
never waited for here: its copy to the host is queued behind the work that computes it, with an event behind the copy,
and the worker looks at the event. So the training thread goes on, and what it does to the tensor next comes after.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import isinf
from typing import Any, Final

PLAIN: Final = frozenset({float, int, bool})  # cannot change, need no copy


class NoNumber(Exception):
    """This is not one number."""


class Wrong:
    """Stands for a value that could not be kept, until the worker tells why."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why


class Pending:
    """A number that is on its way from a device. `tensor` is its copy on the host, `event` (None: none) follows it.

    A device that has failed fails every question; what the copy holds then is no number of anybody's.
    """

    __slots__ = ("_event", "_failure", "_tensor")

    def __init__(self, tensor: Any, event: Any = None) -> None:
        self._tensor = tensor
        self._event = event
        self._failure = ""

    def ready(self) -> bool:
        """Whether the copy is whole, or never will be. Never waits, never raises."""
        return self._event is None or bool(self._asked(self._event.query))

    def wait(self) -> None:
        """Until the copy is whole, or never will be. For the worker alone. Never raises."""
        if self._event is not None:
            self._asked(self._event.synchronize)

    def value(self) -> float:
        """The number. Where no event tells, this waits. NoNumber, and whatever the tensor raises."""
        if self._failure:
            raise NoNumber(f"its device has failed: {self._failure}")
        return float(self._tensor.item())

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as error:  # noqa: BLE001  the libraries' own errors, of which there is no list
            self._failure = f"{type(error).__name__}: {error}"
            return True


def snapshot(value: Any) -> Any:
    """What stays as it is now, whatever happens to `value`: a number, a Pending, or a Wrong. Never raises."""
    if type(value) in PLAIN:
        return value
    try:
        if hasattr(value, "detach"):
            return _torch(value)
        if hasattr(value, "copy_to_host_async"):
            return _jax(value)
        return number(value)
    except NoNumber as error:
        return Wrong(str(error))
    except Exception as error:  # noqa: BLE001  the libraries' own errors, of which there is no list
        return Wrong(f"{type(value).__name__}: {error}")


def number(value: Any) -> float:
    """One number of anything that is one, numpy's and TensorFlow's too. NoNumber."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if isinstance(value, (str, bytes, bytearray)) or (kind and kind in "SUMm"):  # texts and times, also of NumPy
        raise NoNumber(f"{type(value).__name__} is no number")
    if hasattr(value, "numpy") and not hasattr(value, "item"):
        value = value.numpy()
    if hasattr(value, "filled") and value.mask.any():
        raise NoNumber(f"{type(value).__name__}: a masked value is no number")  # its item() is what hides behind it
    try:
        exact = value.item() if hasattr(value, "item") else value
        found = float(exact)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise NoNumber(f"{type(value).__name__} is not one number: {error}") from None
    if isinf(found) and exact != found:
        raise NoNumber(f"{type(value).__name__} {exact} is beyond a float of 64 bits")
    return found


def _torch(tensor: Any) -> Any:
    device = tensor.device
    if device.type == "cpu":
        return tensor.item()
    if tensor.numel() != 1:
        raise NoNumber(f"a tensor of shape {tuple(tensor.shape)} is not one number")
    tensor = tensor.detach()
    library: Any = getattr(sys.modules.get("torch"), device.type, None)
    if not (hasattr(library, "Event") and hasattr(library, "current_stream")):
        return Pending(tensor.clone())  # a copy in the device's own order, which the worker waits for
    # Into pinned memory, behind what computes the tensor; the event tells when it is there.
    copy = tensor.to("cpu", non_blocking=True)
    event = library.Event()
    event.record(library.current_stream(device))
    return Pending(copy, event)


def _jax(tensor: Any) -> Pending:
    if tensor.size != 1:
        raise NoNumber(f"an array of shape {tuple(tensor.shape)} is not one number")
    copy = tensor.copy()  # its buffer may be given to the next step ("donated"); the copy's is ours
    copy.copy_to_host_async()
    return Pending(copy)

"""Comparing what a client reads with what it sent: bit by bit, and errors by their code."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlflow.entities import Metric


def bits(value: float) -> str:
    """A value so that only equal bits are equal; one NaN."""
    return "nan" if math.isnan(value) else struct.pack(">d", value).hex()


def points(metrics: list[Metric]) -> list[tuple[int, int, str]]:
    """What a history holds: (time, step, bits of the value)."""
    return [(m.timestamp, m.step, bits(m.value)) for m in metrics]


def code_of(attempt: Callable[[], object], match: str | None = None) -> str:
    """The error code with which the server refuses."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=match) as caught:
        attempt()
    return str(caught.value.error_code)

"""Where a page of points ended, as every engine reads it. How the next page is found is the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.page import Position
from stepwell.core.series import I64, Order

_WIDTH: Final = {Order.KEY: 5, Order.TIME: 5, Order.ARRIVAL: 1}


def checked(order: Order, after: Position | None) -> tuple[int, ...] | None:
    """The numbers of a position. ValueError: it is not one of this order."""
    if after is None:
        return None
    numbers = tuple(p for p in after if isinstance(p, int))
    if len(numbers) != len(after) or len(numbers) != _WIDTH[order]:
        raise ValueError(f"position {after!r} is not one of order {order}")
    return numbers


def beyond(columns: Sequence[I64], bound: Sequence[int]) -> NDArray[np.bool_]:
    """Which rows are above `bound`, compared over as many columns as it has."""
    above = np.zeros(len(columns[0]), np.bool_)
    equal = np.ones_like(above)
    for column, value in zip(columns, bound, strict=False):
        above |= equal & (column > value)
        equal &= column == value
    return above

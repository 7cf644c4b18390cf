"""Long series in parts: windows that follow each other in key order, each of which fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stepwell.core.series import Order, Points
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.statements import Extent, Scope

CELLS: Final = 1024  # of equal width, whose rows are counted to find the parts


def collect(scope: Scope) -> Points:
    """All points in key order. For what fits into memory."""
    points = Rows.concat([scope.rows("of_window"), scope.waiting]).distinct().points
    return points if scope.series is not None and len(scope.series) == 1 else points.sorted(Order.KEY)


def parts(scope: Scope, extent: Extent | None = None, *, whole_steps: bool = False) -> Iterator[Scope]:
    """Scopes that cover all that is stored or waits in this one: in key order, disjoint, each of `at_once` rows at most
    unless more of them have one step and one time. With `whole_steps` no step is divided, whatever it holds. `extent`:
    that of the scope, where it is known.
    """
    if extent is None:
        extent = scope.extent()
    if extent.count <= scope.at_once:
        yield scope
        return
    if extent.min_step < extent.max_step:
        lead, low, high = "step", extent.min_step, extent.max_step
    elif whole_steps or extent.min_time == extent.max_time:
        yield scope
        return
    else:
        lead, low, high = "time", extent.min_time, extent.max_time
        # What waits in other steps comes before or after the one step that is divided.
        if scope.window.min_step < extent.min_step:
            yield _narrowed(scope, "step", scope.window.min_step, extent.min_step - 1)
    ends = _ends(scope, lead, low, high)
    yield from _divided(scope, extent, lead, ends, whole_steps=whole_steps)
    if lead == "time" and extent.max_step < scope.window.max_step:
        yield _narrowed(scope, "step", extent.max_step + 1, scope.window.max_step)


def _divided(
    scope: Scope, extent: Extent, lead: str, ends: list[tuple[int, bool]], *, whole_steps: bool
) -> Iterator[Scope]:
    if lead == "time":
        scope = _narrowed(scope, "step", extent.min_step, extent.max_step)
    begin, last = getattr(scope.window, f"min_{lead}"), getattr(scope.window, f"max_{lead}")
    for number, (end, heavy) in enumerate(ends):
        part = _narrowed(scope, lead, begin, last if number == len(ends) - 1 else end)
        begin = end + 1
        if heavy:
            yield from parts(part, whole_steps=whole_steps)
        else:
            yield part


def _ends(scope: Scope, lead: str, low: int, high: int) -> list[tuple[int, bool]]:
    """The last number of each part, and whether it holds more rows than that."""
    shift = max(0, (high - low).bit_length() - CELLS.bit_length() + 1)
    cells, counts = scope.select(f"{lead}s_spread", 2, low=low % 2**64, shift=shift)
    found: list[tuple[int, bool]] = []
    held = 0
    previous = -1
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        if held and held + count > scope.at_once:
            found.append((_end(low, previous, shift), held > scope.at_once))
            held = 0
        held += count
        previous = cell
    return [*found, (_end(low, previous, shift), held > scope.at_once)]


def _end(low: int, cell: int, shift: int) -> int:
    return low + ((cell + 1) << shift) - 1


def _narrowed(scope: Scope, lead: str, low: int, high: int) -> Scope:
    window = scope.window
    if lead == "step":
        return scope.narrowed(replace(window, min_step=low, max_step=high))
    return scope.narrowed(replace(window, min_time=low, max_time=high))

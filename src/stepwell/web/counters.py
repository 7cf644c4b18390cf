"""Counting requests per dialect and outcome, and the text that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counters:
    """Plain integers of one server, changed on the event loop only."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.seconds: dict[str, list[int]] = {}
        self.seconds_sum: dict[str, float] = {}

    def count(self, dialect: str, status: int, seconds: float) -> None:
        """One answered request."""
        key = (dialect, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        buckets = self.seconds.get(dialect)
        if buckets is None:
            buckets = self.seconds[dialect] = [0] * (len(BOUNDS) + 1)
            self.seconds_sum[dialect] = 0.0
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds_sum[dialect] += seconds

    def lines(self) -> Iterable[str]:
        """The request metrics as Prometheus text."""
        yield "# TYPE stepwell_requests_total counter"
        for (dialect, status), number in sorted(self.requests.items()):
            yield f'stepwell_requests_total{{dialect="{dialect}",outcome="{status}"}} {number}'
        yield "# TYPE stepwell_request_seconds histogram"
        for dialect, buckets in sorted(self.seconds.items()):
            pairs, seen = [], 0
            for bound, number in zip(BOUNDS, buckets[:-1], strict=True):
                seen += number
                pairs.append((bound, seen))
            yield from histogram(
                "stepwell_request_seconds",
                pairs,
                total=seen + buckets[-1],
                summed=self.seconds_sum[dialect],
                label=f'dialect="{dialect}"',
            )


def histogram(
    name: str, pairs: Iterable[tuple[float, int]], *, total: int, summed: float, label: str = ""
) -> Iterable[str]:
    """Lines of one histogram; `pairs` are upper bounds with cumulative counts; the infinite one may be among them."""
    comma = "," if label else ""
    labels = f"{{{label}}}" if label else ""
    for bound, number in pairs:
        if bound != float("inf"):
            yield f'{name}_bucket{{{label}{comma}le="{bound:g}"}} {number}'
    yield f'{name}_bucket{{{label}{comma}le="+Inf"}} {total}'
    yield f"{name}_sum{labels} {summed:.6f}"
    yield f"{name}_count{labels} {total}"


def singles(kind: str, values: Mapping[str, float]) -> Iterable[str]:
    """Lines of metrics without labels; `kind` is counter or gauge, names get the prefix `stepwell_`."""
    for name, value in sorted(values.items()):
        full = name if name.startswith("stepwell_") else f"stepwell_{name}"
        if kind == "counter" and not full.endswith("_total"):
            full += "_total"
        yield f"# TYPE {full} {kind}"
        yield f"{full} {value:.17g}"

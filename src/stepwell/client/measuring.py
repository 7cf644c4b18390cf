"""What the agent measures, as records of a run: usage in percent is the task's, all else is metrics of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stepwell.agent.readings import Collector
from stepwell.agent.rounds import Rounds, Sample, all_collectors
from stepwell.agent.watch import Watch
from stepwell.client import records
from stepwell.client.environment import cuda_visible
from stepwell.client.records import Note
from stepwell.client.worker import Row


def watch(
    keep: Callable[[Iterable[Note | Row]], None],
    tell: Callable[[str], None],
    *,
    task: str,
    interval: float,
    collectors: Iterable[Collector] | None = None,
) -> Watch:
    """A watch over this machine, not started. keep: takes records, at once; tell: hears what goes wrong.

    interval: seconds. collectors: all there are, where none are given.
    """
    rounds = Rounds(collectors_here() if collectors is None else collectors, tell)

    def hand_over(samples: Sequence[Sample]) -> None:
        keep(as_records(task, samples))

    return Watch(rounds.sample, hand_over, interval)


def collectors_here() -> tuple[Collector, ...]:
    """All there are; the disk is the one of the current folder."""
    return all_collectors(folder=Path.cwd(), cuda_visible=cuda_visible())


def as_records(task: str, samples: Sequence[Sample]) -> Iterator[Note | Row]:
    """One note of the usage, also where there is none: it registers the task; and a row of metrics for each sample."""
    yield Note(records.USAGE, {"task": task, "samples": [each for sample in samples for each in _by_device(sample)]})
    for sample in samples:
        if sample.measures:
            named = {f"system/{task}/{name}": value for name, value in sample.measures.items()}
            yield (sample.time_us, sample.time_us // 1000, named)


def _by_device(sample: Sample) -> Iterator[dict[str, Any]]:
    """As the server takes them: one for each device, in milliseconds."""
    found: dict[str, dict[str, Any]] = {}
    for usage in sample.usage:
        found.setdefault(usage.device, {})[usage.resource] = usage.percent
    for device, percents in found.items():
        named = {"device": device} if device else {}
        yield {"time": sample.time_us / 1000, **named, **percents}

"""Draws the growth curves of a results file: how long a request takes, over how much is stored.

    .venv/bin/python benchmarks/plots.py RESULTS.json [RESULTS.json ...] [--out docs/explanation/plots]

Reads what `growth/run.py` wrote, the parts charts, search and wide, and writes one SVG for each. Measures nothing.
Both axes are logarithmic. Later files win where two have the same point.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 780, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 280, 40, 48
COLORS = ("#0b63a5", "#c4440c", "#2c7a3f", "#7a3e9d", "#8a6d00", "#444444")

Curves: TypeAlias = Mapping[str, Mapping[float, float]]  # name -> how much there is -> milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a part's rows say: `what` matches size and curve, `found` begins with the milliseconds."""

    part: str
    title: str
    axis: str
    what: re.Pattern[str]


CHARTS = (
    Chart(
        part="charts",
        title="1,000 buckets of a series",
        axis="points of the series",
        what=re.compile(r"1,000 buckets of (?P<size>[\d,]+) points, (?P<curve>.+)"),
    ),
    Chart(
        part="search",
        title="A page of 100 runs",
        axis="runs",
        what=re.compile(r"(?P<size>[\d,]+) runs: (?P<curve>.+)"),
    ),
    Chart(
        part="wide",
        title="Summaries of a run",
        axis="metrics of the run",
        what=re.compile(r"summaries of (?P<size>[\d,]+) (?P<curve>metrics)"),
    ),
)


def curves(rows: list[dict[str, str]], chart: Chart) -> Curves:
    """The points of one chart."""
    found: dict[str, dict[float, float]] = {}
    for row in rows:
        named, ms = chart.what.fullmatch(row["what"]), re.match(r"([\d.]+) ms", row["found"])
        if row["part"] == chart.part and named and ms:
            found.setdefault(named["curve"], {})[float(named["size"].replace(",", ""))] = float(ms[1])
    return found


def svg(chart: Chart, found: Curves, told: str) -> str:
    """The picture. `told` stands below it: when and where it was measured."""
    sizes = sorted({size for curve in found.values() for size in curve})
    times = [ms for curve in found.values() for ms in curve.values()]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)) + 1e-9)
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(size: float) -> float:
        return LEFT + wide * (math.log10(size) - first) / ((last - first) or 1)

    def y(ms: float) -> float:
        return TOP + tall * (high - math.log10(ms)) / ((high - low) or 1)

    def parts() -> Iterator[str]:
        yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        yield ' font-size="12">'
        yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        yield f'<text x="{LEFT}" y="22" font-size="15">{escape(chart.title)}, milliseconds</text>'
        for exponent in range(low, high + 1):
            at = y(10.0**exponent)
            yield f'<path d="M{LEFT} {at:.1f}H{LEFT + wide}" stroke="#dddddd"/>'
            yield f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**exponent:g}</text>'
        for size in sizes:
            yield f'<path d="M{x(size):.1f} {TOP + tall}v5" stroke="#666666"/>'
            yield f'<text x="{x(size):.1f}" y="{TOP + tall + 18}" text-anchor="middle">{_short(size)}</text>'
        below = escape(f"{chart.axis}; {told}")
        yield f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 12}" text-anchor="middle">{below}</text>'
        for number, (name, points) in enumerate(found.items()):
            color = COLORS[number % len(COLORS)]
            places = [(x(size), y(ms)) for size, ms in sorted(points.items())]
            line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            yield f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>'
            yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in places)
            legend = TOP + 10 + 18 * number
            yield f'<path d="M{LEFT + wide + 16} {legend - 4}h14" stroke="{color}" stroke-width="2"/>'
            yield f'<text x="{LEFT + wide + 36}" y="{legend}" font-size="11">{escape(name)}</text>'
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def _short(number: float) -> str:
    for divisor, letter in ((10**6, " M"), (10**3, " k")):
        if number >= divisor:
            return f"{number / divisor:g}{letter}"
    return f"{number:g}"


def main() -> int:
    """Draw what there is; 1 when a file has no curve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "explanation" / "plots")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = [json.loads(path.read_text()) for path in args.results]
    rows = [row for each in found for row in each["rows"]]
    drawn = 0
    for chart in CHARTS:
        if points := curves(rows, chart):
            last = [each for each in found if any(row["part"] == chart.part for row in each["rows"])][-1]
            told = f"{last['measured'][:10]}, {last['machine'].split(',')[0]}, commit {last['commit']}"
            target = args.out / f"{chart.part}.svg"
            target.write_text(svg(chart, points, told))
            print(target)
            drawn += 1
    return int(not drawn)


if __name__ == "__main__":
    sys.exit(main())

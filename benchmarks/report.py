"""From rows of measurements to a table with ratios, and to what was wrong. Nothing is measured here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All rows of one server."""

    name: str
    kind: str
    version: str
    command: str
    rows: list[Row]

    def value(self, row: str, field: str) -> float | None:
        """A number of the row whose name begins so."""
        found = next((r for r in self.rows if r["row"].startswith(row)), None)
        value = None if found is None else found.get(field)
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One line of the table. `more`: whether more is better; `target`: the ratio that Stepwell wants to reach."""

    title: str
    row: str
    field: str
    more: bool
    digits: int = 0
    target: float | None = None


def questions(history: int, long: int, writers: int) -> list[Question]:
    """The lines of the table, for series of these lengths."""
    short, tall = f"s{history // 1000}k", f"s{long // 1000}k"
    runs = "1000 runs with 20 metrics"
    load = f"{_count(long)} points loaded by 1000, points/s"
    return [
        Question(title="log-batch, 1 metric x 1000 steps, points/s", row="w1", field="points_s", more=True, target=60),
        Question(title="log-batch, 100 metrics x 10 steps, points/s", row="w2", field="points_s", more=True, target=60),
        Question(title=f"the same from {writers} writers, points/s", row="c2", field="points_s", more=True, target=60),
        Question(title="log-metric, one point each, requests/s", row="w3", field="req_s", more=True, target=15),
        Question(title=f"the same from {writers} writers, requests/s", row="c3", field="req_s", more=True),
        *(
            Question(
                title=f"history of {_count(points)} points, {how}, seconds",
                row=f"{label} get-history {way}",
                field="secs",
                more=False,
                digits=3,
                target=target,
            )
            for points, label in ((history, short), (long, tall))
            for how, way, target in (
                ("whole", "whole", 50),
                ("in pages of 25,000 that the client reads into objects", "paged", None),
            )
        ),
        Question(
            title="history of 100,000 points, in pages of 25,000, seconds",
            row="history of 100000 in pages",
            field="secs",
            more=False,
            digits=3,
            target=50,
        ),
        Question(title=load, row=f"{tall} load", field="points_s", more=True),
        Question(
            title=f"1000 points of {_count(long)}, ms",
            row=f"{tall} bulk-interval 1000",
            field="ms",
            more=False,
            digits=1,
            target=200,
        ),
        Question(
            title="a chart of 20 runs x 10,000 points, 320 each, ms",
            row="cmp 20 runs x 10k, 320",
            field="ms",
            more=False,
            digits=1,
            target=50,
        ),
        Question(
            title="a chart of 100 runs x 1,000 points, 320 each, ms",
            row="chart of 100 runs",
            field="ms",
            more=False,
            digits=1,
            target=50,
        ),
        Question(
            title=f"{runs}: those above a value, ms", row="q metric filter", field="ms", more=False, digits=1, target=20
        ),
        Question(
            title=f"{runs}: those above a value with a param, ms",
            row="q metric+param filter",
            field="ms",
            more=False,
            digits=1,
            target=20,
        ),
        Question(
            title=f"{runs}: the first 100 by a metric, ms",
            row="q order by metric",
            field="ms",
            more=False,
            digits=1,
            target=20,
        ),
        Question(
            title="a new run with 25 params, ms",
            row="new run with 25 params",
            field="ms",
            more=False,
            digits=2,
            target=10,
        ),
        Question(
            title="disk after a clean stop, bytes/point",
            row="disk at rest",
            field="bytes_per_point",
            more=False,
            digits=1,
            target=10,
        ),
        Question(title="memory when idle, MB", row="mem idle", field="pss_mb", more=False, target=4),
    ]


def problems(measured: Measured) -> list[str]:
    """Rows in which an answer was an error, or what was read back is not what was acknowledged."""
    found = []
    for row in measured.rows:
        verify = re.match(r"(\d+)/(\d+) points, \d+ series, (\d+) wrong", str(row.get("verify", "")))
        wrong = verify is not None and (verify[1] != verify[2] or verify[3] != "0")
        bad_status = row.get("status", 200) != 200
        if row.get("errors") or wrong or bad_status or row.get("checksum") == "WRONG":
            found.append(f"{measured.name}: {row}")
    return found


def table(stepwell: Sequence[Measured], peers: Sequence[Measured], asked: Sequence[Question]) -> list[Row]:
    """For each question the value of every server, and how many times better the better Stepwell is than the best
    peer.
    """
    lines = []
    for question in asked:
        better = max if question.more else min
        values = {one.name: one.value(question.row, question.field) for one in (*stepwell, *peers)}
        ours = better((value for one in stepwell if (value := values[one.name])), default=None)
        theirs = better((value for one in peers if (value := values[one.name])), default=None)
        ratio = None
        if ours and theirs:
            ratio = round(ours / theirs if question.more else theirs / ours, 1)
        lines.append(
            {
                "title": question.title,
                "digits": question.digits,
                "values": values,
                "ratio": ratio,
                "target": question.target,
            }
        )
    return lines


def markdown(lines: Sequence[Row], servers: Sequence[Measured], facts: Row, *, compared: bool) -> str:
    """The table for people."""
    head = ["", *(one.name for one in servers)]
    if compared:
        head += ["better by", "wanted"]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        digits = line["digits"]
        cells = [line["title"], *(_cell(line["values"][one.name], digits) for one in servers)]
        if compared:
            ratio, target = line["ratio"], line["target"]
            cells += ["-" if ratio is None else f"{ratio:g} x", "-" if target is None else f"{target:g} x"]
        out.append("| " + " | ".join(cells) + " |")
    told = [f"{key}: {value}" for key, value in facts.items()]
    return "\n".join([*out, "", *(f"- {line}" for line in told), ""])


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _count(number: int) -> str:
    return f"{number // 1_000_000} M" if number % 1_000_000 == 0 else f"{number:,}"

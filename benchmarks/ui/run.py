"""Measures the web page in a browser without a graphics card, against a server with known runs.

    .venv/bin/python benchmarks/ui/run.py [--runs 100000] [--note TEXT]

Writes benchmarks/results/ui-<date>-<commit>.md and .json. What the lines mean: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright  # noqa: E402
from ui import filling  # noqa: E402
from ui.inside import ARRIVED, CARDS, OPENED, PRESS, SCROLL, WATCH_FRAMES  # noqa: E402

from serving import Server  # noqa: E402

HOUR = 3600


def rank(values: list[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


class Bench:
    """One browser before one server; `figures` fills as it goes."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.browser, self.server = browser, server
        self.figures: list[dict[str, Any]] = []

    def page(self, width: int = 1600, height: int = 1000) -> Page:
        """A new tab in a context of its own."""
        page = self.browser.new_context(viewport={"width": width, "height": height}).new_page()
        page.set_default_timeout(120_000)
        return page

    def go(self, page: Page, place: str) -> None:
        """Goes to a place, from anew."""
        page.goto("about:blank")
        page.goto(f"{self.server.url}/ui/#/{place}")

    def tell(self, line: str, value: float, unit: str, wanted: str, **more: Any) -> None:
        """Prints a figure and keeps it."""
        print(f"{line}: {value:.4g} {unit} (wanted: {wanted})", flush=True)
        self.figures.append({"line": line, "value": value, "unit": unit, "wanted": wanted, **more})

    def size(self) -> None:
        """All scripts of the page, each compressed."""
        assets = ROOT / "src/stepwell/web/static/assets"
        packed = sum(len(gzip.compress(path.read_bytes())) for path in assets.glob("*.js"))
        self.tell("JavaScript, gzip", packed / 1024, "KiB", "< 200")

    def first_paint(self) -> None:
        """The table, opened seven times with nothing cached."""
        paints, rows = [], []
        for _ in range(7):
            page = self.page()
            self.go(page, "runs")
            page.wait_for_selector("[role=grid] a[href*='/runs/']")
            rows.append(page.evaluate("performance.now()"))
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            page.context.close()
        self.tell("first paint", statistics.median(paints), "ms", "< 1000", all=paints)
        self.tell("first runs of the table", statistics.median(rows), "ms", "-", all=rows)

    def redraw(self, ids: list[str]) -> None:
        """Another y axis for a hundred lines, and back."""
        page = self.page()
        self.go(page, f"charts?shown={','.join(ids)}&columns=1&height=600&metrics=m/00&live=0")
        card = page.locator("article").first
        card.locator("canvas").first.wait_for()
        page.wait_for_selector("article[aria-busy=false]")
        page.wait_for_timeout(1500)
        busy = thread_clock(page)
        times = []
        work = []
        for name in ["Log y", "Log y", "Clip outliers", "Clip outliers"] * 5:
            before = task_time(busy)
            times.append(page.evaluate(PRESS, name))
            work.append((task_time(busy) - before) * 1000)
            page.wait_for_timeout(100)
        self.tell("redraw, 100 series x 2,000: press to second frame", statistics.median(times), "ms", "-", all=times)
        self.tell(
            "redraw, 100 series x 2,000: work of the main thread", statistics.median(work), "ms", "<= 50", all=work
        )
        self.hover(page, busy)
        page.context.close()

    def hover(self, page: Page, busy: CDPSession) -> None:
        """The pointer moves over the chart as fast as the browser follows."""
        box = page.locator(".u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 5, box["y"] + 100)
        page.wait_for_timeout(500)
        before = task_time(busy)
        page.evaluate(WATCH_FRAMES)
        for at in range(240):
            page.mouse.move(box["x"] + 10 + (at * 5) % (box["width"] - 20), box["y"] + 100 + at % 200)
        frames = page.evaluate("window.frames_.slice(2)")
        work = (task_time(busy) - before) * 1000 / max(1, len(frames))
        self.tell("hover, 100 series: median frame", statistics.median(frames), "ms", "<= 17", frames=len(frames))
        self.tell("hover, 100 series: 95th of 100 frames", rank(frames, 0.95), "ms", "-")
        self.tell("hover, 100 series: work of the main thread for each frame", work, "ms", "<= 17")

    def cards(self, ids: list[str]) -> None:
        """A workspace that shows all of its cards at once, opened seven times."""
        times: list[float] = []
        whole: list[float] = []
        work: list[float] = []
        for _ in range(7):
            page = self.page(1920, 2600)
            self.go(page, "runs")
            page.wait_for_selector("[role=grid]")
            busy = thread_clock(page)
            before = task_time(busy)
            page.evaluate(CARDS, f"#/charts?shown={','.join(ids)}&columns=4&height=160&live=0")
            seen, arrived, begun = page.evaluate("window.seen"), page.evaluate(ARRIVED), page.evaluate("window.begin")
            work.append((task_time(busy) - before) * 1000)
            times.append(seen - arrived)
            whole.append(seen - begun)
            page.context.close()
        self.tell("30 cards x 10 series: last answer to painted", statistics.median(times), "ms", "<= 200", all=times)
        self.tell("30 cards x 10 series: click to painted", statistics.median(whole), "ms", "-", all=whole)
        self.tell("30 cards x 10 series: work of the main thread", statistics.median(work), "ms", "-", all=work)

    def keys(self, ids: list[str], metrics: int) -> None:
        """A workspace of so many metrics, opened seven times with nothing cached: until the cards in view are drawn."""
        for some in (ids[:1], ids):
            times = []
            for _ in range(7):
                page = self.page()
                page.add_init_script(OPENED)
                self.go(page, f"charts?shown={','.join(some)}&live=0")
                times.append(page.evaluate("window.seen"))
                page.context.close()
            line = f"{metrics:,} metrics of {len(some)} run{'s' if len(some) > 1 else ''}: opening to painted"
            self.tell(line, statistics.median(times), "ms", "< 1000", all=times)

    def table(self, count: int) -> None:
        """Scrolls and jumps through the table for ten seconds."""
        page = self.page()
        self.go(page, "runs?experiments=1")
        page.get_by_text(f"{count:,} runs").wait_for()
        found = page.evaluate(SCROLL, 10)
        frames = found["frames"]
        line = f"table of {count:,} runs, scrolled 10 s"
        self.tell(f"{line}: 95th of 100 frames", rank(frames, 0.95), "ms", "-", frames=len(frames))
        self.tell(f"{line}: longest time without rows", found["longest"], "ms", "< 100")
        self.tell(f"{line}: frames with rows still loading", 100 * found["blank"] / len(frames), "%", "-")
        page.context.close()

    def memory(self, ids: list[str], metrics: int) -> None:
        """An hour of a clock that is turned by hand: a point in every curve and a question each five seconds."""
        page = self.page()
        page.clock.install()
        self.go(page, f"charts?shown={','.join(ids)}&live=5")
        page.clock.run_for(3000)
        page.wait_for_selector("article canvas")
        inside = page.context.new_cdp_session(page)
        heaps: dict[int, float] = {}
        for second in range(5, HOUR + 1, 5):
            filling.more(self.server.port, ids, metrics, second)
            page.clock.run_for(5000)
            if second in {300, 900, 1800, 2700, HOUR}:
                heaps[second] = heap(inside)
        self.tell("memory after 5 simulated minutes of live updates", heaps[300], "MiB", "-", all=heaps)
        self.tell("memory after a simulated hour of live updates", heaps[HOUR], "MiB", "flat", all=heaps)
        page.context.close()


def thread_clock(page: Page) -> CDPSession:
    """A session that counts the time of the page's main thread alone, whatever else runs."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def task_time(session: CDPSession) -> float:
    """Seconds of the processor that the page's main thread has used."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def heap(session: CDPSession) -> float:
    """MiB of the page's heap after a collection."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def facts(browser: Browser, note: str) -> dict[str, str]:
    """What the figures belong to."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip(),
        "command": " ".join(["benchmarks/ui/run.py", *sys.argv[1:]]),
        "machine": f"{os.cpu_count()} cores of {model}, {memory:.1f} GiB, no graphics card; server on it too",
        "versions": f"Chromium {browser.version}",
        "note": note,
    }


def write(figures: list[dict[str, Any]], told: dict[str, str]) -> None:
    """The table and every single number, beside the other results."""
    stem = ROOT / "benchmarks/results" / f"ui-{told['measured'][:10]}-{told['commit']}"
    stem.with_suffix(".json").write_text(json.dumps({**told, "figures": figures}, indent=1) + "\n")
    rows = [f"| {each['line']} | {each['value']:.4g} {each['unit']} | {each['wanted']} |" for each in figures]
    notes = [f"- {name}: {text}" for name, text in told.items() if text]
    table = ["| the web page | Stepwell | wanted |", "|---|---|---|", *rows]
    stem.with_suffix(".md").write_text("\n".join([*table, "", *notes]) + "\n")
    print(f"wrote {stem.relative_to(ROOT)}.md")


def main() -> None:
    """Measures everything once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000, help="rows of the long table")
    parser.add_argument("--note", default="", help="what else to know of this run")
    asked = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.exit("there is no chromium; install it (apt-get install chromium)")
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "data") as server,
        sync_playwright() as playwright,
    ):
        flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        bench = Bench(browser, server)
        bench.size()
        hundred = filling.curves(server.port, prefix="wide", runs=100, metrics=1)
        bench.first_paint()
        bench.redraw(hundred)
        bench.cards(filling.curves(server.port, prefix="deep", runs=10, metrics=30))
        bench.keys(filling.keys(server.port, prefix="keys", runs=10, metrics=2000), 2000)
        bench.memory(filling.running(server.port, prefix="live", runs=10, metrics=6), 6)
        filling.many(server.port, asked.runs)
        bench.table(asked.runs)
        write(bench.figures, facts(browser, asked.note))
        browser.close()


if __name__ == "__main__":
    main()

// The buckets of one card: all of every run, and the zoomed window at full resolution, kept fresh while runs are running.

import type { Problem } from "../api/client";
import { columnsFor, joined, merged, type Asked, type Buckets, type Points } from "./buckets";
import type { Followed, Live } from "./live";
import type { ChartSettings } from "./settings";
import { keyOf, type Shown } from "./shown";
import type { Source, Window } from "./source";
import { windowsOf, type Reach } from "./window";

/** What a card wants drawn. */
export interface Wish {
  metric: string;
  runs: readonly Shown[];
  settings: ChartSettings;
  /** What of the x axis is shown; null: everything. */
  zoom: Reach | null;
  /** Buckets for the width of the chart. */
  budget: number;
}

/** One run's data. `detail` is what is drawn; the same as `whole` where nothing is finer. */
export interface Held {
  run: Shown;
  whole: Buckets;
  detail: Buckets;
  along: Buckets | null;
}

export interface FeedState {
  held: readonly Held[];
  loading: boolean;
  error: Problem | null;
}

/** One series of a card in one window. */
interface Part {
  run: Shown;
  metric: string;
  windows: readonly Window[];
  buckets: Buckets | null;
  /** Why the newest question about it failed. */
  error: Problem | null;
  stop: AbortController;
  unfollow: (() => void) | null;
  budget: number;
  columns: readonly Asked[];
}

export class Feed {
  private parts = new Map<string, Part>();
  private wish: Wish | null = null;
  private closed = false;
  private readonly drawn = new Map<string, Pick<Held, "detail" | "along">>();
  private waiting = false;

  constructor(
    private readonly source: Source,
    private readonly live: Live,
    private readonly changed: (state: FeedState) => void,
  ) {}

  /** Ask for what is missing, drop what nobody wants, tell what there is. */
  want(wish: Wish): void {
    const { metric, settings } = this.wish ?? wish;
    if (metric !== wish.metric || settings.x !== wish.settings.x || settings.xMetric !== wish.settings.xMetric) this.drawn.clear();
    this.wish = wish;
    const before = this.parts;
    this.parts = new Map();
    for (const [name, make] of this.needed(wish)) {
      // The label sets of a run share what runs along the bottom.
      const old = this.parts.get(name) ?? before.get(name);
      before.delete(name);
      this.parts.set(name, old ?? make());
    }
    for (const part of before.values()) drop(part);
    this.tell();
  }

  /** Ask again for what failed. */
  retry(): void {
    for (const part of this.parts.values()) {
      if (part.error === null) continue;
      part.error = null;
      this.load(part);
    }
    this.tell();
  }

  close(): void {
    this.closed = true;
    for (const part of this.parts.values()) drop(part);
    this.parts.clear();
  }

  private *needed({ metric, runs, settings, zoom, budget }: Wish): Iterable<[string, () => Part]> {
    const size = zoom === null ? budget : 2 * budget;
    for (const run of runs) {
      yield this.entry(run, metric, WHOLE, budget, settings);
      const along = alongOf(metric, settings);
      if (along !== null) yield this.entry(run, along, WHOLE, budget, settings);
      const beside = this.beside(run, settings, budget);
      if (along !== null && beside !== run) yield this.entry(beside, along, WHOLE, budget, settings);
      const drawn = this.wholeOf(run, metric, settings, budget);
      const windows = drawn && windowsOf(drawn, run, settings, zoom, this.wholeOf(beside, settings.xMetric, settings, budget));
      if (windows === null) continue;
      yield this.entry(run, metric, windows, size, settings);
      if (along !== null) yield this.entry(beside, along, windows, size, settings);
    }
  }

  private wholeOf(run: Shown, metric: string, settings: ChartSettings, budget: number): Buckets | null {
    return this.parts.get(nameOf(run, metric, WHOLE, budget, columnsOf(run, settings)))?.buckets ?? null;
  }

  /** Whose x metric a line has: that with its labels, or where there is none the run's. */
  private beside(run: Shown, settings: ChartSettings, budget: number): Shown {
    if (run.labels === undefined || this.wholeOf(run, settings.xMetric, settings, budget)?.count.length !== 0) return run;
    const whole = { ...run };
    delete whole.labels;
    return whole;
  }

  private entry(run: Shown, metric: string, windows: readonly Window[], budget: number, settings: ChartSettings): [string, () => Part] {
    const columns = columnsOf(run, settings);
    const name = nameOf(run, metric, windows, budget, columns);
    const make = () => {
      const part: Part = { run, metric, windows, buckets: null, error: null, stop: new AbortController(), unfollow: null, budget, columns };
      this.load(part);
      return part;
    };
    return [name, make];
  }

  private load(part: Part): void {
    const { run, metric, windows, stop, columns } = part;
    const budget = Math.max(20, Math.ceil(part.budget / windows.length));
    const labels = run.labels ?? null;
    const asked = windows.map((window) =>
      this.source.read({ runId: run.id, metric, labels, window, budget, columns }, { keep: run.running !== true, signal: stop.signal }),
    );
    void Promise.all(asked).then((results) => {
      if (stop.signal.aborted || this.closed) return;
      const found: Buckets[] = [];
      part.error = null;
      for (const result of results) {
        if (result.ok) found.push(result.data);
        else part.error = result.error;
      }
      if (part.error === null) part.buckets = joined(found);
      if (part.buckets !== null && run.running === true) this.follow(part);
      this.later();
    });
  }

  private follow(part: Part): void {
    part.unfollow?.();
    const { run, metric, windows } = part;
    const last = part.buckets?.lastStep.at(-1) ?? null;
    const known: readonly [number, number] | null = last === null ? null : [last, part.buckets?.lastTime.at(-1) ?? 0];
    const one: Followed = {
      runId: run.id,
      metric,
      labels: run.labels ?? null,
      since: "",
      minStep: last,
      take: (points, first) => this.take(part, within(points, windows), first ? known : null),
    };
    part.unfollow = this.live.follow(one);
  }

  private take(part: Part, points: Points, known: readonly [number, number] | null): void {
    if (points.steps.length === 0 || part.buckets === null) return;
    const before = part.buckets;
    part.buckets = merged(before, points, known);
    if (part.buckets.count.length > 1.5 * part.budget + 50) {
      part.unfollow?.();
      part.unfollow = null;
      this.load(part);
    }
    this.later();
  }

  /**
   * What comes in the same answer is told once, and with what it brings to other cards, so that all of them are drawn in
   * one frame. New wholes may bring new windows.
   */
  private later(): void {
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      if (this.wish !== null && !this.closed) this.want(this.wish);
    });
  }

  private tell(): void {
    if (this.wish === null) return;
    const { wish } = this;
    const held = wish.runs.map((run) => this.heldOf(run, wish));
    const error = [...this.parts.values()].find((part) => part.error !== null)?.error ?? null;
    const loading = error === null && held.some((each) => each === null || each.loading);
    this.changed({ held: held.filter((each) => each !== null), loading, error });
  }

  private heldOf(run: Shown, wish: Wish): (Held & { loading: boolean }) | null {
    const { settings, zoom, budget } = wish;
    const coarse = this.pair(run, wish, WHOLE, budget);
    const whole = coarse.detail;
    if (whole === null) return null;
    const windows = windowsOf(whole, run, settings, zoom, coarse.along);
    const fine = windows === null ? coarse : this.pair(run, wish, windows, zoom === null ? budget : 2 * budget);
    const key = keyOf(run);
    if (fine.detail !== null && fine.complete) {
      this.drawn.set(key, { detail: fine.detail, along: fine.along });
      return { run, whole, detail: fine.detail, along: fine.along, loading: false };
    }
    // What was drawn stays until the new is there: no flash of coarser lines.
    const { detail, along } = this.drawn.get(key) ?? { detail: whole, along: coarse.along };
    return { run, whole, detail, along, loading: true };
  }

  /** A run's buckets in some windows, and those of the metric along the bottom. */
  private pair(run: Shown, { metric, settings, budget: coarse }: Wish, windows: readonly Window[], budget: number) {
    const columns = columnsOf(run, settings);
    const of = (line: Shown, name: string) => this.parts.get(nameOf(line, name, windows, budget, columns))?.buckets ?? null;
    const joins = settings.x === "metric" && settings.xMetric !== "";
    const along = joins ? of(this.beside(run, settings, coarse), settings.xMetric) : null;
    const detail = of(run, metric);
    return { detail, along, complete: detail !== null && (!joins || along !== null) };
  }
}

const WHOLE: readonly Window[] = [{}];

/** The metric that runs along the bottom and is read beside a card's own; null where there is none. */
function alongOf(metric: string, { x, xMetric }: ChartSettings): string | null {
  return x === "metric" && xMetric !== "" && xMetric !== metric ? xMetric : null;
}

function nameOf(run: Shown, metric: string, windows: readonly Window[], budget: number, columns: readonly Asked[]): string {
  return JSON.stringify([keyOf(run), run.running === true, metric, windows, budget, columns]);
}

/** First times are drawn on axes of time, and relative times count from one where the run's start is not known. */
function columnsOf(run: Shown, { x, line }: ChartSettings): readonly Asked[] {
  const times = x === "wall" || x === "relative_time" || (run.startTimeUs ?? null) === null;
  return columnsFor({ times, last: line === "last" });
}

function drop(part: Part): void {
  part.stop.abort();
  part.unfollow?.();
}

/** The points that lie in one of the windows. */
function within(points: Points, windows: readonly Window[]): Points {
  const inside = (low: number | null | undefined, at: number, high: number | null | undefined) =>
    at >= (low ?? -Infinity) && at <= (high ?? Infinity);
  const rows = points.steps.flatMap((step, row) => {
    const time = points.times_us[row] ?? 0;
    const fits = windows.some((w) => inside(w.min_step, step, w.max_step) && inside(w.min_time_us, time, w.max_time_us));
    return fits ? [row] : [];
  });
  if (rows.length === points.steps.length) return points;
  const marks = points.non_finite.values;
  const words = new Map(marks?.at.map((row, at) => [row, marks.value[at] ?? "NaN"]));
  const kept = rows.flatMap((row, at) => (words.has(row) ? [{ at, value: words.get(row) ?? "NaN" }] : []));
  return {
    steps: rows.map((row) => points.steps[row] ?? 0),
    times_us: rows.map((row) => points.times_us[row] ?? 0),
    values: rows.map((row) => points.values[row] ?? null),
    non_finite: { values: { at: kept.map((each) => each.at), value: kept.map((each) => each.value) } },
  };
}

// From buckets to what is drawn: x by the chosen axis, y smoothed or raw, the band, and the marks of what is not finite.

import { at, type Buckets } from "./buckets";
import { joinedX } from "./join";
import type { ChartSettings } from "./settings";
import { smoothed } from "./smoothing";

export const NAN = 0;
export const POS_INF = 1;
export const NEG_INF = 2;
/** Not above 0 on a logarithmic y axis. */
export const NOT_POSITIVE = 3;

export interface Line {
  key: string;
  name: string;
  ink: string;
  dash: readonly number[];
  /** Rising. */
  x: Float64Array;
  /** What the line goes through; NaN is a gap. */
  y: Float64Array;
  /** Faint behind a smoothed line. */
  raw: Float64Array | null;
  /** The band; null where every bucket is one point. */
  low: Float64Array | null;
  high: Float64Array | null;
  /** Where its points begin and end: a bucket's x is the middle of its points. */
  least: number;
  greatest: number;
  marks: Marks;
  /** The buckets and, for each row of x, which of them it is; null for lines that are no series of a run. */
  source: Buckets | null;
  rows: Int32Array | null;
  /** Microseconds from which relative time counts. */
  origin: number;
  /** How many points the x axis has no place for. */
  lost: number;
}

/** Equally long columns: where, and which of the kinds above. `counts` has the sum for each kind. */
export interface Marks {
  x: Float64Array;
  kind: Uint8Array;
  counts: readonly [nans: number, posInfs: number, negInfs: number, notPositive: number];
}

export interface Drawn {
  key: string;
  name: string;
  ink: string;
  dash: readonly number[];
  buckets: Buckets;
  /** All there is, coarser: it says the extent by which smoothing measures. */
  whole: Buckets;
  startTimeUs: number | null;
  /** The metric that runs along the bottom, where one does. */
  along: Buckets | null;
}

export function lineOf(of: Drawn, settings: ChartSettings): Line {
  const { buckets } = of;
  const origin = of.startTimeUs ?? of.whole.firstTime[0] ?? buckets.firstTime[0] ?? 0;
  const count = countOf(of, settings, origin);
  const places = placesOf(of, count);
  const rows = order(places, settings.logX);
  const take = (column: Float64Array) => taken(column, rows);
  const x = take(places);
  const value = take(lineValues(buckets, settings.line));
  const sampled = buckets.count.some((count) => count > 1);
  const [least, greatest] = ends(buckets, count, x);
  const by = { method: settings.method, weight: settings.smoothing };
  const span = spanOf(of.whole, count, x);
  const soft = smoothed(x, value, sampled ? take(buckets.count) : null, span, by);
  const softened = soft !== value;
  return {
    key: of.key,
    name: of.name,
    ink: of.ink,
    dash: of.dash,
    x,
    y: soft,
    raw: softened ? value : null,
    low: sampled ? take(buckets.low) : null,
    high: sampled ? take(buckets.high) : null,
    least,
    greatest,
    marks: marksOf(buckets, rows, x, value, settings.logY),
    source: buckets,
    rows,
    origin,
    lost: buckets.count.length - rows.length,
  };
}

function lineValues(buckets: Buckets, line: ChartSettings["line"]): Float64Array {
  if (line === "mean") return buckets.mean;
  return buckets.last.map((value, row) => (Number.isNaN(value) ? (buckets.mean[row] ?? NaN) : value));
}

/** What an axis counts, from where, in which unit; null for an axis of another metric. */
function countOf(of: Drawn, { x }: ChartSettings, origin: number): Count | null {
  const first = of.whole.firstStep[0] ?? of.buckets.firstStep[0] ?? 0;
  if (x === "metric") return null;
  if (x === "step" || x === "relative_step") return { first: "firstStep", last: "lastStep", from: x === "step" ? 0 : first, unit: 1 };
  return { first: "firstTime", last: "lastTime", from: x === "wall" ? 0 : origin, unit: 1e6 };
}

interface Count {
  first: "firstStep" | "firstTime";
  last: "lastStep" | "lastTime";
  from: number;
  unit: number;
}

/** The middle of each bucket's points on the axis; exact where it holds one. */
function placesOf({ buckets, along }: Drawn, count: Count | null): Float64Array {
  if (count === null) return along === null ? new Float64Array(buckets.count.length).fill(NaN) : joinedX(buckets, along);
  const last = buckets[count.last];
  return buckets[count.first].map((first, row) => ((first - count.from) / 2 + (at(last, row) - count.from) / 2) / count.unit);
}

/** The cells of the rows; the column itself where they are all of it as it stands. */
function taken(column: Float64Array, rows: Int32Array): Float64Array {
  const same = rows.length === column.length && rows.every((row, to) => row === to);
  if (same) return column;
  const found = new Float64Array(rows.length);
  for (let to = 0; to < rows.length; to++) found[to] = at(column, rows[to] ?? -1);
  return found;
}

/** The rows that have a place, from left to right. */
function order(places: Float64Array, log: boolean): Int32Array {
  const rows = new Int32Array(places.length);
  let size = 0;
  let rising = true;
  let before = -Infinity;
  for (let row = 0; row < places.length; row++) {
    const place = at(places, row);
    if (Number.isNaN(place) || (log && place <= 0)) continue;
    rows[size++] = row;
    if (place < before) rising = false;
    before = place;
  }
  const found = rows.subarray(0, size);
  return rising ? found : found.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || a - b);
}

/** Where the first and the last point are. */
function ends(buckets: Buckets, count: Count | null, x: Float64Array): [number, number] {
  const [first, last] = [x[0] ?? Infinity, x.at(-1) ?? -Infinity];
  if (count === null || buckets.count.length === 0) return [first, last];
  const place = (given: number) => (given - count.from) / count.unit;
  const row = buckets.count.length - 1;
  return [Math.min(first, place(at(buckets[count.first], 0))), Math.max(last, place(at(buckets[count.last], row)))];
}

/** How long the whole series is on the axis. */
function spanOf(whole: Buckets, count: Count | null, x: Float64Array): number {
  const row = whole.count.length - 1;
  if (count === null || row < 0) return (x.at(-1) ?? 0) - (x[0] ?? 0);
  return (at(whole[count.last], row) - at(whole[count.first], 0)) / count.unit;
}

function marksOf(buckets: Buckets, rows: Int32Array, x: Float64Array, value: Float64Array, logY: boolean): Marks {
  const places: number[] = [];
  const kinds: number[] = [];
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  const mark = (place: number, kind: 0 | 1 | 2 | 3, count: number) => {
    if (count === 0) return;
    places.push(place);
    kinds.push(kind);
    counts[kind] += count;
  };
  rows.forEach((row, to) => {
    const place = at(x, to);
    mark(place, NAN, at(buckets.nans, row));
    mark(place, POS_INF, at(buckets.posInfs, row));
    mark(place, NEG_INF, at(buckets.negInfs, row));
    if (logY && (at(value, to) <= 0 || at(buckets.low, row) <= 0)) mark(place, NOT_POSITIVE, 1);
  });
  return { x: Float64Array.from(places), kind: Uint8Array.from(kinds), counts };
}

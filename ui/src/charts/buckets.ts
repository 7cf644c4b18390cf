// Aggregates of neighbouring points of one series, as typed columns: what the server answers, and what live points add.
// How they are drawn is told elsewhere.

import type { components } from "../api/schema";

export type Points = components["schemas"]["PointColumns"];

/** Equally long columns in key order (step, time). Values are NaN where a bucket holds no finite number. */
export interface Buckets {
  readonly count: Float64Array;
  readonly firstStep: Float64Array;
  readonly lastStep: Float64Array;
  /** Microseconds. */
  readonly firstTime: Float64Array;
  readonly lastTime: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly mean: Float64Array;
  readonly last: Float64Array;
  readonly nans: Float64Array;
  readonly posInfs: Float64Array;
  readonly negInfs: Float64Array;
}

export type Asked = NonNullable<components["schemas"]["BucketsRequest"]["columns"]>[number];

/** Each column and what the server calls it. */
export const NAMES: readonly (readonly [keyof Buckets, Asked])[] = [
  ["count", "count"],
  ["firstStep", "first_step"],
  ["lastStep", "last_step"],
  ["firstTime", "first_time_us"],
  ["lastTime", "last_time_us"],
  ["low", "min_value"],
  ["high", "max_value"],
  ["mean", "mean"],
  ["last", "last_value"],
  ["nans", "nan_count"],
  ["posInfs", "pos_inf_count"],
  ["negInfs", "neg_inf_count"],
];

/** What to ask for. Without the first times or the last values an answer is a seventh smaller each. */
export function columnsFor({ times, last }: { times: boolean; last: boolean }): readonly Asked[] {
  return NAMES.map(([, name]) => name).filter((name) => (times || name !== "first_time_us") && (last || name !== "last_value"));
}

/** A cell; NaN outside. */
export function at(column: Float64Array, row: number): number {
  return column[row] ?? NaN;
}

export type Columns = { -readonly [K in keyof Buckets]: Float64Array };

export function columnsOf(make: (name: keyof Buckets, asked: Asked) => Float64Array): Columns {
  const found: Partial<Columns> = {};
  for (const [name, asked] of NAMES) found[name] = make(name, asked);
  return found as Columns;
}

function numbers(column: readonly (number | null)[] | undefined): Float64Array {
  const given = column ?? [];
  const found = new Float64Array(given.length);
  for (let row = 0; row < given.length; row++) found[row] = given[row] ?? NaN;
  return found;
}

export const NO_BUCKETS: Buckets = columnsOf(() => new Float64Array(0));

/** Buckets of neighbouring windows, one after another. */
export function joined(parts: readonly Buckets[]): Buckets {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const size = parts.reduce((sum, part) => sum + part.count.length, 0);
  return columnsOf((name) => {
    const whole = new Float64Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part[name], at);
      at += part[name].length;
    }
    return whole;
  });
}

export interface Tally {
  points: number;
  buckets: number;
  /** Whether a bucket holds more than one point: what is drawn is not every point. */
  sampled: boolean;
  nans: number;
  posInfs: number;
  negInfs: number;
}

export function tally(all: readonly Buckets[]): Tally {
  const sum = { points: 0, buckets: 0, sampled: false, nans: 0, posInfs: 0, negInfs: 0 };
  for (const each of all) {
    sum.buckets += each.count.length;
    for (let row = 0; row < each.count.length; row++) {
      const count = each.count[row] ?? 0;
      sum.points += count;
      if (count > 1) sum.sampled = true;
      sum.nans += each.nans[row] ?? 0;
      sum.posInfs += each.posInfs[row] ?? 0;
      sum.negInfs += each.negInfs[row] ?? 0;
    }
  }
  return sum;
}

/** The value of a row of points, infinities and NaN as they are. */
export function valuesOf(points: Points): Float64Array {
  const found = numbers(points.values);
  const marks = points.non_finite.values;
  marks?.at.forEach((row, at) => {
    const word = marks.value[at];
    found[row] = word === "Infinity" ? Infinity : word === "-Infinity" ? -Infinity : NaN;
  });
  return found;
}

/**
 * New points among the buckets: behind the end each is a bucket of its own; a late one joins the bucket that spans its
 * step, or stands between two. Points at or before `known` (step, time) are there already.
 */
export function merged(old: Buckets, points: Points, known: readonly [number, number] | null): Buckets {
  const values = valuesOf(points);
  const fresh: number[] = [];
  const columns = columnsOf((name) => old[name].slice());
  for (let row = 0; row < values.length; row++) {
    const step = points.steps[row] ?? 0;
    const time = points.times_us[row] ?? 0;
    if (known !== null && (step < known[0] || (step === known[0] && time <= known[1]))) continue;
    const into = spanning(columns, step);
    if (into < 0) fresh.push(row);
    else absorb(columns, into, time, values[row] ?? NaN);
  }
  return fresh.length === 0 ? columns : inserted(columns, points, values, fresh);
}

/** The bucket of several points whose steps span `step`, or -1. */
function spanning(columns: Columns, step: number): number {
  const row = lowerBound(columns.lastStep, step);
  const inside = row < columns.count.length && (columns.firstStep[row] ?? 0) <= step;
  return inside && (columns.count[row] ?? 0) > 1 && (columns.lastStep[row] ?? 0) > step ? row : -1;
}

function absorb(columns: Columns, row: number, time: number, value: number): void {
  const { low, high, mean } = columns;
  const finite = at(columns.count, row) - at(columns.nans, row) - at(columns.posInfs, row) - at(columns.negInfs, row);
  columns.count[row] = at(columns.count, row) + 1;
  columns.lastTime[row] = Math.max(at(columns.lastTime, row), time);
  if (!Number.isFinite(value)) {
    const kind = value === Infinity ? columns.posInfs : value === -Infinity ? columns.negInfs : columns.nans;
    kind[row] = at(kind, row) + 1;
  } else {
    mean[row] = finite === 0 ? value : at(mean, row) + (value - at(mean, row)) / (finite + 1);
    low[row] = finite === 0 ? value : Math.min(at(low, row), value);
    high[row] = finite === 0 ? value : Math.max(at(high, row), value);
  }
}

/** The points at `rows` as buckets of their own among the others, sorted by step and time. */
function inserted(columns: Columns, points: Points, values: Float64Array, rows: readonly number[]): Buckets {
  const single = columnsOf(() => new Float64Array(rows.length));
  const sorted = [...rows].sort(
    (a, b) => (points.steps[a] ?? 0) - (points.steps[b] ?? 0) || (points.times_us[a] ?? 0) - (points.times_us[b] ?? 0),
  );
  sorted.forEach((row, to) => {
    const value = values[row] ?? NaN;
    const finite = Number.isFinite(value) ? value : NaN;
    single.count[to] = 1;
    single.firstStep[to] = single.lastStep[to] = points.steps[row] ?? 0;
    single.firstTime[to] = single.lastTime[to] = points.times_us[row] ?? 0;
    single.low[to] = single.high[to] = single.mean[to] = single.last[to] = finite;
    single.nans[to] = Number.isNaN(value) ? 1 : 0;
    single.posInfs[to] = value === Infinity ? 1 : 0;
    single.negInfs[to] = value === -Infinity ? 1 : 0;
  });
  const end = columns.lastStep.at(-1) ?? -Infinity;
  if ((single.firstStep[0] ?? 0) >= end) return joined([columns, single]);
  return interleaved(columns, single);
}

function interleaved(a: Buckets, b: Buckets): Buckets {
  const size = a.count.length + b.count.length;
  const from = new Int32Array(size);
  for (let at = 0, i = 0, j = 0; at < size; at++) {
    const takeA = j >= b.count.length || (i < a.count.length && (a.firstStep[i] ?? 0) <= (b.firstStep[j] ?? 0));
    from[at] = takeA ? i++ : -1 - j++;
  }
  return columnsOf((name) => {
    const whole = new Float64Array(size);
    for (let at = 0; at < size; at++) {
      const row = from[at] ?? 0;
      whole[at] = (row >= 0 ? a[name][row] : b[name][-1 - row]) ?? NaN;
    }
    return whole;
  });
}

/** The first row whose value is not below `target`; the length where all are. The column rises. */
export function lowerBound(column: Float64Array, target: number): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((column[middle] ?? 0) < target) low = middle + 1;
    else high = middle;
  }
  return low;
}

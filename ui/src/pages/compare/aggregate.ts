// One curve for a group of runs: every run on one grid of steps, then a middle and a spread over the runs of each cell.

import { at, type Buckets } from "../../charts/buckets";

export type Middle = "mean" | "median";
export type Spread = "range" | "std" | "ci" | "none";

/** Equally wide cells of steps. */
export interface Grid {
  first: number;
  width: number;
  cells: number;
}

/** Cells of the x axis; where there are fewer steps than that, each step is a cell. */
export const MOST_CELLS = 300;

export interface Curve {
  /** The middle of each cell that any run reaches. */
  x: Float64Array;
  y: Float64Array;
  /** The band; null without. */
  low: Float64Array | null;
  high: Float64Array | null;
  /** How many runs are in each cell, and at most. */
  runs: Float64Array;
  most: number;
}

export function gridOf(all: readonly Buckets[]): Grid | null {
  let [first, last] = [Infinity, -Infinity];
  for (const each of all) {
    if (each.count.length === 0) continue;
    first = Math.min(first, at(each.firstStep, 0));
    last = Math.max(last, at(each.lastStep, each.count.length - 1));
  }
  if (first > last) return null;
  const width = Math.max(1, Math.ceil((last - first + 1) / MOST_CELLS));
  return { first, width, cells: Math.floor((last - first) / width) + 1 };
}

interface Row {
  value: Float64Array;
  low: Float64Array;
  high: Float64Array;
}

/**
 * A run on the grid. A cell has the mean of its points; a cell between two others that has none lies on the line
 * between them; before the run's first and after its last point there is nothing (NaN). No extreme is lost.
 */
export function aligned(buckets: Buckets, grid: Grid): Row {
  const sum = new Float64Array(grid.cells);
  const weight = new Float64Array(grid.cells);
  const low = new Float64Array(grid.cells).fill(NaN);
  const high = new Float64Array(grid.cells).fill(NaN);
  const cellOf = (step: number) => Math.floor((step - grid.first) / grid.width);
  for (let row = 0; row < buckets.count.length; row++) {
    const mean = at(buckets.mean, row);
    if (Number.isNaN(mean)) continue;
    const [from, to] = [cellOf(at(buckets.firstStep, row)), cellOf(at(buckets.lastStep, row))];
    const middle = Math.floor((from + to) / 2);
    const finite = at(buckets.count, row) - at(buckets.nans, row) - at(buckets.posInfs, row) - at(buckets.negInfs, row);
    weight[middle] = at(weight, middle) + finite;
    sum[middle] = at(sum, middle) + (mean - at(sum, middle)) * (finite / at(weight, middle));
    for (let cell = from; cell <= to; cell++) {
      low[cell] = Math.min(Number.isNaN(at(low, cell)) ? Infinity : at(low, cell), at(buckets.low, row));
      high[cell] = Math.max(Number.isNaN(at(high, cell)) ? -Infinity : at(high, cell), at(buckets.high, row));
    }
  }
  return { value: between(sum, weight, low), low, high };
}

/** Means, and values on the line between two where a cell within the run has none. */
function between(sum: Float64Array, weight: Float64Array, low: Float64Array): Float64Array {
  const value = new Float64Array(sum.length).fill(NaN);
  let before = -1;
  for (let cell = 0; cell < sum.length; cell++) {
    if (at(weight, cell) === 0) continue;
    value[cell] = at(sum, cell);
    for (let gap = before + 1; before >= 0 && gap < cell; gap++) {
      value[gap] = at(sum, before) + ((at(sum, cell) - at(sum, before)) * (gap - before)) / (cell - before);
    }
    // A bucket may begin some cells before its middle.
    for (let edge = cell - 1; before < 0 && edge >= 0 && !Number.isNaN(at(low, edge)); edge--) value[edge] = at(sum, cell);
    before = cell;
  }
  for (let edge = before + 1; before >= 0 && edge < sum.length && !Number.isNaN(at(low, edge)); edge++) value[edge] = at(sum, before);
  return value;
}

export function curveOf(runs: readonly Buckets[], grid: Grid, middle: Middle, spread: Spread): Curve {
  const rows = runs.map((each) => aligned(each, grid));
  const x: number[] = [];
  const y: number[] = [];
  const lows: number[] = [];
  const highs: number[] = [];
  const counts: number[] = [];
  for (let cell = 0; cell < grid.cells; cell++) {
    const there = rows.filter((row) => !Number.isNaN(at(row.value, cell)));
    if (there.length === 0) continue;
    const values = there.map((row) => at(row.value, cell));
    x.push(grid.first + cell * grid.width + (grid.width - 1) / 2);
    y.push(middle === "mean" ? meanOf(values) : medianOf(values));
    counts.push(there.length);
    if (spread === "none") continue;
    const [low, high] = spread === "range" ? rangeOf(there, values, cell) : around(values, spread);
    lows.push(low);
    highs.push(high);
  }
  const band = spread === "none" ? null : Float64Array.from(lows);
  return {
    x: Float64Array.from(x),
    y: Float64Array.from(y),
    low: band,
    high: band === null ? null : Float64Array.from(highs),
    runs: Float64Array.from(counts),
    most: counts.reduce((most, count) => Math.max(most, count), 0),
  };
}

/** The least and the greatest point of any run in a cell. */
function rangeOf(rows: readonly Row[], values: readonly number[], cell: number): [number, number] {
  const known = (numbers: number[]) => numbers.filter((number) => !Number.isNaN(number));
  return [Math.min(...values, ...known(rows.map((row) => at(row.low, cell)))), Math.max(...values, ...known(rows.map((row) => at(row.high, cell))))];
}

/** Mean and standard deviation, or mean and the interval in which the true mean lies with 95 %. */
function around(values: readonly number[], spread: "std" | "ci"): [number, number] {
  const mean = meanOf(values);
  if (values.length < 2) return [mean, mean];
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  const reach = spread === "std" ? std : (student(values.length - 1) * std) / Math.sqrt(values.length);
  return [mean - reach, mean + reach];
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((mean, value, before) => mean + (value - mean) / (before + 1), 0);
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (sorted[half - 1] ?? NaN) / 2 + upper / 2;
}

const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** The 97.5 % quantile of Student's t. Cornish-Fisher's expansion beyond ten degrees of freedom: right to 0.001. */
export function student(freedom: number): number {
  const z = 1.959964;
  const known = STUDENT[freedom - 1];
  return known ?? z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

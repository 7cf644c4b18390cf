// One curve for a group of runs: every run on one grid of steps, then a middle and a spread over the runs of each cell.

import { at, type Buckets } from "../../charts/buckets";
import { NAN, NEG_INF, POS_INF, type Marks } from "../../charts/lines";
import type { Reach } from "../../charts/window";

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
  /** The middle of each cell, from the first that any run reaches to the last. */
  x: Float64Array;
  /** NaN where no run is. */
  y: Float64Array;
  /** The band; null without. */
  low: Float64Array | null;
  high: Float64Array | null;
  /** How many runs are in each cell, and at most. */
  runs: Float64Array;
  most: number;
  /** The values of any run that are not finite, and so in no middle and no spread. */
  marks: Marks;
}

/** The cells for all that there is, or for what the zoom shows and half of it on either side. */
export function gridOf(all: readonly Buckets[], zoom: Reach | null = null): Grid | null {
  let [first, last] = [Infinity, -Infinity];
  for (const each of all) {
    if (each.count.length === 0) continue;
    first = Math.min(first, at(each.firstStep, 0));
    last = Math.max(last, at(each.lastStep, each.count.length - 1));
  }
  const aside = zoom === null ? 0 : (zoom.max - zoom.min) / 2;
  if (zoom !== null) [first, last] = [Math.max(first, Math.floor(zoom.min - aside)), Math.min(last, Math.ceil(zoom.max + aside))];
  if (first > last) return null;
  const width = Math.max(1, Math.ceil((last - first + 1) / (zoom === null ? MOST_CELLS : 2 * MOST_CELLS)));
  return { first, width, cells: Math.floor((last - first) / width) + 1 };
}

interface Row {
  value: Float64Array;
  low: Float64Array;
  high: Float64Array;
}

/**
 * A run on the grid. A cell has the mean of its points; a cell between two others that has none lies on the line
 * between them; before the run's first and after its last point there is nothing (NaN). No extreme is lost. Of the
 * points outside the grid the nearest on either side say how the run comes in and goes out.
 */
export function aligned(buckets: Buckets, grid: Grid): Row {
  const row: Row = { value: new Float64Array(0), low: new Float64Array(grid.cells).fill(NaN), high: new Float64Array(grid.cells).fill(NaN) };
  const sum = new Float64Array(grid.cells);
  const weight = new Float64Array(grid.cells);
  let before: Place | null = null;
  let after: Place | null = null;
  const cellOf = (step: number) => Math.floor((step - grid.first) / grid.width);
  for (let nth = 0; nth < buckets.count.length; nth++) {
    const mean = at(buckets.mean, nth);
    if (Number.isNaN(mean)) continue;
    const [from, to] = [cellOf(at(buckets.firstStep, nth)), cellOf(at(buckets.lastStep, nth))];
    const middle = Math.floor((from + to) / 2);
    if (middle < 0) before = { cell: middle, value: mean };
    if (middle >= grid.cells) after ??= { cell: middle, value: mean };
    if (middle >= 0 && middle < grid.cells) {
      const finite = at(buckets.count, nth) - at(buckets.nans, nth) - at(buckets.posInfs, nth) - at(buckets.negInfs, nth);
      weight[middle] = at(weight, middle) + finite;
      sum[middle] = at(sum, middle) + (mean - at(sum, middle)) * (finite / at(weight, middle));
    }
    widen(row, from, to, at(buckets.low, nth), at(buckets.high, nth));
  }
  return { ...row, value: between(sum, weight, row.low, before, after) };
}

/** The cells of the grid from one to another hold these extremes, too. */
function widen({ low, high }: Row, from: number, to: number, least: number, greatest: number): void {
  for (let cell = Math.max(0, from); cell <= Math.min(to, low.length - 1); cell++) {
    low[cell] = Math.min(Number.isNaN(at(low, cell)) ? Infinity : at(low, cell), least);
    high[cell] = Math.max(Number.isNaN(at(high, cell)) ? -Infinity : at(high, cell), greatest);
  }
}

/** A cell of the grid or one outside, and what a run is there. */
interface Place {
  cell: number;
  value: number;
}

/** Means, and values on the line between two where a cell within the run has none. */
function between(sum: Float64Array, weight: Float64Array, low: Float64Array, outside: Place | null, after: Place | null): Float64Array {
  const value = new Float64Array(sum.length).fill(NaN);
  let before = outside;
  const goTo = (next: Place) => {
    for (let gap = Math.max(0, (before?.cell ?? next.cell) + 1); before !== null && gap < Math.min(next.cell, sum.length); gap++) {
      value[gap] = before.value + ((next.value - before.value) * (gap - before.cell)) / (next.cell - before.cell);
    }
    before = next;
  };
  for (let cell = 0; cell < sum.length; cell++) {
    if (at(weight, cell) === 0) continue;
    const first = before === null;
    goTo({ cell, value: at(sum, cell) });
    value[cell] = at(sum, cell);
    // A bucket may begin some cells before its middle.
    for (let edge = cell - 1; first && edge >= 0 && !Number.isNaN(at(low, edge)); edge--) value[edge] = at(sum, cell);
  }
  if (after !== null) goTo(after);
  else if (before !== null) for (let edge = Math.max(0, before.cell + 1); edge < sum.length && !Number.isNaN(at(low, edge)); edge++) value[edge] = before.value;
  return value;
}

/** How many values of the runs are not finite in each cell, by kind. */
function oddOf(runs: readonly Buckets[], grid: Grid): readonly [nans: Float64Array, posInfs: Float64Array, negInfs: Float64Array] {
  const found = [new Float64Array(grid.cells), new Float64Array(grid.cells), new Float64Array(grid.cells)] as const;
  for (const run of runs) {
    [run.nans, run.posInfs, run.negInfs].forEach((counts, kind) =>
      counts.forEach((count, row) => {
        if (count === 0) return;
        const cell = Math.floor(((at(run.firstStep, row) + at(run.lastStep, row)) / 2 - grid.first) / grid.width);
        const cells = found[kind];
        if (cells !== undefined && cell >= 0 && cell < grid.cells) cells[cell] = at(cells, cell) + count;
      }),
    );
  }
  return found;
}

function marksOf([nans, posInfs, negInfs]: ReturnType<typeof oddOf>, xOf: (cell: number) => number): Marks {
  const places: number[] = [];
  const kinds: number[] = [];
  const mark = (counts: Float64Array, kind: number) =>
    counts.reduce((sum, count, cell) => {
      if (count > 0) {
        places.push(xOf(cell));
        kinds.push(kind);
      }
      return sum + count;
    }, 0);
  const counts = [mark(nans, NAN), mark(posInfs, POS_INF), mark(negInfs, NEG_INF), 0] as const;
  return { x: Float64Array.from(places), kind: Uint8Array.from(kinds), counts };
}

export function curveOf(runs: readonly Buckets[], grid: Grid, middle: Middle, spread: Spread): Curve {
  const rows = runs.map((each) => aligned(each, grid));
  const odd = oddOf(runs, grid);
  const xOf = (cell: number) => grid.first + cell * grid.width + (grid.width - 1) / 2;
  const reached = (cell: number) => odd.some((counts) => at(counts, cell) > 0) || rows.some((row) => !Number.isNaN(at(row.value, cell)));
  let [begin, end] = [0, grid.cells];
  while (begin < end && !reached(begin)) begin++;
  while (end > begin && !reached(end - 1)) end--;
  const [x, y, low, high, counts] = [0, 1, 2, 3, 4].map(() => new Float64Array(end - begin).fill(NaN)) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  for (let cell = begin; cell < end; cell++) {
    const there = rows.filter((row) => !Number.isNaN(at(row.value, cell)));
    const values = there.map((row) => at(row.value, cell));
    const to = cell - begin;
    x[to] = xOf(cell);
    counts[to] = there.length;
    if (there.length === 0) continue;
    y[to] = middle === "mean" ? meanOf(values) : medianOf(values);
    if (spread !== "none") [low[to], high[to]] = spread === "range" ? rangeOf(there, values, cell) : around(values, spread);
  }
  const banded = spread !== "none";
  const most = counts.reduce((greatest, count) => Math.max(greatest, count), 0);
  return { x, y, low: banded ? low : null, high: banded ? high : null, runs: counts, most, marks: marksOf(odd, xOf) };
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

// Made-up series for tests: buckets as the server makes them, and a pen that remembers.

import { columnsOf, NO_BUCKETS, type Buckets } from "./buckets";
import { lineOf, type Line } from "./lines";
import type { Pen } from "./paths";
import { DEFAULTS, type ChartSettings } from "./settings";

/** Buckets with these columns; the others are zeros. */
export function bucketsWith(given: Partial<Record<keyof Buckets, readonly number[]>>): Buckets {
  const size = Math.max(0, ...Object.values(given).map((column) => column.length));
  return columnsOf((name) => Float64Array.from(given[name] ?? new Array<number>(size).fill(0)));
}

/** Equally full buckets of the values at steps 0, 1, 2...; times count seconds from 1,000,000 s. */
export function bucketed(values: ArrayLike<number>, budget: number, steps?: ArrayLike<number>): Buckets {
  const size = Math.min(budget, values.length);
  const columns = Object.fromEntries(Object.keys(NO_BUCKETS).map((name) => [name, new Float64Array(size)])) as unknown as Record<
    keyof Buckets,
    Float64Array
  >;
  for (let row = 0; row < size; row++) {
    const begin = Math.floor((row * values.length) / size);
    const end = Math.floor(((row + 1) * values.length) / size);
    fill(columns, row, values, begin, end, steps);
  }
  return columns;
}

function fill(columns: Record<keyof Buckets, Float64Array>, row: number, values: ArrayLike<number>, begin: number, end: number, steps?: ArrayLike<number>): void {
  const inside = Array.from({ length: end - begin }, (_, n) => values[begin + n] ?? NaN);
  const finite = inside.filter(Number.isFinite);
  const count = (what: (value: number) => boolean) => inside.filter(what).length;
  const last = inside.at(-1) ?? NaN;
  const cells: Record<keyof Buckets, number> = {
    count: inside.length,
    firstStep: steps?.[begin] ?? begin,
    lastStep: steps?.[end - 1] ?? end - 1,
    firstTime: (1e6 + begin) * 1e6,
    lastTime: (1e6 + end - 1) * 1e6,
    low: finite.length > 0 ? finite.reduce((a, b) => Math.min(a, b)) : NaN,
    high: finite.length > 0 ? finite.reduce((a, b) => Math.max(a, b)) : NaN,
    mean: finite.reduce((a, b) => a + b, 0) / finite.length,
    last: Number.isFinite(last) ? last : NaN,
    nans: count(Number.isNaN),
    posInfs: count((value) => value === Infinity),
    negInfs: count((value) => value === -Infinity),
  };
  for (const [name, cell] of Object.entries(cells)) columns[name as keyof Buckets][row] = cell;
}

/** `whole`: all of the series of which `buckets` are a window. */
export function drawnLine(buckets: Buckets, settings: Partial<ChartSettings> = {}, along: Buckets | null = null, whole = buckets): Line {
  const style = { key: "run", name: "run", ink: "#000000", dash: [] };
  return lineOf({ ...style, buckets, whole, startTimeUs: null, along }, { ...DEFAULTS, ...settings });
}

export class RememberingPen implements Pen {
  readonly points: [x: number, y: number][] = [];
  closed = 0;
  /** How many strokes began. */
  moves = 0;

  moveTo(x: number, y: number): void {
    this.moves++;
    this.points.push([x, y]);
  }

  lineTo(x: number, y: number): void {
    this.points.push([x, y]);
  }

  closePath(): void {
    this.closed++;
  }
}


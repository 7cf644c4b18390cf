// From numbers to places: linear and logarithmic scales, and the range that what is visible needs.

import { lowerBound } from "./buckets";
import type { Line } from "./lines";

export interface Scale {
  min: number;
  max: number;
  log: boolean;
}

/** No axis goes further: the difference of two such ends is still a number. */
const FURTHEST = 8e307;

/** 0 at the scale's least, 1 at its greatest; outside beyond. NaN where a logarithm has no place. */
export function placeOf(value: number, { min, max, log }: Scale): number {
  if (!log) return (value - min) / (max - min);
  return value > 0 ? Math.log(value / min) / Math.log(max / min) : NaN;
}

export function valueAt(place: number, { min, max, log }: Scale): number {
  return log ? min * (max / min) ** place : min + place * (max - min);
}

export interface Extent {
  low: number;
  high: number;
}

const NOTHING: Extent = { low: Infinity, high: -Infinity };

/** The x of all lines, null where there is none. On a logarithmic axis only what is above 0. */
export function xExtent(lines: readonly Line[], log: boolean): Extent | null {
  let { low, high } = NOTHING;
  for (const line of lines) {
    const begin = log ? lowerBound(line.x, Number.MIN_VALUE) : 0;
    if (begin >= line.x.length) continue;
    low = Math.min(low, line.x[begin] ?? Infinity, !log || line.least > 0 ? line.least : Infinity);
    high = Math.max(high, line.x.at(-1) ?? -Infinity, line.greatest);
  }
  return low <= high ? { low, high } : null;
}

/** The x axis for an extent: as it is, or around the only x there is, or nearly: numbers have no twenty places in between. */
export function xScale(extent: Extent | null, log: boolean): Scale {
  if (extent === null) return log ? { min: 1, max: 10, log } : { min: 0, max: 1, log };
  const low = Math.max(-FURTHEST, extent.low);
  const high = Math.min(FURTHEST, extent.high);
  if (low < high && low + (high - low) * 0.05 !== low) return { min: low, max: high, log };
  if (log) return { min: low / 2, max: high * 2, log };
  const around = Math.max(0.5, Math.abs(low) * 1e-12);
  return { min: low - around, max: high + around, log };
}

interface YChoice {
  log: boolean;
  band: boolean;
  clip: boolean;
}

/** The y axis for what is visible between the ends of the x axis. `clipped` says how many line points fell outside. */
export function yScale(lines: readonly Line[], x: Scale, { log, band, clip }: YChoice): { scale: Scale; clipped: number } {
  const extent = clip ? inner(lines, x, log) : outer(lines, x, log, band);
  if (extent === null) return { scale: log ? { min: 1, max: 10, log } : { min: 0, max: 1, log }, clipped: 0 };
  const scale = padded(extent, log);
  return { scale, clipped: clip ? outside(lines, x, scale) : 0 };
}

/** The rows of a line that the x axis shows, and one on either side so that the curve runs to the edge. */
export function visible(line: Line, x: Scale, margin = 0): [begin: number, end: number] {
  const begin = lowerBound(line.x, x.min);
  let end = lowerBound(line.x, x.max);
  while (end < line.x.length && (line.x[end] ?? 0) <= x.max) end++;
  return [Math.max(0, begin - margin), Math.min(line.x.length, end + margin)];
}

function outer(lines: readonly Line[], x: Scale, log: boolean, band: boolean): Extent | null {
  let { low, high } = NOTHING;
  const see = (value: number) => {
    if (Number.isNaN(value) || (log && value <= 0)) return;
    if (value < low) low = value;
    if (value > high) high = value;
  };
  for (const line of lines) {
    const [begin, end] = visible(line, x);
    for (let row = begin; row < end; row++) {
      see(line.y[row] ?? NaN);
      if (line.raw !== null) see(line.raw[row] ?? NaN);
      if (band && line.low !== null && line.high !== null) {
        see(line.low[row] ?? NaN);
        see(line.high[row] ?? NaN);
      }
    }
  }
  return low <= high ? { low, high } : null;
}

/** From the 5th to the 95th percentile of all lines' visible points. */
function inner(lines: readonly Line[], x: Scale, log: boolean): Extent | null {
  const seen = Float64Array.from(
    lines.flatMap((line) => {
      const [begin, end] = visible(line, x);
      return [...line.y.subarray(begin, end)].filter((value) => !Number.isNaN(value) && (!log || value > 0));
    }),
  ).sort();
  if (seen.length === 0) return null;
  const at = (part: number) => seen[Math.round(part * (seen.length - 1))] ?? 0;
  return { low: at(0.05), high: at(0.95) };
}

function outside(lines: readonly Line[], x: Scale, y: Scale): number {
  let count = 0;
  for (const line of lines) {
    const [begin, end] = visible(line, x);
    for (let row = begin; row < end; row++) {
      const value = line.y[row] ?? NaN;
      if (value < y.min || value > y.max) count++;
    }
  }
  return count;
}

function padded({ low, high }: Extent, log: boolean): Scale {
  if (log) {
    const by = low < high ? (high / low) ** 0.05 : 1.5;
    const max = high * by;
    return { min: Math.max(low / by, Number.MIN_VALUE), max: Number.isFinite(max) ? max : high, log };
  }
  const least = Math.max(-FURTHEST, low);
  const most = Math.min(FURTHEST, high);
  const room = least < most ? (most - least) * 0.05 : Math.abs(least) * 0.1 || 1;
  return { min: least - room, max: most + room, log };
}

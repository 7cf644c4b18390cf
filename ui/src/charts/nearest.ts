// What is near the cursor: for each line the point of the nearest x, and what is told of it.

import { at, lowerBound } from "./buckets";
import type { Line } from "./lines";
import { placeOf, type Scale } from "./scale";

/** The row of a line nearest to an x value; of several at one x the last. Null for a line without points. */
export function nearestRow(line: Line, x: number, scale: Scale): number | null {
  const { length } = line.x;
  if (length === 0) return null;
  const right = lowerBound(line.x, x);
  if (right >= length) return length - 1;
  if (right === 0) return 0;
  const distance = (row: number) => Math.abs(placeOf(at(line.x, row), scale) - placeOf(x, scale));
  return distance(right - 1) < distance(right) ? right - 1 : right;
}

/** How high a line runs at an x value; NaN in gaps and beyond its ends. */
export function heightAt(line: Line, x: number): number {
  const right = lowerBound(line.x, x);
  const left = at(line.x, right) === x ? right : right - 1;
  const gap = at(line.x, right) - at(line.x, left);
  const part = gap > 0 ? (x - at(line.x, left)) / gap : 0;
  return at(line.y, left) + part * (at(line.y, right) - at(line.y, left));
}

/** What the tooltip says of one line. Times in microseconds; NaN where a line is no series of a run. */
export interface Told {
  key: string;
  name: string;
  ink: string;
  dash: readonly number[];
  x: number;
  /** Of the bucket's points: what the line goes through, unsmoothed. */
  raw: number;
  /** Null where nothing is smoothed. */
  smooth: number | null;
  low: number;
  high: number;
  points: number;
  firstStep: number;
  lastStep: number;
  time: number;
  relative: number;
  /** "NaN", "+Inf ×2": what else the bucket holds. */
  others: string;
}

/** All lines at an x value: greatest first, those without a number last. */
export function toldAt(lines: readonly Line[], x: number, scale: Scale): Told[] {
  const found = lines.flatMap((line) => {
    const row = nearestRow(line, x, scale);
    return row === null ? [] : [told(line, row)];
  });
  const rank = (each: Told) => (Number.isNaN(each.raw) ? -Infinity : (each.smooth ?? each.raw));
  return found.sort((a, b) => rank(b) - rank(a) || a.name.localeCompare(b.name));
}

function told(line: Line, row: number): Told {
  const from = line.source;
  const bucket = line.rows?.[row] ?? -1;
  const cell = (name: "count" | "low" | "high" | "firstStep" | "lastStep" | "lastTime" | "nans" | "posInfs" | "negInfs") =>
    from === null ? NaN : at(from[name], bucket);
  const words: (readonly [string, number])[] = [
    ["NaN", cell("nans")],
    ["+Inf", cell("posInfs")],
    ["-Inf", cell("negInfs")],
  ];
  const others = words.filter(([, count]) => count > 0).map(([word, count]) => (count > 1 ? `${word} ×${count}` : word));
  return {
    key: line.key,
    name: line.name,
    ink: line.ink,
    dash: line.dash,
    x: at(line.x, row),
    raw: at(line.raw ?? line.y, row),
    smooth: line.raw === null ? null : at(line.y, row),
    low: from === null ? at(line.low ?? line.y, row) : cell("low"),
    high: from === null ? at(line.high ?? line.y, row) : cell("high"),
    points: from === null ? 1 : cell("count"),
    firstStep: cell("firstStep"),
    lastStep: cell("lastStep"),
    time: cell("lastTime"),
    relative: cell("lastTime") - line.origin,
    others: others.join(" "),
  };
}

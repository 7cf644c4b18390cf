// Smoothing: pure functions of columns. What is stored and what the tooltip calls raw never changes.
//
// A bucket of n points counts as n points at its mean, and distances are measured against the whole extent of the
// series, not against the window: so a curve looks the same however far one zooms in.
//
// Means are moved by what is away from them, never divided out of sums: what is constant stays so to the last bit, for an
// axis that fits nothing but rounding would draw it as a storm.

import { at } from "./buckets";
import type { Method } from "./settings";

/** How many parts the whole extent has for the time-weighted methods; Weights & Biases uses as many. */
export const PARTS = 1000;
/** A Gaussian ends after so many standard deviations: what is left out weighs less than 0.3 %. */
const REACH = 3;

export interface Smooth {
  method: Method;
  /** 0 to 0.999. */
  weight: number;
}

/** `y` smoothed; NaN stays NaN and adds nothing. `x` rises, `span` is the extent of the whole series, `counts` may be null. */
export function smoothed(x: Float64Array, y: Float64Array, counts: Float64Array | null, span: number, by: Smooth): Float64Array {
  if (by.weight <= 0 || y.length === 0) return y;
  const whole = span > 0 ? span : 1;
  switch (by.method) {
    case "ema":
      return exponential(y, counts, by.weight);
    case "time_ema":
      return timeWeighted(x, y, whole, by.weight);
    case "gaussian":
      return gaussian(x, y, counts, reachOf(by.weight, whole));
    case "mean":
      return running(x, y, counts, reachOf(by.weight, whole));
  }
}

/** The mean of two parts, of which `value` is a `part` from 0 to 1 and `mean` the rest. */
function mixed(mean: number, value: number, part: number): number {
  const away = value - mean;
  return Number.isFinite(away) ? mean + away * part : mean * (1 - part) + value * part;
}

/** The distance over which the time-weighted average forgets all but 1/e. */
export function reachOf(weight: number, span: number): number {
  return (-1 / Math.log(Math.min(Math.sqrt(weight), 0.999))) * (span / PARTS);
}

/**
 * TensorBoard's debiased exponential moving average: s = w s + (1 - w) y, divided by 1 - w^n so that the start is not
 * drawn to zero, which moves it by (1 - w) / (1 - w^n) of the way to y. n points of one bucket are n steps of it.
 */
function exponential(y: Float64Array, counts: Float64Array | null, weight: number): Float64Array {
  const found = new Float64Array(y.length).fill(NaN);
  let mean = 0;
  let kept = 1;
  for (let row = 0; row < y.length; row++) {
    const value = y[row] ?? NaN;
    if (Number.isNaN(value)) continue;
    const fade = weight ** (counts?.[row] ?? 1);
    kept *= fade;
    found[row] = mean = mixed(mean, value, (1 - fade) / (1 - kept));
  }
  return found;
}

/**
 * Weights & Biases' time-weighted average: the root of the weight is raised to the distance from the point before, in
 * thousandths of the extent; debiased by the same sum over ones.
 */
function timeWeighted(x: Float64Array, y: Float64Array, span: number, weight: number): Float64Array {
  const found = new Float64Array(y.length).fill(NaN);
  const base = Math.min(Math.sqrt(weight), 0.999);
  let mean = 0;
  let ones = 0;
  let before = NaN;
  for (let row = 0; row < y.length; row++) {
    const value = y[row] ?? NaN;
    if (Number.isNaN(value)) continue;
    const place = at(x, row);
    const fade = Number.isNaN(before) ? 0 : base ** (((place - before) / span) * PARTS);
    ones = ones * fade + 1;
    found[row] = mean = mixed(mean, value, 1 / ones);
    before = place;
  }
  return found;
}

/** The weights of a Gaussian at 512 places a standard deviation: quick enough for a hundred wide curves. */
const BELL = Float64Array.from({ length: REACH * 512 + 2 }, (_, at) => Math.exp(-0.5 * (at / 512) ** 2));

function gaussian(x: Float64Array, y: Float64Array, counts: Float64Array | null, sigma: number): Float64Array {
  const found = new Float64Array(y.length).fill(NaN);
  const reach = sigma * REACH;
  let begin = 0;
  for (let row = 0; row < y.length; row++) {
    const value = at(y, row);
    if (Number.isNaN(value)) continue;
    const place = at(x, row);
    while (at(x, begin) < place - reach) begin++;
    let away = 0;
    let ones = 0;
    for (let near = begin; near < y.length && at(x, near) <= place + reach; near++) {
      if (Number.isNaN(at(y, near))) continue;
      const weight = at(BELL, Math.round((Math.abs(at(x, near) - place) / sigma) * 512)) * (counts?.[near] ?? 1);
      away += weight * (at(y, near) - value);
      ones += weight;
    }
    const mean = value + away / ones;
    found[row] = Number.isFinite(mean) ? mean : value;
  }
  return found;
}

/**
 * The mean of what lies within `reach` on either side. Nothing is ever taken away, so that a huge value leaves no trace
 * once it is out of the window: means from each row up to a pivot are kept, and a mean from the pivot on.
 */
function running(x: Float64Array, y: Float64Array, counts: Float64Array | null, reach: number): Float64Array {
  const found = new Float64Array(y.length).fill(NaN);
  const means = new Float64Array(y.length + 1);
  const ones = new Float64Array(y.length + 1);
  const weights = y.map((value, row) => (Number.isNaN(value) ? 0 : (counts?.[row] ?? 1)));
  const joined = (mean: number, one: number, row: number) => (at(weights, row) > 0 ? mixed(mean, at(y, row), at(weights, row) / one) : mean);
  let [begin, end, pivot, mean, one] = [0, 0, 0, 0, 0];
  for (let row = 0; row < y.length; row++) {
    const place = at(x, row);
    for (; at(x, end) <= place + reach; end++) {
      one += at(weights, end);
      mean = joined(mean, one, end);
    }
    while (at(x, begin) < place - reach) begin++;
    if (begin >= pivot) {
      means[end] = ones[end] = mean = one = 0;
      for (let back = end - 1; back >= begin; back--) {
        ones[back] = at(ones, back + 1) + at(weights, back);
        means[back] = joined(at(means, back + 1), at(ones, back), back);
      }
      pivot = end;
    }
    if (at(weights, row) > 0) found[row] = mixed(at(means, begin), mean, one / (at(ones, begin) + one));
  }
  return found;
}

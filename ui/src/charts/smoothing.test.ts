// Reference values: worked out in Python with 50 decimal digits from the published formulas, not with this code.
import { describe, expect, test } from "vitest";
import { PARTS, reachOf, smoothed } from "./smoothing";
import type { Method } from "./settings";

const X = Float64Array.of(0, 1, 3, 10);
const Y = Float64Array.of(1, 4, 2, 8);

function by(method: Method, weight: number, x = X, y = Y, counts: Float64Array | null = null): number[] {
  return [...smoothed(x, y, counts, (x.at(-1) ?? 0) - (x[0] ?? 0), { method, weight })];
}

describe("smoothing", () => {
  test.each(["ema", "time_ema", "gaussian", "mean"] as const)("%s of weight 0 is exactly raw", (method) => {
    expect(smoothed(X, Y, null, 10, { method, weight: 0 })).toBe(Y);
  });

  test("exponential average against its definition", () => {
    [1, 2.875, 2.42857142857, 4.98897058824].forEach((value, row) => expect(by("ema", 0.6)[row]).toBeCloseTo(value, 10));
    [1, 2.50075037519, 2.33366655533, 3.75237656316].forEach((value, row) => expect(by("ema", 0.999)[row]).toBeCloseTo(value, 9));
  });

  test("time-weighted average against its definition", () => {
    [1, 2.57501247496, 2.35032472214, 4.83922105241].forEach((value, row) => expect(by("time_ema", 0.998)[row]).toBeCloseTo(value, 10));
    [1, 2.86915181283, 2.32164913408, 7.74457625451].forEach((value, row) => expect(by("time_ema", 0.99)[row]).toBeCloseTo(value, 10));
  });

  test("gaussian against its definition", () => {
    // The bell is read from a table of 512 places a standard deviation.
    [3.30046577454, 3.37401564754, 3.53247191798, 4.20217807935].forEach((value, row) => expect(by("gaussian", 0.998)[row]).toBeCloseTo(value, 2));
  });

  test("running mean against its definition", () => {
    // reachOf(0.998, 10) is 9.99: only the first and the last point are too far from each other.
    [7 / 3, 3.75, 3.75, 14 / 3].forEach((value, row) => expect(by("mean", 0.998)[row]).toBeCloseTo(value, 12));
    const near = reachOf(0.9, 10);
    expect(near).toBeGreaterThan(0);
    expect(near).toBeLessThan(1);
    expect(by("mean", 0.9)).toEqual([1, 4, 2, 8]);
  });

  test("a running mean forgets a huge value that has left its window", () => {
    const x = Float64Array.from({ length: 50 }, (_, n) => n);
    const y = x.map((n) => (n === 5 ? 1e300 : 0.1));
    const found = by("mean", 0.9, x, y);
    expect(found[5]).toBeGreaterThan(1e298);
    expect(found[20]).toBeCloseTo(0.1, 12);
  });

  test.each(["ema", "time_ema", "gaussian", "mean"] as const)("%s leaves a constant alone and skips NaN", (method) => {
    const y = Float64Array.of(3, 3, NaN, 3, 3);
    const found = by(method, 0.95, Float64Array.of(0, 1, 2, 3, 4), y);
    found.forEach((value, row) => (row === 2 ? expect(value).toBeNaN() : expect(value).toBeCloseTo(3, 12)));
  });

  test.each(["ema", "time_ema", "gaussian", "mean"] as const)("%s keeps what is constant to the last bit, and where it is", (method) => {
    const x = Float64Array.from({ length: 3000 }, (_, n) => n);
    const counts = x.map((n) => 1 + (n % 7));
    const y = x.map((n) => (n < 1000 ? 7.3 : 0.1));
    for (const weight of [0.3, 0.9, 0.97]) {
      const found = by(method, weight, x, y, counts);
      expect(new Set(found.slice(0, 400))).toEqual(new Set([7.3]));
      if (method === "gaussian" || method === "mean") expect(new Set(found.slice(1600))).toEqual(new Set([0.1]));
    }
  });

  test.each(["ema", "time_ema", "gaussian", "mean"] as const)("%s of the largest numbers is a number", (method) => {
    const y = Float64Array.of(1e300, Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE, 0);
    for (const value of by(method, 0.95, Float64Array.of(0, 1, 2, 3, 4), y)) expect(value).toSatisfy(Number.isFinite);
  });

  test("a bucket of n points is n points at its mean", () => {
    const x = Float64Array.from({ length: 6 }, (_, n) => n);
    const apart = smoothed(x, Float64Array.of(1, 1, 1, 5, 5, 5), null, 5, { method: "ema", weight: 0.8 });
    const together = smoothed(Float64Array.of(1, 4), Float64Array.of(1, 5), Float64Array.of(3, 3), 5, { method: "ema", weight: 0.8 });
    expect(together[1]).toBeCloseTo(apart[5] ?? NaN, 12);
  });

  test("the extent has the parts that Weights & Biases gives it", () => {
    expect(PARTS).toBe(1000);
    expect(reachOf(0.81, 1000)).toBeCloseTo(-1 / Math.log(0.9), 12);
  });
});

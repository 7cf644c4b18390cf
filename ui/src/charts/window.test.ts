import { expect, test } from "vitest";
import { xExtent, xScale } from "./scale";
import { DEFAULTS } from "./settings";
import { bucketsWith, drawnLine } from "./testing";
import { exactWindow, windowsOf } from "./window";

test.each(["wall", "relative_time"] as const)("a file has the first and the last microsecond that the axis of %s shows", (x) => {
  const settings = { ...DEFAULTS, x };
  for (let first = 1_790_000_000_000_000; first < 1_790_000_000_000_300; first++) {
    const last = first + 61_000_007;
    const buckets = bucketsWith({ count: [1, 1], firstTime: [first, last], lastTime: [first, last], firstStep: [0, 1], lastStep: [0, 1], mean: [1, 2] });
    const shown = xScale(xExtent([drawnLine(buckets, settings)], false), false);
    const run = { id: "a", name: "a", startTimeUs: null };
    expect(exactWindow(buckets, run, settings, shown)).toEqual({ min_time_us: first, max_time_us: last });
  }
});

test("the furthest zoom asks for 64-bit integers, also as JSON rounds them", () => {
  const buckets = bucketsWith({ count: [2], firstStep: [0], lastStep: [1], mean: [1] });
  const [window] = windowsOf(buckets, { id: "a", name: "a", startTimeUs: null }, DEFAULTS, { min: -1e300, max: 1e300 }, null) ?? [];
  expect(BigInt(JSON.stringify(window?.min_step))).toBeGreaterThanOrEqual(-(2n ** 63n));
  expect(BigInt(JSON.stringify(window?.max_step))).toBeLessThan(2n ** 63n);
});

test("a file has the points at both ends also where a double stands for several steps", () => {
  const steps = [2n ** 53n + 1n, 2n ** 53n + 3n];
  const [first, last] = steps.map(Number) as [number, number];
  const buckets = bucketsWith({ count: [1, 1], firstStep: [first, last], lastStep: [first, last], mean: [1, 2] });
  const run = { id: "a", name: "a", startTimeUs: null };
  const found = exactWindow(buckets, run, DEFAULTS, { min: first, max: last });
  expect(BigInt(found.min_step ?? 0)).toBeLessThanOrEqual(steps[0] ?? 0n);
  expect(BigInt(found.max_step ?? 0)).toBeGreaterThanOrEqual(steps[1] ?? 0n);
  expect(exactWindow(buckets, run, DEFAULTS, { min: -(2 ** 63), max: 2 ** 63 })).toEqual({ min_step: null, max_step: null });
  expect(exactWindow(buckets, run, DEFAULTS, { min: 0.5, max: 7.5 })).toEqual({ min_step: 1, max_step: 7 });
});

import { expect, test } from "vitest";
import { xExtent, xScale } from "./scale";
import { DEFAULTS } from "./settings";
import { bucketsWith, drawnLine } from "./testing";
import { exactWindow } from "./window";

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

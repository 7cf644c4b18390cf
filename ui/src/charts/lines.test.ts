import { describe, expect, test } from "vitest";
import { joinedX } from "./join";
import { heightAt, nearestRow, toldAt } from "./nearest";
import { bucketed, drawnLine } from "./testing";

describe("the x axis", () => {
  const buckets = bucketed([5, 6, 7, 8], 100, [100, 110, 120, 130]);

  test("counts steps, or from the first one", () => {
    expect([...drawnLine(buckets, { x: "step" }).x]).toEqual([100, 110, 120, 130]);
    expect([...drawnLine(buckets, { x: "relative_step" }).x]).toEqual([0, 10, 20, 30]);
  });

  test("counts from the first step of all, also where only a window is drawn", () => {
    const part = bucketed([5, 6], 100, [700, 710]);
    for (const first of [0, 100]) {
      const whole = bucketed([1, 2], 1, [first, 1000]);
      expect([...drawnLine(part, { x: "relative_step" }, null, whole).x]).toEqual([700 - first, 710 - first]);
    }
  });

  test("counts seconds since 1970, or since the start", () => {
    expect([...drawnLine(buckets, { x: "wall" }).x]).toEqual([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]);
    expect([...drawnLine(buckets, { x: "relative_time" }).x]).toEqual([0, 1, 2, 3]);
  });

  test("times that go back are drawn from left to right", () => {
    const back = bucketed([1, 2, 3], 100);
    back.firstTime.set([3e6, 1e6, 2e6]);
    back.lastTime.set([3e6, 1e6, 2e6]);
    const line = drawnLine(back, { x: "wall" });
    expect([...line.x]).toEqual([1, 2, 3]);
    expect([...line.y]).toEqual([2, 3, 1]);
  });

  test("a bucket stands in the middle of its points", () => {
    expect([...drawnLine(bucketed([1, 2, 3, 4], 2)).x]).toEqual([0.5, 2.5]);
  });
});

describe("another metric along the bottom", () => {
  test("is joined at equal steps", () => {
    const drawn = bucketed([1, 2, 3, 4], 100, [0, 5, 10, 15]);
    const epochs = bucketed([0, 1], 100, [5, 15]);
    expect([...joinedX(drawn, epochs)]).toEqual([NaN, 0, NaN, 1]);
    const line = drawnLine(drawn, { x: "metric" }, epochs);
    expect([[...line.x], [...line.y], line.lost]).toEqual([[0, 1], [2, 4], 2]);
  });

  test("lies between its points where steps never meet", () => {
    expect([...joinedX(bucketed([1, 2, 3], 100, [1, 5, 99]), bucketed([0, 10], 100, [0, 10]))]).toEqual([1, 5, NaN]);
  });

  test("of buckets is between their middles", () => {
    const along = bucketed(Float64Array.from({ length: 1000 }, (_, n) => 2 * n), 100);
    const found = joinedX(bucketed(new Float64Array(1000), 50), along);
    found.forEach((x, row) => expect(x).toBeCloseTo(2 * (row * 20 + 9.5), 9));
  });
});

describe("values", () => {
  test("without smoothing are exactly raw", () => {
    const buckets = bucketed([0.1, 0.2, 0.3], 100);
    const line = drawnLine(buckets);
    expect(line.raw).toBeNull();
    expect(line.y).toBe(buckets.mean);
  });

  test("smoothed keep the raw ones beside them", () => {
    const line = drawnLine(bucketed([1, 5, 1, 5], 100), { smoothing: 0.5 });
    expect([...(line.raw ?? [])]).toEqual([1, 5, 1, 5]);
    const [told] = toldAt([line], 3, { min: 0, max: 3, log: false });
    expect(told?.raw).toBe(5);
    expect(told?.smooth).toBe(line.y[3]);
  });

  test("of the line are means or last ones", () => {
    const buckets = bucketed([1, 5, 2, 8], 2);
    expect([...drawnLine(buckets).y]).toEqual([3, 5]);
    expect([...drawnLine(buckets, { line: "last" }).y]).toEqual([5, 8]);
  });
});

describe("what is near", () => {
  const line = drawnLine(bucketed([1, NaN, 3], 100, [0, 10, 100]));

  test("is the nearest x, by distance on the screen", () => {
    const linear = { min: 0, max: 100, log: false };
    expect([-5, 4, 6, 54, 56, 900].map((x) => nearestRow(line, x, linear))).toEqual([0, 0, 1, 1, 2, 2]);
    expect(nearestRow(drawnLine(bucketed([1, 2], 9, [1, 100])), 20, { min: 1, max: 100, log: true })).toBe(1);
    expect(nearestRow(drawnLine(bucketed([], 9)), 1, linear)).toBeNull();
  });

  test("tells greatest first, what has no number last and in words", () => {
    const scale = { min: 0, max: 10, log: false };
    const [low, high, none] = [[1, 1], [2, 2], [1, NaN]].map((values, n) => ({ ...drawnLine(bucketed(values, 9, [0, 10])), name: `r${n}` }));
    if (low === undefined || high === undefined || none === undefined) throw new Error("three lines");
    const told = toldAt([none, low, high], 10, scale);
    expect(told.map((each) => each.name)).toEqual(["r1", "r0", "r2"]);
    expect(told[2]?.others).toBe("NaN");
  });

  test("a line's height is between its points", () => {
    const slope = drawnLine(bucketed([0, 10], 9, [0, 100]));
    expect([0, 25, 100].map((x) => heightAt(slope, x))).toEqual([0, 2.5, 10]);
    expect(heightAt(slope, 101)).toBeNaN();
  });
});

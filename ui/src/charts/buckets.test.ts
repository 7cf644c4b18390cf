import { describe, expect, test } from "vitest";
import { merged, tally, valuesOf, type Points } from "./buckets";
import { bucketed } from "./testing";

function points(rows: [step: number, value: number | null][], marks: Record<number, "NaN" | "Infinity" | "-Infinity"> = {}): Points {
  return {
    steps: rows.map(([step]) => step),
    times_us: rows.map(([step]) => (1e6 + step) * 1e6),
    values: rows.map(([, value]) => value),
    non_finite: Object.keys(marks).length === 0 ? {} : { values: { at: Object.keys(marks).map(Number), value: Object.values(marks) } },
  };
}

describe("buckets", () => {
  test("are sampled when one holds several points", () => {
    expect(tally([bucketed([1, 2, 3], 3)])).toMatchObject({ points: 3, buckets: 3, sampled: false });
    expect(tally([bucketed([1, NaN, 3, Infinity], 2)])).toMatchObject({ points: 4, buckets: 2, sampled: true, nans: 1, posInfs: 1 });
  });

  test("values that JSON cannot say are put back", () => {
    expect([...valuesOf(points([[0, 1], [1, null], [2, null]], { 1: "NaN", 2: "-Infinity" }))]).toEqual([1, NaN, -Infinity]);
  });
});

describe("live points", () => {
  test("behind the end are buckets of their own", () => {
    const found = merged(bucketed([1, 2, 3, 4], 2), points([[4, 9], [5, null]], { 1: "NaN" }), null);
    expect([...found.count]).toEqual([2, 2, 1, 1]);
    expect([...found.high]).toEqual([2, 4, 9, NaN]);
    expect([...found.nans]).toEqual([0, 0, 0, 1]);
  });

  test("that are known already change nothing", () => {
    const old = bucketed([1, 2, 3, 4], 2);
    const found = merged(old, points([[3, 4]]), [3, (1e6 + 3) * 1e6]);
    expect([...found.count]).toEqual([2, 2]);
    expect([...found.mean]).toEqual([...old.mean]);
  });

  test("at steps too great to be asked for come again, and are known", () => {
    const great = Array.from({ length: 4 }, (_, n) => 2 ** 53 + 2 * n);
    const old = bucketed([1, 2, 3, 4], 4, great);
    const again = points(great.map((step, n): [number, number] => [step, n + 1]));
    const known = [great[3] ?? 0, again.times_us[3] ?? 0] as const;
    expect([...merged(old, again, known).count]).toEqual([1, 1, 1, 1]);
  });

  test("that come late join their bucket: a spike is kept", () => {
    const old = bucketed([1, 2, 3, 4], 2, [0, 10, 20, 30]);
    const found = merged(old, points([[5, 100], [25, null]], { 1: "Infinity" }), null);
    expect([...found.count]).toEqual([3, 3]);
    expect([...found.high]).toEqual([100, 4]);
    expect(found.mean[0]).toBeCloseTo((1 + 2 + 100) / 3, 12);
    expect([...found.posInfs]).toEqual([0, 1]);
  });

  test("that come late between buckets stand between them", () => {
    const found = merged(bucketed([1, 2], 2, [0, 10]), points([[20, 3], [5, 7]]), null);
    expect([...found.lastStep]).toEqual([0, 5, 10, 20]);
    expect([...found.mean]).toEqual([1, 7, 2, 3]);
  });
});

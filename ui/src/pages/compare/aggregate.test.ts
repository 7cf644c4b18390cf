import { expect, test } from "vitest";
import { NAN, NEG_INF, POS_INF } from "../../charts/lines";
import { bucketsWith } from "../../charts/testing";
import { aligned, curveOf, gridOf, MOST_CELLS, medianOf, student, type Grid } from "./aggregate";

/** Points of their own, step and value; a missing value is NaN. */
function points(...pairs: [number, number][]) {
  const steps = pairs.map(([step]) => step);
  const values = pairs.map(([, value]) => value);
  const nans = values.map((value) => (Number.isNaN(value) ? 1 : 0));
  return bucketsWith({ count: steps.map(() => 1), firstStep: steps, lastStep: steps, low: values, high: values, mean: values, last: values, nans });
}

function gridFor(...all: ReturnType<typeof points>[]): Grid {
  const grid = gridOf(all);
  if (grid === null) throw new Error("there are points");
  return grid;
}

test("the mean, and n where runs end at different steps", () => {
  const [a, b] = [points([0, 1], [1, 3], [2, 5]), points([0, 3], [1, 5])];
  const curve = curveOf([a, b], gridFor(a, b), "mean", "range");
  expect([...curve.x]).toEqual([0, 1, 2]);
  expect([...curve.y]).toEqual([2, 4, 5]);
  expect([...curve.runs]).toEqual([2, 2, 1]);
  expect(curve.most).toBe(2);
  expect([...(curve.low ?? [])]).toEqual([1, 3, 5]);
  expect([...(curve.high ?? [])]).toEqual([3, 5, 5]);
});

test("steps that a run lacks lie between its neighbours", () => {
  const [a, b] = [points([0, 0], [4, 4]), points([0, 0], [1, 0], [2, 0], [3, 0], [4, 0])];
  expect([...curveOf([a, b], gridFor(a, b), "mean", "none").y]).toEqual([0, 0.5, 1, 1.5, 2]);
});

test("a median, a deviation and an interval of three runs", () => {
  const all = [points([0, 1]), points([0, 2]), points([0, 9])];
  const grid = gridFor(...all);
  expect([...curveOf(all, grid, "median", "none").y]).toEqual([2]);
  const std = curveOf(all, grid, "mean", "std");
  expect(std.high?.[0]).toBeCloseTo(4 + Math.sqrt(19), 9);
  const ci = curveOf(all, grid, "mean", "ci");
  expect(ci.low?.[0]).toBeCloseTo(4 - (4.303 * Math.sqrt(19)) / Math.sqrt(3), 9);
});

test("a spike stays in the band however wide the cells are", () => {
  const run = points(...Array.from({ length: 10_000 }, (_, step): [number, number] => [step, step === 4321 ? 99 : 1]));
  const grid = gridFor(run);
  expect(grid.cells).toBeLessThanOrEqual(MOST_CELLS);
  expect(Math.max(...(curveOf([run], grid, "mean", "range").high ?? []))).toBe(99);
});

test("NaN counts for nothing", () => {
  const run = points([0, 1], [1, NaN], [2, 3]);
  expect([...aligned(run, gridFor(run)).value]).toEqual([1, 2, 3]);
  expect(gridOf([])).toBeNull();
});

test("what is not finite is marked where it is, and a step that has nothing else is there", () => {
  const columns = { count: [1, 2, 1, 1], firstStep: [0, 1, 3, 5], lastStep: [0, 2, 3, 5], mean: [1, 2, NaN, NaN], low: [1, 2, NaN, NaN], high: [1, 2, NaN, NaN] };
  const run = bucketsWith({ ...columns, nans: [0, 1, 0, 1], posInfs: [0, 0, 1, 0] });
  const other = bucketsWith({ count: [1], firstStep: [0], lastStep: [0], mean: [NaN], low: [NaN], high: [NaN], negInfs: [1] });
  const curve = curveOf([run, other], gridFor(run, other), "mean", "range");
  expect(curve.marks.counts).toEqual([2, 1, 1, 0]);
  expect([...curve.marks.x].map((x, at) => [x, curve.marks.kind[at]])).toEqual([[1, NAN], [5, NAN], [3, POS_INF], [0, NEG_INF]]);
  expect([...curve.x]).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...curve.y].map((y) => Number.isNaN(y))).toEqual([false, false, false, true, true, true]);
});

test("where no run is there is a gap", () => {
  const [a, b] = [points([0, 1], [1, 1]), points([4, 3], [5, 3])];
  const curve = curveOf([a, b], gridFor(a, b), "mean", "range");
  expect([...curve.y]).toEqual([1, 1, NaN, NaN, 3, 3]);
  expect([...curve.runs]).toEqual([1, 1, 0, 0, 1, 1]);
});

test("a zoom has cells of its own, and runs come in and go out where they did", () => {
  const run = points([0, 0], [1000, 10]);
  const grid = gridOf([run], { min: 400, max: 600 });
  if (grid === null) throw new Error("there are points");
  expect([grid.first, grid.width, grid.cells]).toEqual([300, 1, 401]);
  expect([...curveOf([run], grid, "mean", "none").y]).toEqual(Array.from({ length: 401 }, (_, n) => expect.closeTo((300 + n) / 100, 9) as number));
  expect([...aligned(points([0, 1], [100, 1]), grid).value].every(Number.isNaN)).toBe(true);
});

test("huge and negative steps", () => {
  const run = points([-(2 ** 52), 1], [2 ** 52, 3]);
  const curve = curveOf([run], gridFor(run), "mean", "none");
  expect(curve.y.at(0)).toBe(1);
  expect(curve.y.at(-1)).toBe(3);
});

test("medians of many", () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([1e308, 1.2e308])).toBe(1.1e308);
});

test("Student's quantiles as tables have them", () => {
  expect(student(1)).toBeCloseTo(12.706, 3);
  expect(student(11)).toBeCloseTo(2.201, 2);
  expect(student(30)).toBeCloseTo(2.042, 3);
  expect(student(1000)).toBeCloseTo(1.962, 3);
});

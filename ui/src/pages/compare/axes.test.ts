import { expect, test } from "vitest";
import type { RunRow } from "../../state/rows";
import { axisOf, metricOf, saysOf, textOfField } from "./axes";

function run(params: Record<string, string>, last: number | null = null): RunRow {
  const cell = { last, min: last, max: last, mean: last, count: 1, lastStep: 0, lastTimeUs: 0 };
  return { id: "r", params, tags: {}, metrics: last === null ? {} : { "a(b)": cell } } as unknown as RunRow;
}

test("a metric's name may hold brackets", () => {
  expect(metricOf("min(a(b))")).toEqual({ aggregate: "min", metric: "a(b)" });
  expect(metricOf("params.x")).toBeNull();
  expect(saysOf(run({}, 3), "last(a(b))")).toBe(3);
});

test("numbers have a place, what is missing or not finite has none", () => {
  const runs = [run({ lr: "0.1" }), run({ lr: "0.001" }), run({}), run({ lr: "Infinity" })];
  const axis = axisOf(runs, "params.lr", true, 5);
  expect(runs.map((each) => axis.place(each))).toEqual([1, 0, NaN, NaN]);
  expect(axis.ticks.map((tick) => tick.text)).toContain("0.01");
});

test("one word makes an axis of words", () => {
  const runs = [run({ opt: "sgd" }), run({ opt: "2" })];
  const axis = axisOf(runs, "params.opt", false, 5);
  expect(axis.words).toEqual(["2", "sgd"]);
  expect(runs.map((each) => axis.place(each))).toEqual([0.75, 0.25]);
});

test("equal values stand in the middle, and nothing breaks without any", () => {
  expect(axisOf([run({ a: "3" })], "params.a", false, 5).place(run({ a: "3" }))).toBe(0.5);
  expect(axisOf([], "params.a", true, 5).ticks.length).toBeGreaterThan(0);
  expect(textOfField(run({}), "params.a")).toBe("not set");
});

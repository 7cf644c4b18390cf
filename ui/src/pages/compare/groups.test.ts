import { expect, test } from "vitest";
import { bySets, byValue, chartsOf, fieldsOf, MISSING, type Grouped } from "./groups";

const RUNS: Grouped[] = [
  { id: "a", params: { lr: "0.01", opt: "adam" }, tags: { stage: "x" } },
  { id: "b", params: { lr: "0.001", opt: "sgd" }, tags: { "mlflow.runName": "b" } },
  { id: "c", params: { lr: "0.01", opt: "sgd" }, tags: {} },
];
const NONE = { colour: "", dash: "", charts: "" };

test("without a field all runs are one group", () => {
  const [chart] = chartsOf(RUNS, NONE);
  expect(chart?.groups.map((group) => [group.name, group.runs.length])).toEqual([["All runs", 3]]);
});

test("numbers by size", () => {
  const [chart] = chartsOf(RUNS, { ...NONE, colour: "params.lr" });
  expect(chart?.groups.map((group) => [group.name, group.runs.map((run) => run.id)])).toEqual([
    ["lr = 0.001", ["b"]],
    ["lr = 0.01", ["a", "c"]],
  ]);
  expect(["10", "2", "b", "1e-3"].sort(byValue)).toEqual(["1e-3", "2", "10", "b"]);
});

test("a colour, a dash and a chart at once", () => {
  const charts = chartsOf(RUNS, { colour: "params.lr", dash: "params.opt", charts: "tags.stage" });
  expect(charts.map((chart) => chart.name)).toEqual([`stage = ${MISSING}`, "stage = x"]);
  expect(charts[1]?.groups).toMatchObject([{ name: "lr = 0.01, opt = adam", colour: 1, dash: 0 }]);
});

test("the fields that there are", () => {
  expect(fieldsOf(RUNS)).toEqual(["params.lr", "params.opt", "tags.stage"]);
});

test("a curve for each label set of each group, of the runs that have it", () => {
  const sets = [{ fold: "1" }, { fold: "2" }];
  const has = (run: Grouped, labels: Readonly<Record<string, string>> | null) => labels?.fold === "1" || run.id === "a";
  const told = (by: Parameters<typeof chartsOf>[1]) =>
    chartsOf(RUNS, by).flatMap((chart) => bySets(chart.groups, sets, has, by).map(({ name, colour, dash, runs, labels }) => [name, colour, dash, runs.length, labels?.fold]));
  expect(told(NONE)).toEqual([
    ["fold=1", 0, 0, 3, "1"],
    ["fold=2", 1, 0, 1, "2"],
  ]);
  expect(told({ ...NONE, colour: "params.lr" })).toEqual([
    ["fold=1 · lr = 0.001", 0, 0, 1, "1"],
    ["fold=1 · lr = 0.01", 1, 0, 2, "1"],
    ["fold=2 · lr = 0.01", 1, 1, 1, "2"],
  ]);
  const [chart] = chartsOf(RUNS, NONE);
  expect(bySets(chart?.groups ?? [], [null], () => true, NONE)).toMatchObject([{ name: "All runs", colour: 0, labels: null }]);
});

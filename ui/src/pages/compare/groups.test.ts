import { expect, test } from "vitest";
import { byValue, chartsOf, fieldsOf, MISSING, type Grouped } from "./groups";

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

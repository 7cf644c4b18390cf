import { expect, test } from "vitest";
import { rowsOf } from "./rows";

const RUNS = {
  id: ["a", "b"],
  key: [1, 2],
  experiment_id: [0, 0],
  number: [1, 2],
  name: ["one", "two"],
  user: ["", ""],
  status: ["RUNNING" as const, "FINISHED" as const],
  status_reason: ["", ""],
  lifecycle: ["active" as const, "deleted" as const],
  artifact_uri: ["", ""],
  origin: ["", ""],
  start_time_us: [5, null],
  end_time_us: [null, null],
  created_at_us: [5, 6],
  updated_at_us: [7, 8],
};

test("rows hold what their run has and nothing else", () => {
  const [one, two] = rowsOf({
    runs: RUNS,
    params: { lr: ["0.1", null] },
    tags: { __proto__x: [null, ""] },
    metrics: {
      loss: {
        last: [null, null],
        min: [null, null],
        max: [2, null],
        mean: [1.5, null],
        count: [3, null],
        last_step: [2, null],
        last_time_us: [9, null],
        non_finite: { last: { at: [0], value: ["NaN"] }, max: { at: [0], value: ["Infinity"] } },
      },
    },
  });
  expect(one?.params).toEqual({ lr: "0.1" });
  expect(two?.params).toEqual({});
  expect(two?.tags).toEqual({ __proto__x: "" });
  expect(two?.deleted).toBe(true);
  expect(two?.metrics).toEqual({});
  expect(one?.metrics.loss).toEqual({ last: NaN, min: null, max: Infinity, mean: 1.5, count: 3, lastStep: 2, lastTimeUs: 9 });
});

import { expect, test } from "vitest";
import { paceOf } from "./facts";

test("a run of many metrics is asked for less often", () => {
  expect([paceOf(1, 3), paceOf(1, 3000), paceOf(15, 3000), paceOf(0, 3000)]).toEqual([1, 6, 15, 0]);
});

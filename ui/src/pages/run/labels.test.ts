import { expect, test } from "vitest";
import { linesOf, MOST } from "./labels";

const RUN = { id: "r", name: "run" };

test("a metric with several label sets has a line for each of them, and others none", () => {
  const table: Parameters<typeof linesOf>[1] = { metric: ["loss", "loss", "rate", "loss"], labels: [{}, { fold: "1" }, { fold: "1" }, { fold: "2", part: "a" }] };
  const found = linesOf(RUN, table);
  expect([...found.keys()]).toEqual(["loss"]);
  expect(found.get("loss")?.map(({ group }) => group)).toEqual(["without labels", "fold=1", "fold=2, part=a"]);
  expect(found.get("loss")?.[1]).toEqual({ id: "r", name: "run", group: "fold=1", labels: { fold: "1" } });
});

test("more than can be told apart stay one line", () => {
  const sets = Array.from({ length: MOST + 1 }, (_, n) => ({ worker: String(n) }));
  expect(linesOf(RUN, { metric: sets.map(() => "loss"), labels: sets }).size).toBe(0);
  expect(linesOf(RUN, { metric: sets.slice(1).map(() => "loss"), labels: sets.slice(1) }).size).toBe(1);
});

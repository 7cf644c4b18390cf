import { expect, test } from "vitest";
import { apart, distinct, MOST, setsOf, type Labels } from "./apart";
import type { Shown } from "./shown";

const A: Shown = { id: "a", name: "first", style: { colour: 3, dash: 0 } };
const B: Shown = { id: "b", name: "second", style: { colour: 5, dash: 1 } };

function tableOf(rows: readonly (readonly [run: string, metric: string, labels: Labels])[]) {
  return setsOf({ run_id: rows.map(([run]) => run), metric: rows.map(([, metric]) => metric), labels: rows.map(([, , labels]) => ({ ...labels })) });
}

function told(lines: readonly Shown[]) {
  return lines.map(({ id, group, labels, style }) => [id, group, labels, style?.colour, style?.dash]);
}

test("a metric with several label sets has a line for each of them and each run, and others none", () => {
  const sets = tableOf([
    ["a", "loss", {}],
    ["a", "loss", { fold: "1" }],
    ["b", "loss", { fold: "1" }],
    ["b", "loss", { fold: "2", part: "é" }],
    ["a", "rate", { fold: "1" }],
    ["b", "rate", { fold: "1" }],
  ]);
  expect(apart([A, B], sets, "rate")).toEqual({ lines: [A, B], leftOut: 0 });
  expect(apart([A, B], sets, "plain")).toEqual({ lines: [A, B], leftOut: 0 });
  const { lines, leftOut } = apart([A, B], sets, "loss");
  expect(leftOut).toBe(0);
  expect(told(lines)).toEqual([
    ["a", "without labels", {}, 3, 0],
    ["a", "fold=1", { fold: "1" }, 3, 1],
    ["b", "fold=1", { fold: "1" }, 5, 2],
    ["b", "fold=2, part=é", { fold: "2", part: "é" }, 5, 3],
  ]);
});

test("runs with a label set each are told apart, and a run that is not known yet is one line", () => {
  const sets = tableOf([
    ["a", "loss", { fold: "1" }],
    ["b", "loss", { fold: "2" }],
  ]);
  const fresh = { id: "c", name: "new" };
  expect(told(apart([A, B, fresh], sets, "loss").lines).map((line) => line.slice(0, 2))).toEqual([
    ["a", "fold=1"],
    ["b", "fold=2"],
    ["c", undefined],
  ]);
});

test("of one run alone the colours tell its label sets", () => {
  const sets = tableOf([
    ["a", "loss", { fold: "1" }],
    ["a", "loss", { fold: "2" }],
  ]);
  expect(apart([A], sets, "loss").lines.map(({ style }) => style)).toEqual([undefined, undefined]);
});

test("more than can be told apart are left out and counted, each of all runs", () => {
  const workers = Array.from({ length: MOST + 20 }, (_, n): Labels => ({ worker: String(n) }));
  const sets = tableOf(workers.flatMap((labels) => [["a", "loss", labels] as const, ["b", "loss", labels] as const]));
  const one = apart([A], sets, "loss");
  expect([one.lines.length, one.leftOut]).toEqual([MOST, 20]);
  const two = apart([A, B], sets, "loss");
  expect([two.lines.length, two.leftOut]).toEqual([MOST, MOST / 2 + 20]);
  expect(two.lines.filter(({ id }) => id === "a").map(({ labels }) => labels)).toEqual(two.lines.filter(({ id }) => id === "b").map(({ labels }) => labels));
  const many = Array.from({ length: MOST + 1 }, (_, n) => ({ id: `r${n}`, name: "run" }));
  const wide = tableOf(many.flatMap(({ id }) => [[id, "loss", { fold: "1" }] as const, [id, "loss", { fold: "2" }] as const]));
  expect([apart(many, wide, "loss").lines.length, apart(many, wide, "loss").leftOut]).toEqual([MOST + 1, 1]);
});

test("label sets stand by what they say, numbers by size", () => {
  const sets = tableOf(["10", "9", "é"].map((gpu) => ["a", "loss", { gpu }] as const).concat([["a", "loss", {} as { gpu: string }]]));
  expect(distinct(sets, "loss")).toEqual([{}, { gpu: "9" }, { gpu: "10" }, { gpu: "é" }]);
});

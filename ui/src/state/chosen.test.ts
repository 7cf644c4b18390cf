import { expect, test } from "vitest";
import { drawnOf, isolated, toggled, type Choice } from "./chosen";

const FIRST = ["a", "b", "c"];
const NONE: Choice = { shown: [], hidden: [] };

test("without a choice the first of the search are drawn", () => {
  expect(drawnOf(NONE, FIRST)).toEqual(FIRST);
});

test("a run of the first is hidden and comes back", () => {
  const without = toggled(NONE, FIRST, "b");
  expect(drawnOf(without, FIRST)).toEqual(["a", "c"]);
  expect(toggled(without, FIRST, "b")).toEqual(NONE);
});

test("a run from further down joins those that are drawn", () => {
  const more = toggled(NONE, FIRST, "z");
  expect(drawnOf(more, FIRST)).toEqual(["a", "b", "c", "z"]);
  expect(drawnOf(toggled(more, FIRST, "z"), FIRST)).toEqual(FIRST);
});

test("a hidden run that is no candidate any more is drawn when it is asked for", () => {
  expect(drawnOf(toggled({ shown: [], hidden: ["z"] }, FIRST, "z"), FIRST)).toEqual(["a", "b", "c", "z"]);
});

test("what the address names is drawn, in its order", () => {
  expect(drawnOf({ shown: ["z", "a"], hidden: ["a"] }, FIRST)).toEqual(["z"]);
});

test("isolating twice brings all back", () => {
  const alone = isolated(NONE, FIRST, "b");
  expect(drawnOf(alone, FIRST)).toEqual(["b"]);
  expect(isolated(alone, FIRST, "b")).toEqual(NONE);
});

test("a run from further down can be isolated", () => {
  const alone = isolated(NONE, FIRST, "z");
  expect(drawnOf(alone, FIRST)).toEqual(["z"]);
  expect(drawnOf(isolated(alone, FIRST, "z"), FIRST)).toEqual(["a", "b", "c", "z"]);
});

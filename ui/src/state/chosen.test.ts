import { expect, test } from "vitest";
import { drawnOf, isolated, MOST, pageOf, toggled, type Choice } from "./chosen";

const FIRST = ["a", "b", "c"];
const NONE: Choice = { shown: [], hidden: [], from: 0 };

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
  expect(drawnOf(toggled({ ...NONE, hidden: ["z"] }, FIRST, "z"), FIRST)).toEqual(["a", "b", "c", "z"]);
});

test("what the address names is drawn, in its order", () => {
  expect(drawnOf({ ...NONE, shown: ["z", "a"], hidden: ["a"] }, FIRST)).toEqual(["z"]);
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

const LONG: Choice = { shown: Array.from({ length: 512 }, (_, n) => `run-${n}`), hidden: [], from: 0 };

test("of more runs than can be drawn a page is drawn, and which one is known", () => {
  expect(pageOf(LONG)).toEqual({ begin: 0, end: 200, of: 512 });
  expect(drawnOf(LONG, [])).toEqual(LONG.shown.slice(0, MOST));
  const last = { ...LONG, from: 400 };
  expect(pageOf(last)).toEqual({ begin: 400, end: 512, of: 512 });
  expect(drawnOf(last, [])).toEqual(LONG.shown.slice(400));
  expect(pageOf({ ...LONG, from: 512 })?.begin).toBe(0);
  expect([pageOf(NONE), pageOf({ ...LONG, shown: LONG.shown.slice(0, MOST) })]).toEqual([null, null]);
});

test.each([0, 200, 400])("what is asked for joins the page from %d, wherever it was", (from) => {
  const page = { ...LONG, from };
  for (const id of ["new", "run-300", "run-10", "run-511"]) {
    if (drawnOf(page, []).includes(id)) continue;
    const more = toggled(page, [], id);
    expect(drawnOf(more, [])).toContain(id);
    expect(more.shown.filter((each) => each === id)).toHaveLength(1);
    expect(drawnOf(isolated(page, [], id), [])).toEqual([id]);
  }
});

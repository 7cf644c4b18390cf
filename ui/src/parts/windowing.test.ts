import { expect, test } from "vitest";
import { scrollFor, spanOf } from "./windowing";

test("the rows in view, and some more on both sides", () => {
  expect(spanOf(0, 300, 30, 100_000, 5)).toEqual({ from: 0, to: 15 });
  expect(spanOf(1515, 300, 30, 100_000, 5)).toEqual({ from: 45, to: 66 });
  expect(spanOf(2_999_800, 300, 30, 100_000, 5)).toEqual({ from: 99_988, to: 100_000 });
});

test("a list that became shorter, or is empty, draws nothing that is not there", () => {
  expect(spanOf(9_000, 300, 30, 10, 5)).toEqual({ from: 10, to: 10 });
  expect(spanOf(0, 300, 30, 0, 5)).toEqual({ from: 0, to: 0 });
});

test("a row is brought into view, below what covers the upper part", () => {
  expect(scrollFor(0, 60, 330, 30, 30)).toBe(0);
  expect(scrollFor(12, 60, 330, 30, 30)).toBe(90);
  expect(scrollFor(5, 60, 330, 30, 30)).toBeNull();
});

import { expect, test } from "vitest";
import { samplesOf } from "./exposition";
import { since } from "./noted";
import { perSecond, slowest, type Look } from "./pace";

const look = (at: number, points: number, counts: [string, number][]): Look => ({
  at,
  samples: samplesOf(
    [`stepwell_points_total ${String(points)}`, ...counts.map(([le, n]) => `stepwell_commit_seconds_bucket{le="${le}"} ${String(n)}`)].join("\n"),
  ),
});

test("rates are of what grew between two looks", () => {
  const before = look(10, 1000, []);
  expect(perSecond(look(12, 5000, []), before, "stepwell_points_total")).toBe("2,000");
  expect(perSecond(look(12, 1005, []), before, "stepwell_points_total")).toBe("2.5");
  expect(perSecond(look(12, 0, []), before, "stepwell_points_total")).toBe("–");
  expect(perSecond(before, null, "stepwell_points_total")).toBe("–");
});

test("the slowest commit is one between the looks", () => {
  const before = look(0, 0, [["0.01", 5], ["1", 6], ["+Inf", 7]]);
  expect(slowest(look(2, 0, [["0.01", 9], ["1", 10], ["+Inf", 11]]), before)).toBe("under 10 ms");
  expect(slowest(look(2, 0, [["0.01", 9], ["1", 11], ["+Inf", 12]]), before)).toBe("under 1 s");
  expect(slowest(look(2, 0, [["0.01", 9], ["1", 10], ["+Inf", 12]]), before)).toBe("over 2.5 s");
  expect(slowest(before, before)).toBe("–");
});

test("a period begins so many days ago", () => {
  expect(since("", 5)).toBeUndefined();
  expect(since("1", 86_400_001)).toBe(1000);
});

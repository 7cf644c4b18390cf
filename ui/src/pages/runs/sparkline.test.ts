import { expect, test } from "vitest";
import { sparkOf } from "./sparkline";

const WHOLE = { nan_count: [0, 0, 0], pos_inf_count: [0, 0, 0], neg_inf_count: [0, 0, 0], non_finite: {} };

test("a curve goes from edge to edge, with its band", () => {
  const spark = sparkOf(
    { ...WHOLE, first_step: [0, 10, 20], last_step: [0, 10, 20], mean: [0, 1, 0], min_value: [0, 1, 0], max_value: [0, 1, 0] },
    103,
    23,
  );
  expect(spark).toEqual({ line: "M1.5 21.5L51.5 1.5L101.5 21.5", band: "M1.5 21.5L51.5 1.5L101.5 21.5L101.5 21.5L51.5 1.5L1.5 21.5Z", marks: "", odd: 0 });
});

test("what is not finite breaks the line, is counted and marked where it is", () => {
  const spark = sparkOf(
    {
      ...WHOLE,
      nan_count: [0, 2, 0],
      pos_inf_count: [0, 1, 0],
      first_step: [0, 10, 20],
      last_step: [0, 10, 20],
      mean: [1, null, 2],
      min_value: [1, null, 2],
      max_value: [1, null, 2],
    },
    103,
    23,
  );
  expect(spark).toEqual({ line: "M1.5 21.5h0M101.5 1.5h0", band: "", marks: "M51.5 23l-2.5 -4.5h5ZM51.5 0l-2.5 4.5h5Z", odd: 3 });
});

test("one point, equal values and no points", () => {
  const one = { nan_count: [0], pos_inf_count: [0], neg_inf_count: [0], non_finite: {}, first_step: [5], last_step: [5] };
  expect(sparkOf({ ...one, mean: [3], min_value: [3], max_value: [3] }, 100, 20).line).toBe("M50 10h0");
  expect(sparkOf({ ...one, mean: [null], min_value: [null], max_value: [null] }, 100, 20).line).toBe("");
  expect(sparkOf({ non_finite: {} }, 100, 20)).toEqual({ line: "", band: "", marks: "", odd: 0 });
});

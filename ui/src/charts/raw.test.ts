// The raw form of buckets, written here as the server writes it.
import { describe, expect, test } from "vitest";
import type { Result, postRaw } from "../api/client";
import { bucketsIn, pageIn, readBuckets, type Question } from "./raw";

type Column = bigint[] | number[];

/** Series of so many rows, and columns over all of them. */
function answer(rows: number[], columns: Record<string, Column>): ArrayBuffer {
  return packed({ series: rows.map((each) => ({ run_id: "räv", metric: "m", labels: null, rows: each })) }, columns);
}

/** A page of points. */
function page(columns: Record<string, Column>, cursor: string | null): ArrayBuffer {
  return packed({ rows: Object.values(columns)[0]?.length ?? 0, cursor, since: null }, columns);
}

function packed(told: object, columns: Record<string, Column>): ArrayBuffer {
  const type = (column: Column) => (typeof column[0] === "bigint" ? "int64" : "float64");
  const named = Object.entries(columns).map(([name, column]) => ({ name, type: type(column) }));
  const text = JSON.stringify({ ...told, columns: named });
  const head = new TextEncoder().encode(text);
  const size = Math.ceil(head.length / 8) * 8;
  const whole = new Uint8Array(8 + size + Object.values(columns).reduce((sum, column) => sum + 8 * column.length, 0)).fill(32, 8);
  const view = new DataView(whole.buffer);
  view.setBigUint64(0, BigInt(size), true);
  whole.set(head, 8);
  let at = 8 + size;
  for (const column of Object.values(columns)) {
    for (const cell of column) {
      if (typeof cell === "bigint") view.setBigInt64(at, cell, true);
      else view.setFloat64(at, cell, true);
      at += 8;
    }
  }
  return whole.buffer;
}

describe("the raw form of buckets", () => {
  test("gives every series its rows of every column", () => {
    const found = bucketsIn(answer([2, 0, 1], { count: [3n, 4n, 5n], mean: [1.5, -0, 1e-300] }));
    expect(found?.map(({ count }) => [...count])).toEqual([[3, 4], [], [5]]);
    expect(found?.map(({ mean }) => [...mean])).toEqual([[1.5, -0], [], [1e-300]]);
  });

  test("reads integers as JSON's numbers are read, the largest too", () => {
    const steps = [0n, -1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
    const found = bucketsIn(answer([steps.length], { first_step: steps }));
    expect([...(found?.[0]?.firstStep ?? [])]).toEqual(steps.map((step) => Number(String(step))));
  });

  test("has NaN where there is nothing finite", () => {
    const found = bucketsIn(answer([4], { max_value: [NaN, Infinity, -Infinity, Number.MAX_VALUE] }));
    expect([...(found?.[0]?.high ?? [])]).toEqual([NaN, NaN, NaN, Number.MAX_VALUE]);
  });

  test("takes the last time for the first and the mean for the last value where those were not asked for", () => {
    const [found] = bucketsIn(answer([1], { mean: [2], last_time_us: [7n] })) ?? [];
    expect([found?.last, found?.firstTime]).toEqual([Float64Array.of(2), Float64Array.of(7)]);
    const [all] = bucketsIn(answer([1], { mean: [2], last_value: [3], first_time_us: [6n], last_time_us: [7n] })) ?? [];
    expect([all?.last, all?.firstTime]).toEqual([Float64Array.of(3), Float64Array.of(6)]);
  });

  test("that is cut off anywhere is no answer", () => {
    const whole = answer([2], { count: [1n, 2n], mean: [1, 2] });
    for (let size = 0; size < whole.byteLength; size++) expect(bucketsIn(whole.slice(0, size))).toBeNull();
    expect(bucketsIn(whole)).toHaveLength(1);
  });

  test("with fewer series than were asked for is a fault", async () => {
    const send = (() => Promise.resolve({ ok: true, data: answer([1], { count: [1n] }) })) as unknown as typeof postRaw;
    const ask = (count: number): Promise<Result<unknown>> => {
      const question: Question = { series: Array.from({ length: count }, () => ({ run_id: "a", metric: "m" })) };
      return readBuckets(question, new AbortController().signal, send);
    };
    expect(await ask(1)).toMatchObject({ ok: true });
    expect(await ask(2)).toMatchObject({ ok: false, error: { code: "unreadable" } });
  });
});

describe("the raw form of a page of points", () => {
  const columns = { steps: [2n ** 63n - 1n, -(2n ** 53n) - 1n], times_us: [0n, 1n], values: [NaN, -0] };

  test("rounds nothing", () => {
    const found = pageIn(page(columns, "more"));
    expect([...(found?.steps ?? [])]).toEqual(columns.steps);
    expect([...(found?.timesUs ?? [])]).toEqual(columns.times_us);
    expect([...(found?.values ?? [])]).toEqual(columns.values);
    expect([found?.cursor, pageIn(page({ steps: [], times_us: [], values: [] }, null))?.cursor]).toEqual(["more", null]);
  });

  test("that is cut off anywhere is no answer", () => {
    const whole = page(columns, null);
    for (let size = 0; size < whole.byteLength; size++) expect(pageIn(whole.slice(0, size))).toBeNull();
  });
});

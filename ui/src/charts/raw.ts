// Buckets as the server sends them to those who only wrap them: its raw form, which docs/reference/native-api.md describes.

import { postRaw, type Problem, type Request, type Result } from "../api/client";
import type { components, paths } from "../api/schema";
import { columnsOf, type Buckets } from "./buckets";

export type Question = components["schemas"]["BucketsRequest"];
type Send = typeof postRaw;

const FORM = "application/vnd.stepwell.buckets";
const CELL = 8;

interface Head {
  series: { rows: number }[];
  columns: { name: string; type: "int64" | "float64" }[];
}

/** The buckets of the series that were asked for, in their order. */
export async function readBuckets(body: Question, signal: AbortSignal, send: Send = postRaw): Promise<Result<Buckets[]>> {
  const request: Request<paths["/api/v1/buckets"]["post"]> = { body, signal };
  const answer = await send("/api/v1/buckets", request, FORM);
  if (!answer.ok) return answer;
  const found = bucketsIn(answer.data);
  return found !== null && found.length === body.series.length ? { ok: true, data: found } : { ok: false, error: SHORT };
}

/**
 * The buckets of every series, as windows on the answer: nothing is copied, and the answer is theirs from now on. Null where
 * the answer is not whole. A bucket of one point has it exactly: its mean is its value. Columns that were not asked for: the
 * first time is the last time, the last value is the mean.
 */
export function bucketsIn(answer: ArrayBuffer): Buckets[] | null {
  if (answer.byteLength < CELL) return null;
  const size = new DataView(answer).getUint32(0, true);
  if (CELL + size > answer.byteLength) return null;
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(answer, CELL, size))) as Head;
  const rows = head.series.reduce((sum, each) => sum + each.rows, 0);
  if (answer.byteLength !== CELL + size + head.columns.length * rows * CELL) return null;
  const whole = new Map<string, Float64Array>();
  head.columns.forEach(({ name, type }, nth) => {
    const column = new Float64Array(answer, CELL + size + nth * rows * CELL, rows);
    if (type === "int64") fromIntegers(column);
    else withoutInfinities(column);
    whole.set(name, column);
  });
  let from = 0;
  return head.series.map((each) => {
    const to = from + each.rows;
    const told = columnsOf((_, asked) => whole.get(asked)?.subarray(from, to) ?? new Float64Array(0));
    if (!whole.has("first_time_us")) told.firstTime = told.lastTime;
    if (!whole.has("last_value")) told.last = told.mean;
    from = to;
    return told;
  });
}

/** 64-bit integers become the nearest doubles, in place: as JSON's numbers do when they are read. */
function fromIntegers(column: Float64Array): void {
  const halves = new Int32Array(column.buffer, column.byteOffset, 2 * column.length);
  for (let row = 0; row < column.length; row++) {
    column[row] = (halves[2 * row + 1] ?? 0) * 2 ** 32 + ((halves[2 * row] ?? 0) >>> 0);
  }
}

/** What is not finite has no place on a line: the counts tell of it. */
function withoutInfinities(column: Float64Array): void {
  for (let row = 0; row < column.length; row++) if (!Number.isFinite(column[row])) column[row] = NaN;
}

const SHORT: Problem = {
  status: 0,
  code: "unreadable",
  message: "The answer is not whole.",
  field: null,
  position: null,
  requestId: null,
};

// Buckets and points as the server sends them to those who only wrap them: its raw forms, which docs/reference/native-api.md describes.

import { getRaw, postRaw, type Problem, type Request, type Result } from "../api/client";
import type { components, paths } from "../api/schema";
import { columnsOf, type Buckets } from "./buckets";

export type Question = components["schemas"]["BucketsRequest"];
type Send = typeof postRaw;

const FORM = "application/vnd.stepwell.buckets";
const PAGE_FORM = "application/vnd.stepwell.point-page";
const CELL = 8;

interface Described {
  columns: { name: string; type: "int64" | "float64" }[];
}

interface BucketsHead extends Described {
  series: { rows: number }[];
}

interface PageHead extends Described {
  rows: number;
  cursor: string | null;
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
  const read = readHead(answer);
  if (read === null) return null;
  const { cells } = read;
  const head = read.head as BucketsHead;
  const rows = head.series.reduce((sum, each) => sum + each.rows, 0);
  if (answer.byteLength !== cells + head.columns.length * rows * CELL) return null;
  const whole = new Map<string, Float64Array>();
  head.columns.forEach(({ name, type }, nth) => {
    const column = new Float64Array(answer, cells + nth * rows * CELL, rows);
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

/** What stands before the cells, and where these begin; null where it is not whole. */
function readHead(answer: ArrayBuffer): { head: unknown; cells: number } | null {
  if (answer.byteLength < CELL) return null;
  const size = new DataView(answer).getUint32(0, true);
  if (CELL + size > answer.byteLength) return null;
  return { head: JSON.parse(new TextDecoder().decode(new Uint8Array(answer, CELL, size))) as unknown, cells: CELL + size };
}

/** Points as they are stored: no step is rounded, and what is not finite is just that. */
export interface Page {
  steps: BigInt64Array;
  timesUs: BigInt64Array;
  values: Float64Array;
  /** Leads to the next page; null: this was the last. */
  cursor: string | null;
}

export type PageQuestion = Request<paths["/api/v1/runs/{run_id}/points"]["get"]>;

export async function readPage(asked: PageQuestion, send: typeof getRaw = getRaw): Promise<Result<Page>> {
  const answer = await send("/api/v1/runs/{run_id}/points", asked, PAGE_FORM);
  if (!answer.ok) return answer;
  const found = pageIn(answer.data);
  return found === null ? { ok: false, error: SHORT } : { ok: true, data: found };
}

/** The points of a page, as windows on the answer; null where it is not whole. */
export function pageIn(answer: ArrayBuffer): Page | null {
  const read = readHead(answer);
  if (read === null) return null;
  const { cells } = read;
  const head = read.head as PageHead;
  if (answer.byteLength !== cells + head.columns.length * head.rows * CELL) return null;
  const at = (name: string) => cells + head.columns.findIndex((column) => column.name === name) * head.rows * CELL;
  return {
    steps: new BigInt64Array(answer, at("steps"), head.rows),
    timesUs: new BigInt64Array(answer, at("times_us"), head.rows),
    values: new Float64Array(answer, at("values"), head.rows),
    cursor: head.cursor,
  };
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

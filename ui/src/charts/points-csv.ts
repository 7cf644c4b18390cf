// The numbers of a card as a file: every point of the visible window, read from the server page by page and written as
// it is stored, not what was drawn.

import type { Problem } from "../api/client";
import { field } from "../parts/cells";
import { readPage, type Page } from "./raw";
import type { Shown } from "./shown";
import type { Window } from "./source";

const PAGE = 100_000;
const HEAD = "run_id,run_name,metric,labels,step,time_us,time,value\r\n";

/** Every point of the lines in their windows; the first problem ends it. `labels` is JSON, empty where all label sets are one line. */
export async function csv(metric: string, asked: readonly { run: Shown; window: Window }[], signal: AbortSignal, read = readPage): Promise<Blob | Problem> {
  const parts: string[] = [HEAD];
  for (const { run, window } of asked) {
    const fixed = [run.id, run.name, metric, run.labels === undefined ? "" : JSON.stringify(run.labels)].map(field).join(",");
    const label = run.labels === undefined ? [] : labelsOf(run.labels);
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = { metric, limit: PAGE, cursor, ...(label.length > 0 ? { label } : {}), ...present(window) };
      const result: Awaited<ReturnType<typeof read>> = await read({ path: { run_id: run.id }, query, signal });
      if (!result.ok) return result.error;
      parts.push(rows(fixed, result.data));
      cursor = result.data.cursor;
    }
  }
  return new Blob(parts, { type: "text/csv" });
}

function labelsOf(labels: Readonly<Record<string, string>>): string[] {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? [""] : pairs;
}

function present(window: Window): { [K in keyof Window]?: number } {
  return Object.fromEntries(Object.entries(window).filter(([, value]) => value !== null));
}

/** Empty beyond the years that a date can tell. */
function iso(timeUs: bigint): string {
  const date = new Date(Number(timeUs) / 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** A page as text; a number is the shortest that reads back as the same. */
function rows(fixed: string, { steps, timesUs, values }: Page): string {
  return Array.from(steps, (step, row) => {
    const time = timesUs[row] ?? 0n;
    return `${fixed},${step},${time},${iso(time)},${values[row] ?? NaN}\r\n`;
  }).join("");
}

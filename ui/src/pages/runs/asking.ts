// What the table asks the server for.

import { get, post, type Result } from "../../api/client";
import type { Keyed } from "../../parts/completion";
import type { Options } from "../../parts/picker";
import { idsFilter } from "../../state/filter";
import type { Columns } from "../../state/chosen";
import { rowsOf, type RunRow } from "../../state/rows";
import type { Question } from "../../state/search";
import type { Ask } from "./rows";

/** Pages of a search, each with its total. */
export function asking(question: Question, columns: Columns): Ask {
  return async (skip, limit, signal) => {
    const body = { ...question, skip, limit, total: true, columns: wanted(columns) };
    const page = await post("/api/v1/runs/search", { body, signal });
    return page.ok ? { ok: true, data: { rows: rowsOf(page.data), total: page.data.total ?? 0 } } : page;
  };
}

/** So many ids fit into a filter, whatever they are. */
const IDS = 200;

/** These runs as they are now. */
export async function runsOf(ids: readonly string[], columns: Columns, signal: AbortSignal): Promise<Result<RunRow[]>> {
  const found: RunRow[] = [];
  for (let at = 0; at < ids.length; at += IDS) {
    const body = { filter: idsFilter(ids.slice(at, at + IDS)), visibility: "all" as const, limit: IDS, columns: wanted(columns) };
    const page = await post("/api/v1/runs/search", { body, signal });
    if (!page.ok) return page;
    found.push(...rowsOf(page.data));
  }
  return { ok: true, data: found };
}

/** All runs of a search, page by page in the order of the search. */
export async function everyPage(
  question: Question,
  columns: Columns,
  take: (rows: RunRow[]) => void,
  signal: AbortSignal,
): Promise<Result<null>> {
  let cursor = "";
  for (;;) {
    const body = { ...question, limit: 1000, cursor, columns: wanted(columns) };
    const page = await post("/api/v1/runs/search", { body, signal });
    if (!page.ok) return page;
    take(rowsOf(page.data));
    if (page.data.cursor === null) return { ok: true, data: null };
    cursor = page.data.cursor;
  }
}

function wanted({ metrics = [], params = [], tags = [] }: Columns) {
  return { metrics: [...metrics], params: [...params], tags: [...tags] };
}

const LISTED = 100;

/** Names of metrics, params or tags that contain a text, of the experiments in view. */
export async function keysOf(kind: Keyed, typed: string, question: Question, signal: AbortSignal): Promise<Result<string[]>> {
  const query = { kind, contains: typed, experiment_id: question.experiment_ids ?? [], limit: LISTED };
  const found = await get("/api/v1/names", { query, signal });
  return found.ok ? { ok: true, data: found.data.names } : found;
}

/** The keys as options; what was typed is one too, for runs that are still to come. */
export function optionsOf(keys: readonly string[], typed: string): Options {
  const options = keys.map((key) => ({ id: key, text: key, hint: "" }));
  if (typed !== "" && !keys.includes(typed)) options.push({ id: typed, text: typed, hint: "as written" });
  return { options, more: keys.length >= LISTED };
}


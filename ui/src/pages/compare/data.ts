// The runs that are compared, with params, tags and what is asked of their metrics, followed while they run.

import { useMemo } from "preact/hooks";
import { post, type Result } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { stylesOf, type Style } from "../../charts/colours";
import { dealtTo } from "../../state/chosen";
import { idsFilter } from "../../state/filter";
import { PARAMS, useParam } from "../../state/params";
import { rowsOf, type RunRow } from "../../state/rows";
import { useQuestion } from "../../state/search";
import { useAgain, useTick } from "../../state/tick";

/** More runs are not compared; the page says so. */
export const MOST_RUNS = 2000;
const PAGE = 1000;
/** So many ids fit into a filter, whatever they are. */
const IDS = 200;
/** A running run among so many is asked for every second; among more, less often. */
const EVERY_SECOND = 200;
/** Seconds between two looks for new runs while none is running. */
const IDLE = 10;

export interface Compared {
  runs: RunRow[];
  /** How many the search found. */
  total: number;
}

/** With how each run is drawn, as in charts. */
export type Styled = Compared & { styles: ReadonlyMap<string, Style> };

/** The runs that the address names, else all of the search; less the hidden ones. */
export function useCompared(metrics: readonly string[] = []) {
  const question = useQuestion();
  const [shown] = useParam(PARAMS.shown);
  const [hidden] = useParam(PARAMS.hidden);
  const key = JSON.stringify([shown.length === 0 ? question : shown, metrics]);
  const found = useFetching(key, (signal) => (shown.length === 0 ? everyRun(question, metrics, signal) : namedRuns(shown, metrics, signal)));
  const [live] = useParam(PARAMS.live);
  const running = found.data?.runs.some((run) => run.status === "RUNNING") === true;
  useAgain(useTick(paceOf(live, running, found.data?.runs.length ?? 0)), found);
  const data = useMemo((): Styled | null => {
    if (found.data === null) return null;
    const gone = new Set(hidden);
    const { runs, total } = found.data;
    return { runs: runs.filter((run) => !gone.has(run.id)), total, styles: stylesOf(dealtTo(shown, runs.map((run) => run.id))) };
  }, [found.data, hidden, shown]);
  return { ...found, data };
}

/** Seconds between two questions, when runs are followed every `live` seconds; 0: none. */
export function paceOf(live: number, running: boolean, runs: number): number {
  return live === 0 ? 0 : Math.max(live, running ? 0 : IDLE, runs / EVERY_SECOND);
}

type Asked = Partial<ReturnType<typeof useQuestion>>;

/** The runs with these ids, in their order. */
async function namedRuns(ids: readonly string[], metrics: readonly string[], signal: AbortSignal): Promise<Result<Compared>> {
  const runs = new Map<string, RunRow>();
  for (let at = 0; at < ids.length; at += IDS) {
    const found = await everyRun({ filter: idsFilter(ids.slice(at, at + IDS)), visibility: "all" }, metrics, signal);
    if (!found.ok) return found;
    for (const run of found.data.runs) runs.set(run.id, run);
  }
  const there = ids.flatMap((id) => runs.get(id) ?? []);
  return { ok: true, data: { runs: there, total: there.length } };
}

async function everyRun(asked: Asked, metrics: readonly string[], signal: AbortSignal): Promise<Result<Compared>> {
  const runs: RunRow[] = [];
  let total = 0;
  const columns = { params: "*" as const, tags: "*" as const, metrics: [...metrics] };
  const page = (cursor: string) => post("/api/v1/runs/search", { body: { ...asked, limit: PAGE, cursor, total: true, columns }, signal });
  for (let cursor: string | null = ""; cursor !== null && runs.length < MOST_RUNS; ) {
    const found: Awaited<ReturnType<typeof page>> = await page(cursor);
    if (!found.ok) return found;
    runs.push(...rowsOf(found.data));
    total = found.data.total ?? runs.length;
    cursor = found.data.cursor;
  }
  return { ok: true, data: { runs, total } };
}

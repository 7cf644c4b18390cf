// The runs that are compared, with params and tags, and the buckets of one metric of all of them.

import { useMemo } from "preact/hooks";
import { post, type Problem, type Result } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { columnsFor, type Buckets } from "../../charts/buckets";
import { readBuckets } from "../../charts/raw";
import type { Reach } from "../../charts/window";
import { idsFilter } from "../../state/filter";
import { PARAMS, useParam } from "../../state/params";
import { rowsOf, type RunRow } from "../../state/rows";
import { useQuestion } from "../../state/search";

/** More runs are not compared; the page says so. */
export const MOST_RUNS = 2000;
const PAGE = 1000;
const MOST_SERIES = 1000;
const BUDGET = 300;

export interface Compared {
  runs: RunRow[];
  /** How many the search found. */
  total: number;
}

/** The runs that the address names, else all of the search; less the hidden ones. */
export function useCompared(metrics: readonly string[] = []) {
  const question = useQuestion();
  const [shown] = useParam(PARAMS.shown);
  const [hidden] = useParam(PARAMS.hidden);
  const asked = shown.length === 0 ? question : { filter: idsFilter(shown), visibility: "all" as const };
  const key = JSON.stringify([asked, metrics]);
  const found = useFetching(key, (signal) => everyRun(asked, metrics, signal));
  const data = useMemo((): Compared | null => {
    if (found.data === null) return null;
    const gone = new Set(hidden);
    return { runs: found.data.runs.filter((run) => !gone.has(run.id)), total: found.data.total };
  }, [found.data, hidden]);
  return { ...found, data };
}

type Asked = Partial<ReturnType<typeof useQuestion>>;

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

/** One metric of the runs, in their order: whole, or what of its steps the zoom shows. Runs without it have no buckets. */
export function useMetric(metric: string, ids: readonly string[], zoom: Reach | null): { data: Buckets[] | null; error: Problem | null; retry: () => void } {
  const window = zoom === null ? {} : { min_step: Math.floor(zoom.min), max_step: Math.ceil(zoom.max) };
  const key = JSON.stringify([metric, ids, window]);
  const found = useFetching(key, async (signal): Promise<Result<{ key: string; all: Buckets[] }>> => {
    const all: Buckets[] = [];
    for (let from = 0; from < ids.length; from += MOST_SERIES) {
      const series = ids.slice(from, from + MOST_SERIES).map((id) => ({ run_id: id, metric }));
      const answer = await readBuckets({ series, window, budget: BUDGET, columns: [...columnsFor({ times: false, last: false })] }, signal);
      if (!answer.ok) return answer;
      all.push(...answer.data);
    }
    return { ok: true, data: { key, all } };
  });
  // What was answered before the runs changed belongs to others.
  return { data: found.data?.all.length === ids.length ? found.data.all : null, error: found.error, retry: found.retry };
}

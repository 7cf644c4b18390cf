// Which metrics the chosen runs have.

import { useMemo } from "preact/hooks";
import { post, type Problem } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { PARAMS, useParam } from "../../state/params";
import { useAgain, useTick } from "../../state/tick";

export interface Keys {
  /** The runs of each metric. */
  runsOf: ReadonlyMap<string, ReadonlySet<string>>;
  loading: boolean;
  error: Problem | null;
  retry: () => void;
}

/** How often new metrics of running runs are looked for, at most. */
const SECONDS = 10;

export function useKeys(runIds: readonly string[], running: boolean): Keys {
  const key = runIds.length === 0 ? null : runIds.join(" ");
  const found = useFetching(key, (signal) => post("/api/v1/summaries", { body: { run_ids: [...runIds], columns: ["count"] }, signal }));
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(running && live > 0 ? Math.max(live, SECONDS) : 0), found);
  const runsOf = useMemo(() => {
    const all = new Map<string, Set<string>>();
    found.data?.metric.forEach((metric, row) => {
      const run = found.data?.run_id[row] ?? "";
      const runs = all.get(metric);
      if (runs === undefined) all.set(metric, new Set([run]));
      else runs.add(run);
    });
    return all;
  }, [found.data]);
  return { runsOf, loading: found.loading && found.old, error: found.error, retry: found.retry };
}

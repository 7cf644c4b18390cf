// Which label sets the metrics of runs have, and what becomes of a chart's runs by them.

import { useMemo } from "preact/hooks";
import { post } from "../api/client";
import { useFetching } from "../api/fetching";
import { PARAMS, useParam } from "../state/params";
import { useAgain, useTick } from "../state/tick";
import { apart, setsOf, type Apart, type LabelSets } from "./apart";
import type { Shown } from "./shown";

const NONE: LabelSets = new Map();
/** How often new label sets of running runs are looked for, at most. */
const SECONDS = 10;

/** The label sets of these runs, no more than 1000. Until they are known, and where they cannot be had, there are none. */
export function useLabelSets(runIds: readonly string[], running: boolean): LabelSets {
  const key = runIds.length === 0 ? null : runIds.join(" ");
  const found = useFetching(key, (signal) => post("/api/v1/label-sets", { body: { run_ids: [...runIds] }, signal }));
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(running && live > 0 ? Math.max(live, SECONDS) : 0), found);
  // The same until something of it changes: most answers tell nothing new.
  const said = found.data === null ? "" : JSON.stringify(found.data);
  return useMemo(() => (found.data === null ? NONE : setsOf(found.data)), [said]);
}

/** The lines of each metric: the same list until runs or label sets change, so that cards need not think again. */
export function useApart(runsOf: (metric: string) => readonly Shown[], sets: LabelSets): (metric: string) => Apart {
  return useMemo(() => {
    const found = new Map<string, Apart>();
    return (metric) => {
      const known = found.get(metric) ?? apart(runsOf(metric), sets, metric);
      found.set(metric, known);
      return known;
    };
  }, [runsOf, sets]);
}

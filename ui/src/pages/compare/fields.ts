// What runs can be put on an axis by: params, tags, and the aggregates of metrics.

import { useMemo } from "preact/hooks";
import type { RunRow } from "../../state/rows";
import { useKeys } from "../charts/keys";
import { fieldsOf } from "./groups";

/** Metrics are looked for in so many of the runs, and so many are offered. */
export const ASKED = 50;
const OFFERED = 500;

export function useFields(runs: readonly RunRow[]): string[] {
  const keys = useKeys(runs.slice(0, ASKED).map((run) => run.id), false);
  return useMemo(() => {
    const metrics = [...keys.runsOf.keys()].sort().slice(0, OFFERED);
    return [...fieldsOf(runs), ...metrics.flatMap((metric) => ["last", "min", "max", "mean"].map((aggregate) => `${aggregate}(${metric})`))];
  }, [runs, keys.runsOf]);
}

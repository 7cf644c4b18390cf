// The search that the address describes: which runs, in which order. What of it is drawn is said by chosen.ts.

import { useMemo } from "preact/hooks";
import type { components } from "../api/schema";
import { filterOf } from "./filter";
import { PARAMS, useParam } from "./params";

export type Question = Pick<components["schemas"]["RunSearch"], "experiment_ids" | "filter" | "order_by" | "visibility">;

/** The same object until the address asks something else. */
export function useQuestion(): Question {
  const [experiments] = useParam(PARAMS.experiments);
  const [filter] = useParam(PARAMS.filter);
  const [order] = useParam(PARAMS.order);
  const [visibility] = useParam(PARAMS.visibility);
  return useMemo(
    () => ({
      experiment_ids: experimentIds(experiments),
      filter: filterOf(filter),
      order_by: [...order],
      visibility,
    }),
    [experiments, filter, order, visibility],
  );
}

/** Null is all of the workspace. What is no number in the address names no experiment. */
export function experimentIds(words: readonly string[]): number[] | null {
  const ids = words.filter((word) => /^\d+$/.test(word)).map(Number);
  return ids.length === 0 ? null : ids;
}

// The search that the address describes: which runs, in which order. What of it is drawn is said by chosen.ts.

import { useMemo } from "preact/hooks";
import type { components } from "../api/schema";
import { withArchive } from "./archive";
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
      order_by: [...order],
      ...kept(filterOf(filter), visibility),
    }),
    [experiments, filter, order, visibility],
  );
}

function kept(filter: string, visibility: typeof PARAMS.visibility.initial): Pick<Question, "filter" | "visibility"> {
  if (visibility === "deleted" || visibility === "all") return { filter, visibility };
  return { filter: withArchive(filter, visibility === "archived"), visibility: "active" };
}

/** Null is all of the workspace. What is no number in the address names no experiment. */
export function experimentIds(words: readonly string[]): number[] | null {
  const ids = words.filter((word) => /^\d+$/.test(word)).map(Number);
  return ids.length === 0 ? null : ids;
}

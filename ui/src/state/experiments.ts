// What experiments are called: runs name theirs by number.

import { useMemo } from "preact/hooks";
import { get } from "../api/client";
import { useFetching } from "../api/fetching";
import { quoted } from "./filter";

/** The name of each experiment, its number until that is known. */
export function useExperimentNames(ids: readonly number[]): (id: number) => string {
  const wanted = [...new Set(ids)].sort((a, b) => a - b);
  const filter = wanted.length === 0 ? null : `experiment_id IN (${wanted.map((id) => quoted(String(id))).join(", ")})`;
  const found = useFetching(filter, (signal) => get("/api/v1/experiments", { query: { filter: filter ?? "", limit: wanted.length }, signal }));
  return useMemo(() => {
    const names = new Map(found.data?.experiments.id.map((id, at) => [id, found.data?.experiments.name[at] ?? ""]));
    return (id) => names.get(id) ?? String(id);
  }, [found.data]);
}

// When the running runs in view were last heard of. Points do not change the run they belong to, so for a run that has
// long not changed the server is asked when it last measured something: nobody is called silent before that is known.

import { post, type Result } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { useSettled } from "../../parts/picker";
import { PARAMS, useParam } from "../../state/params";
import type { RunRow } from "../../state/rows";
import { useAgain, useTick } from "../../state/tick";
import { lastKnownUs, SILENT_US } from "./status";

/** Seconds between two questions about the same runs; and where the age is to be read off. */
const AGAIN = 60;
const AGAIN_SHOWN = 5;

/** Of a run the microseconds at which it was last heard of; null where that is not known yet. */
export type Heard = (row: RunRow) => number | null;

/** `shown`: the age is to be told to the second, not only when it is long. */
export function useHeard(rows: readonly RunRow[], nowUs: number, shown: boolean): Heard {
  const doubtful = (row: RunRow) => row.status === "RUNNING" && (shown || nowUs - lastKnownUs(row) >= SILENT_US);
  const ids = rows.filter(doubtful).map((row) => row.id);
  const asked = useSettled(ids.join(" "), 60);
  const found = useFetching(asked === "" ? null : asked, (signal) => measured(asked.split(" "), signal));
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(live === 0 ? 0 : shown ? AGAIN_SHOWN : AGAIN), found);
  return (row) => {
    // A row can be drawn before it is among those in view: the doubt is its own.
    if (!doubtful(row)) return lastKnownUs(row);
    const last = found.data?.get(row.id);
    return last === undefined ? null : Math.max(lastKnownUs(row), last);
  };
}

/** When each run last measured something; 0: never. */
async function measured(ids: readonly string[], signal: AbortSignal): Promise<Result<ReadonlyMap<string, number>>> {
  const found = await post("/api/v1/summaries", { body: { run_ids: [...ids], columns: ["greatest_time_us"] }, signal });
  if (!found.ok) return found;
  const { run_id: runs, greatest_time_us: times = [] } = found.data;
  const last = new Map(ids.map((id) => [id, 0]));
  runs.forEach((id, at) => last.set(id, Math.max(last.get(id) ?? 0, times[at] ?? 0)));
  return { ok: true, data: last };
}

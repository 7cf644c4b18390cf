// Changes of many runs: what was done is told, with the way back where there is one.

import { post } from "../../api/client";
import type { components } from "../../api/schema";
import { counted, whole } from "../../charts/format";
import { notify } from "../../parts/notices";
import { ARCHIVED } from "../../state/archive";

type Change = Omit<components["schemas"]["RunsChange"], "run_ids">;
/** As many as one request may change. */
const MOST = 1000;

/** Change the runs, all of a request or none; the ids it was done to. Why the others refuse is told. */
export async function change(ids: readonly string[], to: Change, ask: typeof post = post): Promise<string[]> {
  const done: string[] = [];
  let why: string | null = null;
  for (let from = 0; from < ids.length; from += MOST) {
    const some = ids.slice(from, from + MOST);
    const answer = await ask("/api/v1/runs/change", { body: { run_ids: some, ...to } });
    if (!answer.ok) {
      why = answer.error.message;
      break;
    }
    const refused = new Set(answer.data.refused.map((each) => each.run_id));
    done.push(...some.filter((id) => !refused.has(id)));
    why ??= answer.data.refused[0]?.message ?? null;
  }
  if (why !== null) notify({ text: `${whole(done.length)} of ${counted(ids.length, "run")} done. ${why}`, bad: true });
  return done;
}

export async function deleteRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await change(ids, { lifecycle: "deleted" });
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} deleted.`, undo: () => void restoreRuns(done, after) });
}

export async function restoreRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await change(ids, { lifecycle: "active" });
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} restored.`, undo: () => void deleteRuns(done, after) });
}

export async function archiveRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await change(ids, tagged(ARCHIVED, "yes"));
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} archived.`, undo: () => void unarchiveRuns(done, after) });
}

export async function unarchiveRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await change(ids, tagged(ARCHIVED, null));
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} back from the archive.`, undo: () => void archiveRuns(done, after) });
}

export async function purgeRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await change(ids, { purge: true });
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} removed for good.` });
}

/** Set a tag, or with null remove it. `before` says what each run had: the way back. */
export async function tagRuns(
  ids: readonly string[],
  key: string,
  value: string | null,
  before: ReadonlyMap<string, string | null>,
  after: () => void,
): Promise<void> {
  const done = await change(ids, tagged(key, value));
  after();
  const undo = async () => {
    for (const had of new Set(done.map((id) => before.get(id) ?? null))) {
      await change(done.filter((id) => (before.get(id) ?? null) === had), tagged(key, had));
    }
    after();
  };
  const what = value === null ? `Tag ${key} removed from` : `Tag ${key} set on`;
  if (done.length > 0) notify({ text: `${what} ${counted(done.length, "run")}.`, undo: () => void undo() });
}

function tagged(key: string, value: string | null): Change {
  return value === null ? { remove_tags: [key] } : { set_tags: { [key]: value } };
}

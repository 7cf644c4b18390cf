// Changes of many runs: what was done is told, with the way back where there is one.

import { patch, post, remove, type Result } from "../../api/client";
import { counted } from "../../charts/format";
import { notify } from "../../parts/notices";
import { ARCHIVED } from "../../state/archive";

type Act = (id: string) => Promise<Result<unknown>>;
const AT_ONCE = 6;

/** Do it to every run, a few at a time; the ids it was done to. The first refusal ends it and is told. */
export async function toEach(ids: readonly string[], act: Act): Promise<string[]> {
  const done: string[] = [];
  const left = [...ids];
  const refused: string[] = [];
  const work = async () => {
    for (let id = left.shift(); id !== undefined && refused.length === 0; id = left.shift()) {
      const result = await act(id);
      if (result.ok) done.push(id);
      else refused.push(result.error.message);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const why of refused.slice(0, 1)) notify({ text: `${counted(done.length, "run")} of ${ids.length} done. ${why}`, bad: true });
  return done;
}

const hide: Act = (id) => remove("/api/v1/runs/{run_id}", { path: { run_id: id } });
const restore: Act = (id) => post("/api/v1/runs/{run_id}/restore", { path: { run_id: id } });
const purge: Act = (id) => remove("/api/v1/runs/{run_id}", { path: { run_id: id }, query: { purge: true } });

export async function deleteRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await toEach(ids, hide);
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} deleted.`, undo: () => void restoreRuns(done, after) });
}

export async function restoreRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await toEach(ids, restore);
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} restored.`, undo: () => void deleteRuns(done, after) });
}

export async function archiveRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await toEach(ids, (id) => tag(id, ARCHIVED, "yes"));
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} archived.`, undo: () => void unarchiveRuns(done, after) });
}

export async function unarchiveRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await toEach(ids, (id) => tag(id, ARCHIVED, null));
  after();
  if (done.length > 0) notify({ text: `${counted(done.length, "run")} back from the archive.`, undo: () => void archiveRuns(done, after) });
}

export async function purgeRuns(ids: readonly string[], after: () => void): Promise<void> {
  const done = await toEach(ids, purge);
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
  const done = await toEach(ids, (id) => tag(id, key, value));
  after();
  const undo = async () => {
    await toEach(done, (id) => tag(id, key, before.get(id) ?? null));
    after();
  };
  const what = value === null ? `Tag ${key} removed from` : `Tag ${key} set on`;
  if (done.length > 0) notify({ text: `${what} ${counted(done.length, "run")}.`, undo: () => void undo() });
}

function tag(id: string, key: string, value: string | null): Promise<Result<unknown>> {
  const body = value === null ? { remove_tags: [key] } : { set_tags: { [key]: value } };
  return patch("/api/v1/runs/{run_id}", { path: { run_id: id }, body });
}

// What can be done with the selected runs.

import { useState } from "preact/hooks";
import { counted, whole } from "../../charts/format";
import { Confirm } from "../../parts/dialog";
import { notify } from "../../parts/notices";
import { Popover } from "../../parts/popover";
import { isArchived } from "../../state/archive";
import { MOST, NAMED } from "../../state/chosen";
import type { RunRow } from "../../state/rows";
import { runsOf } from "./asking";
import { archiveRuns, deleteRuns, purgeRuns, restoreRuns, tagRuns, unarchiveRuns } from "./changing";

interface BulkProps {
  ids: readonly string[];
  /** Those of the selected runs that are loaded. */
  rows: readonly RunRow[];
  writes: boolean;
  onDraw: () => void;
  onClear: () => void;
  /** Runs were changed, now or later by the way back. */
  onChanged: () => void;
}

export function Bulk(props: BulkProps) {
  const { ids, writes, onDraw, onClear } = props;
  return (
    <div class="bulk" role="toolbar" aria-label="Selected runs">
      <strong>{counted(ids.length, "run")} selected</strong>
      <button type="button" onClick={onDraw} title={`Draw exactly these in charts, ${MOST} at a time, and in comparisons`}>
        Draw {ids.length > NAMED ? `the first ${whole(NAMED)}` : "these"}
      </button>
      {writes && <Changes {...props} />}
      <button type="button" onClick={onClear}>
        Clear
      </button>
    </div>
  );
}

function Changes({ ids, rows, onClear, onChanged }: BulkProps) {
  const [asked, setAsked] = useState<"delete" | "purge" | null>(null);
  const hidden = rows.filter((row) => row.deleted).map((row) => row.id);
  const there = ids.filter((id) => !hidden.includes(id));
  const shelved = rows.filter((row) => isArchived(row) && there.includes(row.id)).map((row) => row.id);
  const listed = there.filter((id) => !shelved.includes(id));
  // What is done needs no selection any more; at its end there may be another one.
  const begin = (work: (ids: readonly string[], after: () => void) => Promise<void>, to: readonly string[]) => {
    onClear();
    void work(to, onChanged);
  };
  return (
    <>
      <Popover button="Tag ▾" label="Set or remove a tag">
        {(close) => <TagForm begin={(work) => begin(work, ids)} close={close} />}
      </Popover>
      <Act to={listed} word="Archive" title="Leave them out of lists; they are kept, and to clients runs like all others" act={() => begin(archiveRuns, listed)} />
      <Act to={shelved} word="Take out of the archive" act={() => begin(unarchiveRuns, shelved)} />
      <Act to={there} word="Delete…" class="danger" act={() => setAsked("delete")} />
      <Act to={hidden} word="Restore" act={() => begin(restoreRuns, hidden)} />
      <Act to={hidden} word="Remove for good…" class="danger" act={() => setAsked("purge")} />
      {asked === "delete" && (
        <Confirm title={`Delete ${counted(there.length, "run")}?`} action="Delete" onConfirm={() => begin(deleteRuns, there)} close={() => setAsked(null)}>
          <Names rows={rows.filter((row) => !row.deleted)} count={there.length} />
          <p>They are hidden and kept; you can restore them.</p>
        </Confirm>
      )}
      {asked === "purge" && (
        <Confirm title={`Remove ${counted(hidden.length, "run")} for good?`} action="Remove for good" onConfirm={() => begin(purgeRuns, hidden)} close={() => setAsked(null)}>
          <Names rows={rows.filter((row) => row.deleted)} count={hidden.length} />
          <p>All their points, params, tags, logs and files go. Nothing brings them back.</p>
        </Confirm>
      )}
    </>
  );
}

interface ActProps {
  /** Those it is done to; without any there is no button. */
  to: readonly string[];
  word: string;
  title?: string;
  class?: string;
  act: () => void;
}

function Act({ to, word, title, class: name, act }: ActProps) {
  if (to.length === 0) return null;
  return (
    <button type="button" class={name} title={title} onClick={act}>
      {word}
    </button>
  );
}

function Names({ rows, count }: { rows: readonly RunRow[]; count: number }) {
  const told = rows.slice(0, 5).map((row) => row.name);
  const rest = count - told.length;
  return (
    <p>
      {told.join(", ")}
      {rest > 0 && ` and ${rest} more`}
    </p>
  );
}

interface TagFormProps {
  /** Hands out the runs, and what to call when they were changed. */
  begin: (work: (ids: readonly string[], after: () => void) => Promise<void>) => void;
  close: () => void;
}

function TagForm({ begin, close }: TagFormProps) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const set = (given: string | null) => {
    close();
    begin(async (ids, after) => {
      const before = await runsOf(ids, { tags: [key] }, new AbortController().signal);
      if (!before.ok) return notify({ text: before.error.message, bad: true });
      const had = new Map(before.data.map((row) => [row.id, row.tags[key] ?? null]));
      await tagRuns(ids, key, given, had, after);
    });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        set(value);
      }}
    >
      <label class="field">
        <span>Name of the tag</span>
        <input required value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Value</span>
        <input value={value} onInput={(event) => setValue(event.currentTarget.value)} />
      </label>
      <div class="choices">
        <button type="button" disabled={key === ""} onClick={() => set(null)}>
          Remove the tag
        </button>
        <button type="submit" disabled={key === ""}>
          Set
        </button>
      </div>
    </form>
  );
}

// The audit log: who did what, newest first, a page at a time, narrowed by action, credential and time.

import { useState } from "preact/hooks";
import type { components } from "../../api/schema";
import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { KINDS, since } from "./noted";

type Entry = components["schemas"]["AuditEntry"];

const PAGE = 50;
const PERIODS: readonly (readonly [string, string])[] = [
  ["", "any time"],
  ["1", "a day"],
  ["7", "a week"],
  ["30", "30 days"],
];

export function Audit() {
  const [action, setAction] = useState("");
  const [credential, setCredential] = useState("");
  const [days, setDays] = useState("");
  const [cursors, setCursors] = useState<string[]>([]);
  const cursor = cursors.at(-1) ?? "";
  const key = JSON.stringify([action, credential.trim(), days, cursor]);
  const found = useFetching(`audit ${key}`, (signal) => {
    const fits = { action: action || undefined, credential: credential.trim() || undefined, since_us: since(days, Date.now()) };
    return get("/api/v1/audit", { query: { ...fits, limit: PAGE, cursor }, signal });
  });
  const narrowed = <T,>(set: (value: T) => void) => (value: T) => {
    set(value);
    setCursors([]);
  };
  const next = found.data?.cursor ?? null;
  return (
    <section aria-labelledby="audit">
      <h2 id="audit">Audit log</h2>
      <form class="narrow" aria-label="Which entries" onSubmit={(event) => event.preventDefault()}>
        <label class="field">
          <span>Action</span>
          <select value={action} onChange={(event) => narrowed(setAction)(event.currentTarget.value)}>
            <option value="">any</option>
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {kind}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Credential</span>
          <input placeholder="its id" value={credential} onInput={(event) => narrowed(setCredential)(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Within</span>
          <select value={days} onChange={(event) => narrowed(setDays)(event.currentTarget.value)}>
            {PERIODS.map(([value, title]) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        </label>
      </form>
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="the audit log" />}
      {found.data?.entries.length === 0 && <Empty>Nothing that fits was noted.</Empty>}
      {found.data !== null && found.data.entries.length > 0 && <Entries entries={found.data.entries} />}
      <div class="choices">
        <button type="button" disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
          Newer
        </button>
        <button type="button" disabled={next === null || found.old} onClick={() => setCursors([...cursors, next ?? ""])}>
          Older
        </button>
      </div>
    </section>
  );
}

function Entries({ entries }: { entries: readonly Entry[] }) {
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            {["When", "Action", "Workspace", "What", "Details", "By", "From"].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.number}>
              <td>{moment(Math.floor(entry.at_us / 1e6))}</td>
              <td>{entry.action}</td>
              <td>{entry.workspace === "*" ? "all" : entry.workspace}</td>
              <td>{entry.subject}</td>
              <td>
                {Object.entries(entry.details)
                  .map(([name, value]) => `${name}: ${value}`)
                  .join(", ")}
              </td>
              <td>
                {entry.credential_id === null ? <span class="faint">no credential</span> : <code>{entry.credential_id}</code>} via {entry.via}
              </td>
              <td>{entry.address ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// The runs beside the charts: which are drawn, in which colour. Only the rows in view are in the document.

import { useRef, useState } from "preact/hooks";
import { post } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { dashesOf, inkOf } from "../../charts/colours";
import { useTopic, type Stage } from "../../charts/stage";
import { Swatch } from "../../charts/tooltip";
import { Failed } from "../../parts/states";
import { link } from "../../state/route";
import { rowsOf, type RunRow } from "../../state/rows";
import { useQuestion } from "../../state/search";
import type { Chosen } from "../../state/chosen";

const ROW = 28;
const MOST = 1000;

interface RunListProps {
  chosen: Chosen;
  stage: Stage;
  dark: boolean;
}

export function RunList({ chosen, stage, dark }: RunListProps) {
  const question = useQuestion();
  const [text, setText] = useState("");
  const body = { ...question, limit: MOST };
  const found = useFetching(JSON.stringify(body), (signal) => post("/api/v1/runs/search", { body, signal }));
  const rows = found.data === null ? chosen.candidates : merged(chosen.candidates, rowsOf({ ...found.data, metrics: {}, params: {}, tags: {} }));
  const matching = rows.filter(matcher(text));
  return (
    <aside class="runlist" aria-label="Runs">
      <input type="search" aria-label="Find runs by name" placeholder="Find runs" title="A part of the name, or /a regular expression/" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      <Rows rows={matching} chosen={chosen} stage={stage} dark={dark} />
      <p class="chart-notes">
        {chosen.runs.length} drawn, {matching.length} listed
        {(found.data?.runs.id.length ?? 0) >= MOST && ": the first of the search"}
      </p>
    </aside>
  );
}

/** The drawn ones first: they may not be among the first of the search. */
function merged(first: readonly RunRow[], rest: readonly RunRow[]): RunRow[] {
  const ids = new Set(first.map((row) => row.id));
  return [...first, ...rest.filter((row) => !ids.has(row.id))];
}

function matcher(text: string): (row: RunRow) => boolean {
  const expression = /^\/(.*)\/?$/.exec(text)?.[1]?.replace(/\/$/, "");
  if (expression === undefined) {
    const part = text.toLowerCase();
    return (row) => row.name.toLowerCase().includes(part) || row.id.includes(text);
  }
  try {
    const pattern = new RegExp(expression, "i");
    return (row) => pattern.test(row.name);
  } catch {
    return () => false;
  }
}

function Rows({ rows, chosen, stage, dark }: RunListProps & { rows: readonly RunRow[] }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const highlighted = useTopic(stage.highlighted);
  const height = box.current?.clientHeight ?? 800;
  const begin = Math.max(0, Math.floor(top / ROW) - 5);
  const end = Math.min(rows.length, Math.ceil((top + height) / ROW) + 5);
  const keys = chosen.candidates.map((row) => row.id);
  const dashes = dashesOf(keys);
  return (
    <div class="runlist-rows" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <ul style={{ paddingTop: `${begin * ROW}px`, paddingBottom: `${(rows.length - end) * ROW}px` }}>
        {rows.slice(begin, end).map((row) => {
          const drawn = chosen.isDrawn(row.id);
          return (
            <li
              key={row.id}
              class={row.id === highlighted ? "lit" : undefined}
              onPointerEnter={() => drawn && stage.highlighted.tell(row.id)}
              onPointerLeave={() => stage.highlighted.tell(null)}
            >
              <button
                type="button"
                class="eye"
                aria-pressed={drawn}
                aria-label={`Draw ${row.name}`}
                title={"Click: draw or hide. Alt and click: this one alone."}
                onClick={(event) => (event.altKey ? chosen.isolate(row.id) : chosen.toggle(row.id))}
              >
                {drawn ? <Swatch ink={inkOf(row.id, dark)} dash={dashes[keys.indexOf(row.id)] ?? []} /> : <span class="no-swatch" />}
              </button>
              <a href={link(["runs", row.id])} title={row.name}>
                {row.name}
              </a>
              <span class={`dot ${row.status.toLowerCase()}`} title={row.status.toLowerCase()} role="img" aria-label={row.status.toLowerCase()} />
            </li>
          );
        })}
      </ul>
    </div>
  );
}


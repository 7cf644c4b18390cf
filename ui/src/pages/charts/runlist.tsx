// The runs beside the charts: which are drawn, in which colour. Only the rows in view are in the document.

import { useMemo, useRef, useState } from "preact/hooks";
import { post } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { ownStyle } from "../../charts/colours";
import { whole } from "../../charts/format";
import { patternOf } from "../../charts/sections";
import { runOf } from "../../charts/shown";
import { useTopic, type Stage } from "../../charts/stage";
import { StyleSwatch } from "../../charts/tooltip";
import { useSettled } from "../../parts/picker";
import { Searched } from "../../parts/searched";
import { Failed } from "../../parts/states";
import { filterOfName } from "../../state/filter";
import { PARAMS, textOf, useParam } from "../../state/params";
import { link } from "../../state/route";
import { rowsOf, type RunRow } from "../../state/rows";
import { useQuestion } from "../../state/search";
import { useAgain, useTick } from "../../state/tick";
import { MOST as AT_ONCE, NAMED, type Chosen } from "../../state/chosen";

const ROW = 28;
/** So many runs of the search are fetched at first; when somebody scrolls to their end, so many times more. */
const BEGIN = 1000;
const MORE = 7;
/** As many as the server gives in one answer: through so many a regular expression looks, for it knows none. */
const MOST = 50_000;
/** Seconds between two looks for new runs, as long as no more than the first are listed. */
const AGAIN = 30;

interface RunListProps {
  chosen: Chosen;
  stage: Stage;
  dark: boolean;
}

export function RunList({ chosen, stage, dark }: RunListProps) {
  const question = useQuestion();
  const [text, setText] = useState("");
  const typed = useSettled(text, 150);
  const [reach, setReach] = useState(BEGIN);
  const look = useMemo(() => lookOf(typed), [typed]);
  const limit = look.pattern === null ? reach : MOST;
  const filter = [question.filter ?? "", look.filter].filter((part) => part.trim() !== "").join(" AND ");
  const body = { ...question, filter, limit, total: true };
  const found = useFetching(JSON.stringify(body), (signal) => post("/api/v1/runs/search", { body, signal }));
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(live === 0 || limit > BEGIN ? 0 : Math.max(live, AGAIN)), found);
  const matching = useMemo(() => {
    const searched = found.data === null ? [] : rowsOf({ ...found.data, metrics: {}, params: {}, tags: {} });
    return merged(chosen.candidates, searched).filter(look.matches);
  }, [found.data, chosen.candidates, look]);
  const total = found.data?.total ?? 0;
  const fetched = found.data?.runs.id.length ?? 0;
  return (
    <aside class="runlist" aria-label="Runs">
      <Searched />
      <input
        type="search"
        aria-label="Find runs by name"
        placeholder="Find runs"
        title="A part of the name, or /a regular expression/"
        aria-invalid={look.broken !== null}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {look.broken !== null && <p class="chart-notes bad">{look.broken}</p>}
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      <Rows rows={matching} chosen={chosen} stage={stage} dark={dark} atEnd={() => fetched < total && !found.loading && setReach(Math.min(MOST, reach * MORE))} />
      <Pages chosen={chosen} />
      <Counts chosen={chosen} listed={matching} from={fetched < total ? `: from the first ${whole(fetched)} of ${whole(total)}` : ""} />
    </aside>
  );
}

/** How many there are, and the way to draw more than the first of the search. */
function Counts({ chosen, listed, from }: { chosen: Chosen; listed: readonly RunRow[]; from: string }) {
  const all = listed.length > NAMED ? `the first ${whole(NAMED)}` : `all ${whole(listed.length)}`;
  return (
    <div class="runlist-counts">
      <p class="chart-notes" role="status">
        {chosen.runs.length} drawn, {whole(listed.length)} listed{from}
      </p>
      {chosen.page === null && listed.length > chosen.runs.length && (
        <button type="button" onClick={() => chosen.choose(listed.map((row) => row.id))}>
          Draw {all}
        </button>
      )}
    </div>
  );
}

/** Which of the chosen runs are drawn where they are too many, and the way to the others. */
function Pages({ chosen: { page } }: { chosen: Chosen }) {
  if (page === null) return null;
  const { begin, end, of } = page;
  const to = (from: number, text: string) => <a href={link(["charts"], { from: textOf(PARAMS.from, from) })}>{text}</a>;
  return (
    <p class="runlist-pages" role="status">
      Runs {whole(begin + 1)} to {whole(end)} of the {whole(of)} chosen ones: no more than {AT_ONCE} are drawn at once.{" "}
      {begin > 0 && to(Math.max(0, begin - AT_ONCE), `The ${Math.min(AT_ONCE, begin)} before`)} {end < of && to(end, `The next ${Math.min(AT_ONCE, of - end)}`)}
    </p>
  );
}

interface Look {
  /** What the server looks for. */
  filter: string;
  matches: (row: RunRow) => boolean;
  pattern: RegExp | null;
  /** Why the expression is none. */
  broken: string | null;
}

/** A part of the name, which the server finds among all runs, or an expression between slashes, which we look for. */
function lookOf(text: string): Look {
  const part = text.trim();
  const expression = /^\/(.*)$/.exec(part)?.[1]?.replace(/\/$/, "");
  if (expression === undefined) {
    const low = part.toLowerCase();
    const filter = part === "" ? "" : filterOfName(part);
    return { filter, matches: (row) => row.name.toLowerCase().includes(low), pattern: null, broken: null };
  }
  const pattern = patternOf(expression);
  if (typeof pattern === "string") return { filter: "", matches: () => true, pattern: null, broken: pattern };
  return { filter: "", matches: (row) => pattern.test(row.name), pattern, broken: null };
}

/** The drawn ones first: they may not be among the first of the search. */
function merged(first: readonly RunRow[], rest: readonly RunRow[]): RunRow[] {
  const ids = new Set(first.map((row) => row.id));
  return [...first, ...rest.filter((row) => !ids.has(row.id))];
}

function Rows({ rows, chosen, stage, dark, atEnd }: RunListProps & { rows: readonly RunRow[]; atEnd: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const highlighted = useTopic(stage.highlighted);
  const height = box.current?.clientHeight ?? 800;
  const begin = Math.max(0, Math.floor(top / ROW) - 5);
  const end = Math.min(rows.length, Math.ceil((top + height) / ROW) + 5);
  const scrolled = ({ scrollTop, scrollHeight, clientHeight }: HTMLElement) => {
    setTop(scrollTop);
    if (scrollTop + 3 * clientHeight > scrollHeight) atEnd();
  };
  return (
    <div class="runlist-rows" ref={box} onScroll={(event) => scrolled(event.currentTarget)}>
      <ul style={{ paddingTop: `${begin * ROW}px`, paddingBottom: `${(rows.length - end) * ROW}px` }}>
        {rows.slice(begin, end).map((row) => {
          const drawn = chosen.isDrawn(row.id);
          return (
            <li
              key={row.id}
              class={highlighted !== null && row.id === runOf(highlighted) ? "lit" : undefined}
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
                {drawn ? <StyleSwatch style={chosen.styles.get(row.id) ?? ownStyle(row.id)} dark={dark} /> : <span class="no-swatch" />}
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


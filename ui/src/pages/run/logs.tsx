// What a run said on its console, a stream at a time: from its beginning, or while it runs from its end, followed. From
// its end it is read backwards, page by page.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, type Problem } from "../../api/client";
import { useFetching } from "../../api/fetching";
import type { components } from "../../api/schema";
import { save } from "../../charts/export";
import { counted, whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { useAgain, useTick } from "../../state/tick";
import { Lines, type Line } from "./lines";
import type { PartProps } from "./page";
import { appended, AT_ONCE, type Held, nothing, prepended } from "./pages";
import { terminalText } from "./terminal";

type LineTable = components["schemas"]["LineTable"];

const PAGE = 10_000; // the most that one answer has
export function Logs({ detail }: PartProps) {
  const run = detail.run.id;
  const running = detail.run.status === "RUNNING";
  const [live] = useParam(PARAMS.live);
  const tick = useTick(running ? live : 0);
  const streams = useFetching(run, (signal) => get("/api/v1/runs/{run_id}/logs/streams", { path: { run_id: run }, signal }));
  useAgain(tick, streams);
  const [chosen, setChosen] = useParam(PARAMS.stream);
  const [asked] = useParam(PARAMS.logSide);
  // What a run says now is at the end. It stays there when the run ends meanwhile.
  const [first] = useState<Side>(running ? "end" : "begin");
  const side = asked === "" ? first : asked;
  if (streams.data === null) return streams.error === null ? <Loading what="lines" /> : <Failed error={streams.error} retry={streams.retry} />;
  const names = streams.data.streams;
  const stream = names.includes(chosen) ? chosen : (names.find((name) => !/err/i.test(name)) ?? names[0] ?? null);
  if (stream === null) return <Empty>This run has said nothing on its console, or its client does not send that.</Empty>;
  return (
    <>
      <p class="line">
        <label>
          Stream{" "}
          <select value={stream} onChange={(event) => setChosen(event.currentTarget.value)}>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </p>
      <Stream key={`${side} ${stream}`} run={run} stream={stream} side={side} tick={tick} />
    </>
  );
}

interface Reading {
  held: Held;
  error: Problem | null;
  reading: boolean;
  /** There are lines beyond these that nobody asked for yet. */
  cut: boolean;
  /** Ask for the next of them. */
  more: () => void;
  again: () => void;
}

/** The lines of a stream from its beginning, or its end; at every tick it reads on from where it stopped. */
function useLines({ run, stream, side, tick }: StreamProps): Reading {
  const [held, setHeld] = useState(() => nothing(side));
  const [later, setLater] = useState(false);
  const [error, setError] = useState<Problem | null>(null);
  const [reading, setReading] = useState(true);
  const [most, setMost] = useState(AT_ONCE);
  const [round, setRound] = useState(0);
  const again = () => setRound((before) => before + 1);
  const cursor = useRef("");
  const known = useRef(0);
  const ask = useCallback(
    (query: { cursor?: string; before?: string; newest?: true }, signal?: AbortSignal) =>
      get("/api/v1/runs/{run_id}/logs", { path: { run_id: run }, query: { stream, limit: PAGE, ...query }, signal }),
    [run, stream],
  );

  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      for (let more = true; more && (side === "end" || known.current <= most); ) {
        const from = cursor.current;
        const newest = side === "end" && from === "";
        const found = await ask(newest ? { newest: true } : { cursor: from }, stop.signal);
        if (stop.signal.aborted) return;
        if (!found.ok) return setError(found.error);
        const { lines, before = null } = found.data;
        cursor.current = found.data.cursor ?? "";
        known.current += lines.line.length;
        more = !newest && lines.line.length === PAGE;
        setError(null);
        setLater(more);
        setHeld((old) => appended(old, { before: newest ? before : from === "" ? null : from, lines: linesOf(lines) }));
      }
    };
    setReading(true);
    void read()
      .catch(() => undefined) // only an ended question throws
      .finally(() => !stop.signal.aborted && setReading(false));
    return () => stop.abort();
  }, [ask, side, most, round]);
  useAgain(tick, { loading: reading, retry: again });

  const front = held.pages[0];
  const earlier = async () => {
    if (front === undefined || front.before === null) return;
    const found = await ask({ before: front.before });
    if (!found.ok) return setError(found.error);
    const { lines, before = null } = found.data;
    setHeld((old) => prepended(old, front, { before, lines: linesOf(lines) }));
  };
  const ways = side === "end" ? { cut: (front?.before ?? null) !== null, more: () => void earlier() } : { cut: later && !reading, more: () => setMost(most + AT_ONCE) };
  return { held, error, reading, again, ...ways };
}

type Side = "begin" | "end";

interface StreamProps {
  run: string;
  stream: string;
  side: Side;
  tick: number;
}

function Stream(props: StreamProps) {
  const { stream, side } = props;
  const { held, error, reading, cut, more, again } = useLines(props);
  const [wanted, setWanted] = useParam(PARAMS.logSearch);
  const [asked] = useParam(PARAMS.logSide);
  const { lines } = held;
  const shown = useMemo(() => {
    const text = wanted.toLowerCase();
    return text === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(text));
  }, [lines, wanted]);
  return (
    <>
      <p class="line">
        <input type="search" aria-label="Find in the lines" placeholder="Find in the lines" value={wanted} onInput={(event) => setWanted(event.currentTarget.value, { replace: true })} />
        <span class="faint" role="status">
          {wanted !== "" && `${whole(shown.length)} of `}
          {partOf(side, cut)}
          {counted(lines.length, "line")}
          {reading && lines.length === 0 && ", loading…"}
        </span>
        {shown.length > 0 && (
          <button type="button" onClick={() => save(new Blob(shown.map(({ text }) => `${text}\n`)), `${stream.replaceAll("/", "-")}.txt`)}>
            Save as text
          </button>
        )}
        {cut && <Others side={side} more={more} />}
      </p>
      {error !== null && <Failed error={error} retry={again} />}
      <Lines key={wanted === "" ? "all" : "found"} lines={shown} first={wanted === "" ? held.first : 0} atEnd={asked !== "begin"} label={`Lines of ${stream}`} />
    </>
  );
}

function partOf(side: Side, cut: boolean): string {
  if (!cut) return "";
  return side === "end" ? "the last " : "the first ";
}

/** The ways to the lines that are not here. `more` brings those that are next. */
function Others({ side, more }: { side: Side; more: () => void }) {
  const [, setSide] = useParam(PARAMS.logSide);
  return (
    <>
      <button type="button" onClick={more}>
        {side === "end" ? "Earlier lines" : "Load more"}
      </button>
      <button type="button" onClick={() => setSide(side === "end" ? "begin" : "end")}>
        {side === "end" ? "From the beginning" : "To the end"}
      </button>
    </>
  );
}

/** One answer's lines as they are shown: without breaks inside, as a terminal leaves them. */
function linesOf({ time_us, level, text }: LineTable): Line[] {
  return text.flatMap((each, nth) => each.split("\n").map((part) => ({ at: time_us[nth] ?? 0, level: level[nth] ?? "", text: terminalText(part) })));
}

// What a run said on its console, a stream at a time: from its beginning, or while it runs from its end, followed.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
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
import { terminalText } from "./terminal";

type LineTable = components["schemas"]["LineTable"];

const PAGE = 10_000; // the most that one answer has
const AT_ONCE = 100_000; // lines fetched without being asked for more, and kept of those that are followed

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
  const [first] = useState<"begin" | "end">(running ? "end" : "begin");
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

interface Read {
  lines: readonly Line[];
  /** How many of the first lines were dropped for newer ones. */
  dropped: number;
  /** There are lines before these, beside the dropped ones. */
  earlier: boolean;
  /** There are lines behind these that nobody asked for yet. */
  later: boolean;
}

const NOTHING: Read = { lines: [], dropped: 0, earlier: false, later: false };

/** The lines of a stream from its beginning, or its end; at every tick it reads on from where it stopped. */
function Stream({ run, stream, side, tick }: { run: string; stream: string; side: "begin" | "end"; tick: number }) {
  const [{ lines, dropped, earlier, later }, setRead] = useState(NOTHING);
  const [error, setError] = useState<Problem | null>(null);
  const [reading, setReading] = useState(true);
  const [most, setMost] = useState(AT_ONCE);
  const [round, setRound] = useState(0);
  const [wanted, setWanted] = useParam(PARAMS.logSearch);
  const [asked] = useParam(PARAMS.logSide);
  const cursor = useRef("");
  const known = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      for (let more = true; more && (side === "end" || known.current <= most); ) {
        const from = side === "end" && cursor.current === "" ? { newest: true } : { cursor: cursor.current };
        const query = { stream, limit: PAGE, ...from };
        const found = await get("/api/v1/runs/{run_id}/logs", { path: { run_id: run }, query, signal: stop.signal });
        if (stop.signal.aborted) return;
        if (!found.ok) return setError(found.error);
        const fresh = linesOf(found.data.lines);
        cursor.current = found.data.cursor ?? "";
        known.current += found.data.lines.line.length;
        more = !("newest" in from) && found.data.lines.line.length === PAGE;
        setError(null);
        const before = found.data.earlier === true;
        const later = more;
        if (fresh.length > 0 || !later) setRead((old) => joined(old, fresh, { before, later, side }));
      }
    };
    setReading(true);
    void read()
      .catch(() => undefined) // only an ended question throws
      .finally(() => !stop.signal.aborted && setReading(false));
    return () => stop.abort();
  }, [run, stream, most, round]);
  useAgain(tick, { loading: reading, retry: () => setRound((before) => before + 1) });

  const shown = useMemo(() => {
    const text = wanted.toLowerCase();
    return text === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(text));
  }, [lines, wanted]);
  const cut = side === "end" ? earlier || dropped > 0 : later && !reading;
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
        {cut && <Others side={side} more={() => setMost(most + AT_ONCE)} />}
      </p>
      {error !== null && <Failed error={error} retry={() => setRound((before) => before + 1)} />}
      <Lines lines={shown} dropped={wanted === "" ? dropped : 0} atEnd={asked !== "begin"} label={`Lines of ${stream}`} />
    </>
  );
}

function partOf(side: "begin" | "end", cut: boolean): string {
  if (!cut) return "";
  return side === "end" ? "the last " : "the first ";
}

/** The ways to the lines that are not here. */
function Others({ side, more }: { side: "begin" | "end"; more: () => void }) {
  const [, setSide] = useParam(PARAMS.logSide);
  if (side === "end") {
    return (
      <button type="button" onClick={() => setSide("begin")}>
        From the beginning
      </button>
    );
  }
  return (
    <>
      <button type="button" onClick={more}>
        Load more
      </button>
      <button type="button" onClick={() => setSide("end")}>
        To the end
      </button>
    </>
  );
}

/** One answer's lines as they are shown: without breaks inside, as a terminal leaves them. */
function linesOf({ time_us, level, text }: LineTable): Line[] {
  return text.flatMap((each, nth) => each.split("\n").map((part) => ({ at: time_us[nth] ?? 0, level: level[nth] ?? "", text: terminalText(part) })));
}

/** Who follows the end of a stream for days holds no more than who reads its beginning. */
function joined(old: Read, fresh: readonly Line[], { before, later, side }: { before: boolean; later: boolean; side: "begin" | "end" }): Read {
  const lines = fresh.length === 0 ? old.lines : [...old.lines, ...fresh];
  const over = side === "end" ? Math.max(0, lines.length - AT_ONCE) : 0;
  return { lines: over > 0 ? lines.slice(over) : lines, dropped: old.dropped + over, earlier: old.earlier || before, later };
}

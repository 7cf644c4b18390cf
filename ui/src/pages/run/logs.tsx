// What a run said on its console: a stream at a time or all of them, followed while the run runs.

import { useEffect, useRef, useState } from "preact/hooks";
import { get, type Problem } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { useAgain, useTick } from "../../state/tick";
import type { PartProps } from "./page";

const PAGE = 2_000;
const AT_ONCE = 20_000; // lines fetched without being asked for more

interface Line {
  stream: string;
  at: number;
  level: string;
  text: string;
}

export function Logs({ detail }: PartProps) {
  const run = detail.run.id;
  const running = detail.run.status === "RUNNING";
  const [live] = useParam(PARAMS.live);
  const tick = useTick(running ? live : 0);
  const streams = useFetching(run, (signal) => get("/api/v1/runs/{run_id}/logs/streams", { path: { run_id: run }, signal }));
  useAgain(tick, streams);
  const [chosen, setChosen] = useParam(PARAMS.stream);
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
      <Stream key={stream} run={run} stream={stream} tick={tick} />
    </>
  );
}

/** Reads on from where it stopped at every tick; what is shown stays. */
function Stream({ run, stream, tick }: { run: string; stream: string; tick: number }) {
  const [lines, setLines] = useState<Line[]>([]);
  const [error, setError] = useState<Problem | null>(null);
  const [reading, setReading] = useState(true);
  const [most, setMost] = useState(AT_ONCE);
  const [round, setRound] = useState(0);
  const [wanted, setWanted] = useParam(PARAMS.logSearch);
  const cursor = useRef("");
  const box = useRef<HTMLDivElement>(null);
  const known = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      for (let more = true; more && known.current < most; ) {
        const query = { stream, cursor: cursor.current, limit: PAGE };
        const found = await get("/api/v1/runs/{run_id}/logs", { path: { run_id: run }, query, signal: stop.signal });
        if (stop.signal.aborted) return;
        if (!found.ok) return setError(found.error);
        const { line, time_us, level, text, stream: streams } = found.data.lines;
        const fresh = text.map((each, at) => ({ stream: streams[at] ?? stream, at: time_us[at] ?? 0, level: level[at] ?? "", text: each }));
        cursor.current = found.data.cursor ?? "";
        known.current += fresh.length;
        more = line.length === PAGE;
        setError(null);
        if (fresh.length > 0) setLines((before) => [...before, ...fresh]);
      }
    };
    setReading(true);
    void read()
      .catch(() => undefined) // only an ended question throws
      .finally(() => !stop.signal.aborted && setReading(false));
    return () => stop.abort();
  }, [run, stream, most, round]);
  useAgain(tick, { loading: reading, retry: () => setRound((before) => before + 1) });

  // Whoever looks at the end goes on looking at the end.
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);

  const shown = wanted === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      <p class="line">
        <input type="search" aria-label="Find in the lines" placeholder="Find in the lines" value={wanted} onInput={(event) => setWanted(event.currentTarget.value, { replace: true })} />
        <span class="faint" role="status">
          {wanted === "" ? `${lines.length} lines` : `${shown.length} of ${lines.length} lines`}
          {reading && lines.length === 0 && ", loading…"}
        </span>
        {known.current >= most && (
          <button type="button" onClick={() => setMost(most + AT_ONCE)}>
            Load more
          </button>
        )}
      </p>
      {error !== null && <Failed error={error} retry={() => setRound((before) => before + 1)} />}
      <div
        class="log"
        ref={box}
        tabIndex={0}
        role="log"
        aria-label={`Lines of ${stream}`}
        onScroll={(event) => {
          const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
          atEnd.current = scrollTop + clientHeight >= scrollHeight - 20;
        }}
      >
        {shown.map((line, at) => (
          <p key={at} class={/error|critical|fatal/i.test(line.level) ? "error" : undefined}>
            <span class="at">{moment(line.at / 1e6)} </span>
            {line.text}
          </p>
        ))}
      </div>
    </>
  );
}

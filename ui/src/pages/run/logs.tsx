// What a run said on its console: a stream at a time or all of them, followed while the run runs.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, type Problem } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { save } from "../../charts/export";
import { counted, whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { useAgain, useTick } from "../../state/tick";
import { Lines, type Line } from "./lines";
import type { PartProps } from "./page";
import { terminalText } from "./terminal";

const PAGE = 10_000; // the most that one answer has
const AT_ONCE = 100_000; // lines fetched without being asked for more

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
  const known = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      for (let more = true; more && known.current < most; ) {
        const query = { stream, cursor: cursor.current, limit: PAGE };
        const found = await get("/api/v1/runs/{run_id}/logs", { path: { run_id: run }, query, signal: stop.signal });
        if (stop.signal.aborted) return;
        if (!found.ok) return setError(found.error);
        const { line, time_us, level, text } = found.data.lines;
        const fresh = text.flatMap((each, nth) => each.split("\n").map((part) => ({ at: time_us[nth] ?? 0, level: level[nth] ?? "", text: terminalText(part) })));
        cursor.current = found.data.cursor ?? "";
        known.current += line.length;
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

  const shown = useMemo(() => {
    const text = wanted.toLowerCase();
    return text === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(text));
  }, [lines, wanted]);
  return (
    <>
      <p class="line">
        <input type="search" aria-label="Find in the lines" placeholder="Find in the lines" value={wanted} onInput={(event) => setWanted(event.currentTarget.value, { replace: true })} />
        <span class="faint" role="status">
          {wanted === "" ? counted(lines.length, "line") : `${whole(shown.length)} of ${counted(lines.length, "line")}`}
          {reading && lines.length === 0 && ", loading…"}
        </span>
        {shown.length > 0 && (
          <button type="button" onClick={() => save(new Blob(shown.map(({ text }) => `${text}\n`)), `${stream.replaceAll("/", "-")}.txt`)}>
            Save as text
          </button>
        )}
        {known.current >= most && (
          <button type="button" onClick={() => setMost(most + AT_ONCE)}>
            Load more
          </button>
        )}
      </p>
      {error !== null && <Failed error={error} retry={() => setRound((before) => before + 1)} />}
      <Lines lines={shown} label={`Lines of ${stream}`} />
    </>
  );
}

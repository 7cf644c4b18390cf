// What goes on right now: rates between two looks, what waits, how long commits take, and which runs are written to.

import { useEffect, useRef, useState } from "preact/hooks";
import { file, get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { whole } from "../../charts/format";
import { Empty, Failed } from "../../parts/states";
import { useAgain, useTick } from "../../state/tick";
import { samplesOf, total, type Sample } from "./exposition";
import { slowest, type Look, perSecond } from "./pace";

const EVERY = 2; // seconds

export function Activity() {
  const beat = useTick(EVERY);
  const measured = useFetching("activity measured", async (signal) => {
    const metrics = await file("metrics", signal);
    return metrics.ok ? { ok: true as const, data: { at: performance.now() / 1000, samples: samplesOf(await metrics.data.text()) } } : metrics;
  });
  const written = useFetching("activity written", (signal) => get("/api/v1/activity", { query: { limit: 10 }, signal }));
  useAgain(beat, measured);
  useAgain(beat, written);
  const before = useBefore(measured.data);
  return (
    <section aria-labelledby="activity">
      <h2 id="activity">Right now</h2>
      {measured.error !== null && <Failed error={measured.error} retry={measured.retry} />}
      {measured.data !== null && <Pace now={measured.data} before={before} />}
      {written.error !== null && <Failed error={written.error} retry={written.retry} />}
      {written.data?.writing.length === 0 && <Empty>No run is being written to.</Empty>}
      {written.data !== null && written.data.writing.length > 0 && (
        <div class="wide">
          <table>
            <caption>Runs that are being written to, by points that wait in memory</caption>
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">Workspace</th>
                <th scope="col">Points</th>
                <th scope="col">Series</th>
              </tr>
            </thead>
            <tbody>
              {written.data.writing.map((run) => (
                <tr key={`${run.workspace}/${run.run_id}`}>
                  <td>{run.name}</td>
                  <td>{run.workspace}</td>
                  <td class="number">{whole(run.points)}</td>
                  <td class="number">{whole(run.series)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** The look before the newest one. */
function useBefore(now: Look | null): Look | null {
  const last = useRef<Look | null>(null);
  const [before, setBefore] = useState<Look | null>(null);
  useEffect(() => {
    setBefore(last.current);
    last.current = now;
  }, [now]);
  return before;
}

function Pace({ now, before }: { now: Look; before: Look | null }) {
  const of = (samples: readonly Sample[], name: string) => total(samples, `stepwell_${name}`) ?? 0;
  const rate = (name: string) => perSecond(now, before, `stepwell_${name}`);
  const slow = slowest(now, before);
  const facts: [string, string][] = [
    ["Points per second", rate("points_total")],
    ["Commits per second", rate("commits_total")],
    ["Requests per second", rate("requests_total")],
    ["Slowest commit", slow],
    ["Writes waiting", whole(of(now.samples, "queue_requests"))],
    ["Reads under way", whole(of(now.samples, "reads_unfinished"))],
    ["Points in memory", whole(of(now.samples, "head_points"))],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

// Whether the server is well, what it holds and what it was asked.

import { file, type Result } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { whole } from "../../charts/format";
import { Failed, Loading } from "../../parts/states";
import { useAgain, useTick } from "../../state/tick";
import { bytes, samplesOf, total, type Sample } from "./exposition";

interface Health {
  well: boolean;
  samples: Sample[];
}

const EVERY = 5; // seconds

export function Server() {
  const found = useFetching("health", health);
  useAgain(useTick(EVERY), found);
  return (
    <section aria-labelledby="health">
      <h2 id="health">Health and usage</h2>
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="the server's state" />}
      {found.data !== null && <Facts {...found.data} />}
    </section>
  );
}

async function health(signal: AbortSignal): Promise<Result<Health>> {
  const [ready, metrics] = await Promise.all([file("readyz", signal), file("metrics", signal)]);
  if (!metrics.ok) return metrics;
  return { ok: true, data: { well: ready.ok, samples: samplesOf(await metrics.data.text()) } };
}

function Facts({ well, samples }: Health) {
  const of = (name: string) => total(samples, `stepwell_${name}`) ?? 0;
  const build = samples.find(({ name }) => name === "stepwell_build_info");
  const readOnly = of("read_only") > 0;
  const state = !well ? "✗ Not ready" : readOnly ? "■ Reads only: nothing can be stored" : "✓ Reads and writes";
  const facts: [string, string][] = [
    ["Version", build?.labels.version ?? "unknown"],
    ["Database", bytes(of("database_bytes"))],
    ["of it free", bytes(of("database_free_bytes"))],
    ["Write-ahead log", bytes(of("wal_bytes"))],
    ["Points in memory", whole(of("head_points"))],
    ["Points stored since the start", whole(of("points_total"))],
    ["Writes waiting", whole(of("queue_requests"))],
  ];
  return (
    <>
      <p class={well && !readOnly ? "good" : "bad"}>{state}</p>
      <dl class="facts">
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <Requests samples={samples} />
    </>
  );
}

/** Requests since the start, by interface. */
function Requests({ samples }: { samples: readonly Sample[] }) {
  const counted = samples.filter(({ name }) => name === "stepwell_requests_total");
  const dialects = [...new Set(counted.map(({ labels }) => labels.dialect ?? ""))].sort();
  const sum = (dialect: string, first: string) =>
    counted.filter(({ labels }) => labels.dialect === dialect && labels.outcome?.startsWith(first)).reduce((all, { value }) => all + value, 0);
  return (
    <div class="wide">
      <table>
        <caption>Requests since the start, by interface</caption>
        <thead>
          <tr>
            <th scope="col">Interface</th>
            <th scope="col">Answered</th>
            <th scope="col">Refused (4xx)</th>
            <th scope="col">Failed (5xx)</th>
          </tr>
        </thead>
        <tbody>
          {dialects.map((dialect) => (
            <tr key={dialect}>
              <td>{dialect}</td>
              <td class="number">{whole(sum(dialect, "2") + sum(dialect, "3"))}</td>
              <td class="number">{whole(sum(dialect, "4"))}</td>
              <td class="number">{whole(sum(dialect, "5"))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

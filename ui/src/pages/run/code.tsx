// How to read this run with each client.

import { get, BASE, identity } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { copy } from "../../parts/copying";
import { Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import type { PartProps } from "./page";
import { CLIENTS, snippetOf, TITLES } from "./snippets";
import { tasksOf } from "./tasks";

export function Code({ detail: { run, metrics } }: PartProps) {
  const [client, setClient] = useParam(PARAMS.client);
  const experiment = useFetching(String(run.experiment_id), (signal) =>
    get("/api/v1/experiments/{experiment_id}", { path: { experiment_id: run.experiment_id }, signal }),
  );
  const series = useFetching(run.id, (signal) => get("/api/v1/runs/{run_id}/series", { path: { run_id: run.id }, signal }));
  const error = experiment.error ?? series.error;
  if (error !== null) return <Failed error={error} retry={experiment.error === null ? series.retry : experiment.retry} />;
  if (experiment.data === null || series.data === null) return <Loading what="how to read this run" />;
  const snippet = snippetOf(client, {
    address: BASE.href.replace(/\/$/, ""),
    workspace: identity.workspace ?? "",
    secured: identity.secret !== null,
    run: run.id,
    key: run.key,
    experiment: experiment.data.name,
    metric: metrics.metric[0] ?? "loss",
    task: tasksOf(series.data)[0]?.task ?? "worker-0",
  });
  return (
    <div class="code">
      <div role="group" aria-label="Client" class="line">
        {CLIENTS.map((each) => (
          <button key={each} type="button" aria-pressed={each === client} onClick={() => setClient(each)}>
            {TITLES[each]}
          </button>
        ))}
      </div>
      <p>
        {snippet.words} {snippet.language === "Python" && <>Install {snippet.client}; nothing of ours is needed.</>}
      </p>
      <pre class="content" tabIndex={0} aria-label={`${snippet.language} with ${TITLES[client]}`}>
        {snippet.code}
      </pre>
      <button type="button" onClick={() => void copy(snippet.code)}>
        Copy
      </button>
    </div>
  );
}

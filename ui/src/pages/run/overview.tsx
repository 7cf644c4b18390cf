// What a run is: its facts, notes, params, tags and the last values of its metrics.

import { useState } from "preact/hooks";
import { patch } from "../../api/client";
import { value, whole } from "../../charts/format";
import { Empty } from "../../parts/states";
import { factsOf, matching, NOTE } from "./facts";
import { useExperimentNames } from "../../state/experiments";
import { mayWrite } from "../../state/session";
import { useWho } from "../../state/who";
import type { Detail, PartProps } from "./page";

/** Rows of a table that are drawn; the rest is found by searching. */
const MOST = 500;

export function Overview({ detail, changed }: PartProps) {
  const { experiment_id: experiment } = detail.run;
  const experimentOf = useExperimentNames([experiment]);
  return (
    <div class="overview">
      <section aria-label="Facts">
        <dl class="facts">
          {factsOf(detail, experimentOf(experiment), Date.now() * 1000).map(({ name, text }) => (
            <>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </>
          ))}
        </dl>
      </section>
      <Notes detail={detail} changed={changed} />
      <Pairs title="Params" pairs={detail.params} />
      <Pairs title="Tags" pairs={Object.fromEntries(Object.entries(detail.tags).filter(([name]) => name !== NOTE))} />
      <Metrics detail={detail} />
    </div>
  );
}

function Notes({ detail, changed }: PartProps) {
  const kept = detail.note ?? "";
  const writes = mayWrite(useWho());
  const [text, setText] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const save = async () => {
    const done = await patch("/api/v1/runs/{run_id}", { path: { run_id: detail.run.id }, body: { note: text } });
    if (!done.ok) return setProblem(done.error.message);
    setProblem("");
    setText(null);
    changed();
  };
  return (
    <section aria-label="Notes">
      <h2>Notes</h2>
      {text === null ? (
        <>
          {kept === "" ? <p class="faint">No notes.</p> : <p class="note">{kept}</p>}
          {writes && (
            <button type="button" onClick={() => setText(kept)}>
              Edit notes
            </button>
          )}
        </>
      ) : (
        <>
          <textarea aria-label="Notes" rows={5} value={text} onInput={(event) => setText(event.currentTarget.value)} />
          {problem !== "" && (
            <p class="bad" role="alert">
              {problem}
            </p>
          )}
          <button type="button" onClick={() => void save()}>
            Save notes
          </button>{" "}
          <button type="button" onClick={() => setText(null)}>
            Cancel
          </button>
        </>
      )}
    </section>
  );
}

export function Pairs({ title, pairs }: { title: string; pairs: Readonly<Record<string, string>> }) {
  const [text, setText] = useState("");
  const all = Object.keys(pairs).length;
  const found = matching(pairs, text);
  return (
    <section aria-label={title}>
      <h2>
        {title} <span class="faint">{whole(all)}</span>
      </h2>
      {all > 10 && <input type="search" aria-label={`Search ${title.toLowerCase()}`} placeholder="Search" value={text} onInput={(event) => setText(event.currentTarget.value)} />}
      {all === 0 ? (
        <p class="faint">None.</p>
      ) : (
        <table class="pairs">
          <tbody>
            {found.slice(0, MOST).map(([name, content]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{content}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.length === 0 && all > 0 && <Empty>Nothing matches.</Empty>}
      {found.length > MOST && <p class="faint">{whole(found.length - MOST)} more: search to find them.</p>}
    </section>
  );
}

function Metrics({ detail: { metrics } }: { detail: Detail }) {
  const [text, setText] = useState("");
  const rows = metrics.metric.map((name, at) => ({ name, at })).filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  return (
    <section aria-label="Metrics" class="wide">
      <h2>
        Metrics <span class="faint">{whole(metrics.metric.length)}</span>
      </h2>
      {metrics.metric.length > 10 && <input type="search" aria-label="Search metrics" placeholder="Search" value={text} onInput={(event) => setText(event.currentTarget.value)} />}
      {metrics.metric.length === 0 ? (
        <p class="faint">None.</p>
      ) : (
        <table class="numbers">
          <thead>
            <tr>
              {["Metric", "Last", "Min", "Max", "Mean", "Last step", "Points"].map((head) => (
                <th scope="col" key={head}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MOST).map(({ name, at }) => (
              <tr key={name}>
                <th scope="row">
                  <span class="clamp" title={name}>
                    {name}
                  </span>
                </th>
                <td>{cell(metrics, "last_value", at)}</td>
                <td>{cell(metrics, "min_value", at)}</td>
                <td>{cell(metrics, "max_value", at)}</td>
                <td>{cell(metrics, "mean", at)}</td>
                <td>{whole(metrics.last_step?.[at] ?? NaN)}</td>
                <td>{whole(metrics.count?.[at] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {rows.length > MOST && <p class="faint">{whole(rows.length - MOST)} more: search to find them.</p>}
    </section>
  );
}

/** A value of a column: NaN and infinities by name, "–" where there is none. */
function cell(metrics: Detail["metrics"], name: "last_value" | "min_value" | "max_value" | "mean", at: number): string {
  const number = metrics[name]?.[at] ?? null;
  if (number !== null) return value(number);
  const marks = metrics.non_finite[name];
  const place = marks?.at.indexOf(at) ?? -1;
  return place < 0 ? "–" : (marks?.value[place] ?? "–");
}

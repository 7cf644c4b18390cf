// One run, whole: what it is, in parts that the address names. Each part asks for what it shows.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../../api/client";
import { type Fetching, useFetching } from "../../api/fetching";
import type { components } from "../../api/schema";
import { StageContext, useStage } from "../../charts/stage";
import { Failed, Loading } from "../../parts/states";
import { isArchived } from "../../state/archive";
import { PARAMS, textOf, useParam } from "../../state/params";
import { link } from "../../state/route";
import { useAgain, useTick } from "../../state/tick";
import { Code } from "./code";
import { Curves } from "./curves";
import { CustomInfo } from "./custom";
import { Events } from "./events";
import { paceOf, statusOf } from "./facts";
import { Files } from "./files";
import { Lineage } from "./lineage";
import { Logs } from "./logs";
import { Overview } from "./overview";
import "./run.css";
import { Usage } from "./usage";

export type Detail = components["schemas"]["RunDetail"];
export interface PartProps {
  detail: Detail;
  /** Ask for the run again: it was changed. */
  changed: () => void;
}

const PARTS: readonly { word: typeof PARAMS.part.initial; title: string; part: ComponentType<PartProps> }[] = [
  { word: "overview", title: "Overview", part: Overview },
  { word: "charts", title: "Charts", part: Curves },
  { word: "usage", title: "System usage", part: Usage },
  { word: "logs", title: "Logs", part: Logs },
  { word: "files", title: "Files", part: Files },
  { word: "custom", title: "Custom info", part: CustomInfo },
  { word: "lineage", title: "Inputs and models", part: Lineage },
  { word: "events", title: "Events", part: Events },
  { word: "code", title: "Read this run", part: Code },
];

export function RunPage({ id }: { id: string }) {
  const stage = useStage();
  const found = useRun(id);
  useTitle(found.data?.run.name ?? "");
  const [word] = useParam(PARAMS.part);
  if (found.data === null) return found.error === null ? <Loading what="the run" /> : <Failed error={found.error} retry={found.retry} />;
  const { run } = found.data;
  const status = statusOf(found.data, Date.now() * 1000);
  const Part = PARTS.find((each) => each.word === word)?.part ?? Overview;
  return (
    <section class="page run">
      <header class="run-head">
        <h1>{run.name}</h1>
        <span class={`status ${status.tone}`}>
          <span aria-hidden="true">{status.shape}</span> {status.word}
        </span>
        {isArchived(found.data) && <span class="status faint">Archived</span>}
        {run.lifecycle === "deleted" && <span class="status bad">Deleted</span>}
      </header>
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      <nav class="tabs" aria-label="Parts of the run">
        {PARTS.map((each) => (
          <a key={each.word} href={link(["runs", id], { part: textOf(PARAMS.part, each.word), file: null })} aria-current={each.part === Part ? "page" : undefined}>
            {each.title}
          </a>
        ))}
      </nav>
      <StageContext.Provider value={stage}>
        <Part detail={found.data} changed={found.retry} />
      </StageContext.Provider>
    </section>
  );
}

/** The run, followed while it runs. */
function useRun(id: string): Fetching<Detail> {
  const [pace, setPace] = useState(0);
  const [live] = useParam(PARAMS.live);
  const found = useFetching(id, (signal) => get("/api/v1/runs/{run_id}", { path: { run_id: id }, signal }));
  useAgain(useTick(pace), found);
  const running = found.data?.run.status === "RUNNING";
  const metrics = found.data?.metrics.metric.length ?? 0;
  useEffect(() => setPace(running ? paceOf(live, metrics) : 0), [running, live, metrics]);
  return found;
}

/** Of several runs in several tabs each tells its name. */
function useTitle(name: string): void {
  useEffect(() => {
    if (name !== "") document.title = `${name} · Stepwell`;
  }, [name]);
}

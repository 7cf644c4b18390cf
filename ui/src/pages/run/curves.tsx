// The curves of one run, in sections by the beginning of their names.

import { useCallback, useMemo } from "preact/hooks";
import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { ChartGrid } from "../../charts/grid";
import { ResetZoom } from "../../charts/reset";
import { patternOf, sectionsOf } from "../../charts/sections";
import { useChartSettings } from "../../charts/settings";
import type { Shown } from "../../charts/shown";
import { Empty } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { link } from "../../state/route";
import { linesOf } from "./labels";
import type { Detail, PartProps } from "./page";

/** The run as charts want it; the same object until something of it changes. */
export function useShownRun({ run }: Detail): Shown {
  const { id, name, start_time_us: startTimeUs, status } = run;
  return useMemo(() => ({ id, name, startTimeUs, running: status === "RUNNING" }), [id, name, startTimeUs, status]);
}

export function Curves({ detail }: PartProps) {
  const shown = useShownRun(detail);
  const settings = useChartSettings();
  const [text, setText] = useParam(PARAMS.metrics);
  const [columns] = useParam(PARAMS.columns);
  const [height] = useParam(PARAMS.height);
  const names = detail.metrics.metric.join("\0");
  const metrics = useMemo(() => (names === "" ? [] : names.split("\0")), [names]);
  const runs = useRuns(shown, names);
  const pattern = useMemo(() => patternOf(text), [text]);
  const sections = useMemo(() => sectionsOf(metrics.filter((metric) => typeof pattern === "string" || pattern.test(metric)), []), [metrics, pattern]);
  if (metrics.length === 0) return <Empty>This run has no metrics yet.</Empty>;
  return (
    <>
      <p class="line">
        <input type="search" aria-label="Filter metrics" placeholder="Metrics: a regular expression" value={text} onInput={(event) => setText(event.currentTarget.value, { replace: true })} />
        {typeof pattern === "string" && <span class="bad">{pattern}</span>}
        <ResetZoom />
        <a href={link(["charts"], { shown: shown.id, hidden: null, part: null, file: null })}>Open in the workspace of charts</a>
      </p>
      {sections.length === 0 && <Empty>No metric matches.</Empty>}
      {sections.map((section) => (
        <section key={section.name} aria-label={section.name === "" ? "General" : section.name}>
          <h2>
            {section.name === "" ? "General" : section.name} <span class="faint">{section.metrics.length}</span>
          </h2>
          <ChartGrid metrics={section.metrics} runs={runs} settings={settings} columns={columns} height={height} allMetrics={metrics} />
        </section>
      ))}
    </>
  );
}

/** The run, or for a metric with several label sets a line for each of them. */
function useRuns(shown: Shown, names: string): (metric: string) => readonly Shown[] {
  const { id } = shown;
  const found = useFetching(`${id} ${names}`, (signal) => get("/api/v1/runs/{run_id}/series", { path: { run_id: id }, signal }));
  const alone = useMemo(() => [shown], [shown]);
  const apart = useMemo(() => (found.data === null ? null : linesOf(shown, found.data)), [shown, found.data]);
  return useCallback((metric) => apart?.get(metric) ?? alone, [apart, alone]);
}

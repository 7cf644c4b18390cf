// The curves of one run, in sections by the beginning of their names.

import { useCallback, useMemo } from "preact/hooks";
import type { Apart } from "../../charts/apart";
import { ChartGrid } from "../../charts/grid";
import { useApart, useLabelSets } from "../../charts/labelled";
import { ResetZoom } from "../../charts/reset";
import { patternOf, sectionsOf } from "../../charts/sections";
import { useChartSettings } from "../../charts/settings";
import type { Shown } from "../../charts/shown";
import { Empty } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { link } from "../../state/route";
import type { Detail, PartProps } from "./page";

/** The run as charts want it; the same object until something of it changes. */
export function useShownRun({ run }: Detail): Shown {
  const { id, name, start_time_us: startTimeUs, status } = run;
  return useMemo(() => ({ id, name, startTimeUs, running: status === "RUNNING" }), [id, name, startTimeUs, status]);
}

/** The run as one line, or a line for each label set of a metric that has several. */
export function useLinesOf(shown: Shown): (metric: string) => Apart {
  const sets = useLabelSets([shown.id], shown.running === true);
  const alone = useMemo(() => [shown], [shown]);
  return useApart(useCallback(() => alone, [alone]), sets);
}

export function Curves({ detail }: PartProps) {
  const shown = useShownRun(detail);
  const settings = useChartSettings();
  const [text, setText] = useParam(PARAMS.metrics);
  const [columns] = useParam(PARAMS.columns);
  const [height] = useParam(PARAMS.height);
  const names = detail.metrics.metric.join("\0");
  const metrics = useMemo(() => (names === "" ? [] : names.split("\0")), [names]);
  const linesOf = useLinesOf(shown);
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
          <ChartGrid metrics={section.metrics} linesOf={linesOf} settings={settings} columns={columns} height={height} allMetrics={metrics} />
        </section>
      ))}
    </>
  );
}

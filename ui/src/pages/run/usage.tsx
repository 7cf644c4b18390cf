// What the tasks of a run used of their machines: the six metrics that ModelArts knows, task by task, and what other
// clients measured of the machine.

import { useMemo } from "preact/hooks";
import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { Card } from "../../charts/card";
import { ChartGrid } from "../../charts/grid";
import { useChartSettings } from "../../charts/settings";
import { Empty, Failed, Loading } from "../../parts/states";
import { useLinesOf, useShownRun } from "./curves";
import type { PartProps } from "./page";
import { isMachine, tasksOf, TITLES } from "./tasks";

export function Usage({ detail }: PartProps) {
  const { id } = detail.run;
  const shown = useShownRun(detail);
  const settings = useChartSettings();
  const timed = useMemo(() => ({ ...settings, x: settings.x === "step" ? ("wall" as const) : settings.x }), [settings]);
  const names = detail.metrics.metric.filter(isMachine).join("\0");
  const found = useFetching(`${id} ${names}`, (signal) => get("/api/v1/runs/{run_id}/series", { path: { run_id: id }, signal }));
  const tasks = useMemo(() => (found.data === null ? [] : tasksOf(found.data)), [found.data]);
  const measured = names === "" ? [] : names.split("\0").filter((name) => !name.startsWith("resource/"));
  const linesOf = useLinesOf(shown);
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="the usage of machines" />;
  if (tasks.length === 0 && measured.length === 0) {
    return <Empty>Nobody measured the machines of this run. Samples are posted to /api/v1/runs/{id}/tasks/TASK/resources.</Empty>;
  }
  return (
    <>
      {tasks.map(({ task, metrics }) => (
        <section key={task} aria-label={task}>
          <h2>
            {task} <span class="faint">in percent</span>
          </h2>
          <div class="run-usage">
            {metrics.map(({ metric, labels }) => (
              <Card
                key={metric}
                metric={metric}
                title={TITLES[metric] ?? metric}
                runs={labels.map((each) => ({ ...shown, name: each.device === undefined ? task : `device ${each.device}`, labels: each }))}
                settings={timed}
                height={200}
              />
            ))}
          </div>
        </section>
      ))}
      {measured.length > 0 && (
        <section aria-label="Machine">
          <h2>Machine</h2>
          <ChartGrid metrics={measured} linesOf={linesOf} settings={timed} height={200} />
        </section>
      )}
    </>
  );
}

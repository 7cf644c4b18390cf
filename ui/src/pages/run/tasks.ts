// Which of a run's series tell what its tasks used. Pure.

import type { components } from "../../api/schema";

type Table = Pick<components["schemas"]["MetricTable"], "metric" | "labels">;

/** The six metrics in the order in which they are shown. */
export const TITLES: Readonly<Record<string, string>> = {
  "resource/cpu": "CPU",
  "resource/mem": "Memory",
  "resource/gpu": "GPU",
  "resource/gpu_mem": "GPU memory",
  "resource/npu": "NPU",
  "resource/npu_mem": "NPU memory",
};

export interface TaskUsage {
  task: string;
  metrics: { metric: string; labels: Record<string, string>[] }[];
}

export function isMachine(metric: string): boolean {
  return metric in TITLES || metric.startsWith("system/") || metric.startsWith("sys/");
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** Tasks by name, numbers by size; of each its metrics, and of a metric a label set for every device. */
export function tasksOf(table: Table): TaskUsage[] {
  const tasks = new Map<string, Map<string, Record<string, string>[]>>();
  table.metric.forEach((metric, at) => {
    const labels = table.labels[at];
    const task = labels?.task;
    if (!(metric in TITLES) || labels === undefined || task === undefined) return;
    const metrics = tasks.get(task) ?? new Map<string, Record<string, string>[]>();
    metrics.set(metric, [...(metrics.get(metric) ?? []), labels]);
    tasks.set(task, metrics);
  });
  return [...tasks]
    .sort(([a], [b]) => COLLATOR.compare(a, b))
    .map(([task, metrics]) => ({
      task,
      metrics: Object.keys(TITLES).flatMap((metric) => {
        const labels = metrics.get(metric);
        return labels === undefined ? [] : [{ metric, labels }];
      }),
    }));
}

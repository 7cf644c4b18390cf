// A run's metrics that have several label sets: as one line they would jump from series to series. Pure.

import type { components } from "../../api/schema";
import type { Shown } from "../../charts/shown";

type Table = Pick<components["schemas"]["MetricTable"], "metric" | "labels">;

/** So many lines of one run can be told apart in a chart, with patience; more are drawn as one. */
export const MOST = 100;

/** For each metric with several label sets a line for each of them. */
export function linesOf(run: Shown, table: Table): ReadonlyMap<string, readonly Shown[]> {
  const sets = new Map<string, Shown[]>();
  table.metric.forEach((metric, at) => {
    const labels = table.labels[at] ?? {};
    const line = { ...run, group: textOf(labels), labels };
    const known = sets.get(metric);
    if (known === undefined) sets.set(metric, [line]);
    else known.push(line);
  });
  return new Map([...sets].filter(([, lines]) => lines.length > 1 && lines.length <= MOST));
}

function textOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? "without labels" : pairs.join(", ");
}

// A page of a search, which travels in columns, as rows. What is not finite is NaN or an infinity again.

import type { components } from "../api/schema";

type RunPage = components["schemas"]["RunPage"];
type MetricColumns = components["schemas"]["MetricColumns"];
type Status = components["schemas"]["RunTable"]["status"][number];

export const AGGREGATES = ["last", "min", "max", "mean", "count"] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** What a search tells of one metric of one run; absent aggregates are null, for instance the least of nothing finite. */
export type MetricCell = Record<Aggregate, number | null> & { lastStep: number | null; lastTimeUs: number | null };

export interface RunRow {
  id: string;
  experimentId: number;
  number: number;
  name: string;
  user: string;
  status: Status;
  statusReason: string;
  deleted: boolean;
  startTimeUs: number | null;
  endTimeUs: number | null;
  createdAtUs: number;
  updatedAtUs: number;
  /** Only what was asked for, and what the run has. */
  params: Record<string, string>;
  tags: Record<string, string>;
  metrics: Record<string, MetricCell>;
}

export function rowsOf(page: Pick<RunPage, "runs" | "metrics" | "params" | "tags">): RunRow[] {
  const { runs } = page;
  const metrics = Object.entries(page.metrics).map(([name, columns]) => [name, cellsOf(columns)] as const);
  return runs.id.map((id, at) => ({
    id,
    experimentId: runs.experiment_id[at] ?? 0,
    number: runs.number[at] ?? 0,
    name: runs.name[at] ?? "",
    user: runs.user[at] ?? "",
    status: runs.status[at] ?? "RUNNING",
    statusReason: runs.status_reason[at] ?? "",
    deleted: runs.lifecycle[at] === "deleted",
    startTimeUs: runs.start_time_us[at] ?? null,
    endTimeUs: runs.end_time_us[at] ?? null,
    createdAtUs: runs.created_at_us[at] ?? 0,
    updatedAtUs: runs.updated_at_us[at] ?? 0,
    params: present(page.params, at),
    tags: present(page.tags, at),
    metrics: Object.fromEntries(metrics.flatMap(([name, cells]) => (cells[at] === undefined ? [] : [[name, cells[at]]]))),
  }));
}

function present(columns: Record<string, (string | null)[]>, at: number): Record<string, string> {
  const row: Record<string, string> = {};
  for (const [name, values] of Object.entries(columns)) {
    const value = values[at];
    if (value !== undefined && value !== null) row[name] = value;
  }
  return row;
}

function cellsOf(columns: MetricColumns): (MetricCell | undefined)[] {
  const read = (name: Aggregate): (number | null)[] => finished(columns[name], columns.non_finite[name]);
  const values = { last: read("last"), min: read("min"), max: read("max"), mean: read("mean") };
  return columns.count.map((count, at) =>
    count === null
      ? undefined
      : {
          count,
          last: values.last[at] ?? null,
          min: values.min[at] ?? null,
          max: values.max[at] ?? null,
          mean: values.mean[at] ?? null,
          lastStep: columns.last_step[at] ?? null,
          lastTimeUs: columns.last_time_us[at] ?? null,
        },
  );
}

/** A column with what JSON cannot say put back in its rows. */
function finished(column: (number | null)[], marks: components["schemas"]["Marks"] | undefined): (number | null)[] {
  if (marks === undefined) return column;
  const whole = [...column];
  marks.at.forEach((at, nth) => {
    whole[at] = Number(marks.value[nth]);
  });
  return whole;
}

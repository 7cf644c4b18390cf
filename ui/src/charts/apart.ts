// The label sets of metrics: as one line they would jump from series to series, so a chart draws each as a line of its own. Pure.

import type { components } from "../api/schema";
import type { Shown } from "./shown";

export type Labels = Readonly<Record<string, string>>;
type Table = components["schemas"]["LabelSetTable"];
/** Of each metric with labels the label sets of each run, by its id. */
export type LabelSets = ReadonlyMap<string, ReadonlyMap<string, readonly Labels[]>>;

/** So many lines of label sets can be told apart in a chart, with patience. */
export const MOST = 100;

const COLLATOR = new Intl.Collator("en", { numeric: true });

export function setsOf(table: Table): LabelSets {
  const found = new Map<string, Map<string, Labels[]>>();
  table.metric.forEach((metric, at) => {
    const runs = found.get(metric) ?? new Map<string, Labels[]>();
    const run = table.run_id[at] ?? "";
    found.set(metric, runs.set(run, [...(runs.get(run) ?? []), table.labels[at] ?? {}]));
  });
  return found;
}

/** The different label sets of a metric, by what they say, numbers by size; the one without labels is the first. */
export function distinct(sets: LabelSets, metric: string): readonly Labels[] {
  const all = new Map<string, Labels>();
  for (const each of [...(sets.get(metric)?.values() ?? [])].flat()) all.set(JSON.stringify(each), each);
  const rank = (labels: Labels) => (isEmpty(labels) ? "" : textOf(labels));
  return [...all.values()].sort((a, b) => COLLATOR.compare(rank(a), rank(b)));
}

export interface Apart {
  lines: readonly Shown[];
  /** How many label sets are not drawn. */
  leftOut: number;
}

/**
 * A line for each label set of each run where the metric has several; else the runs as they are. A set is drawn of every run
 * or of none. The colour of a line tells its run, and its dash the label set; of one run alone the colours tell the sets.
 */
export function apart(runs: readonly Shown[], sets: LabelSets, metric: string): Apart {
  const all = distinct(sets, metric);
  const ofRuns = sets.get(metric);
  if (ofRuns === undefined || all.length < 2) return { lines: runs, leftOut: 0 };
  const size = (run: Shown) => ofRuns.get(run.id)?.length ?? 0;
  const drawn = firstOf(all, Math.max(1, runs.filter((run) => size(run) > 0).length));
  const lines = runs.flatMap((run) => {
    if (size(run) === 0) return [run];
    const own = new Set(ofRuns.get(run.id)?.map((labels) => JSON.stringify(labels)));
    return drawn.flatMap((labels, nth) => (own.has(JSON.stringify(labels)) ? [lineOf(run, labels, runs.length > 1 ? nth : null)] : []));
  });
  return { lines, leftOut: all.length - drawn.length };
}

/** As many label sets as make no more than `MOST` lines with so many lines each; at least one. */
export function firstOf(all: readonly Labels[], each: number): readonly Labels[] {
  return all.slice(0, Math.max(1, Math.floor(MOST / each)));
}

/** `dash`: how many dashes further than the run's own; null: the chart deals the styles. */
function lineOf({ style, ...run }: Shown, labels: Labels, dash: number | null): Shown {
  const line = { ...run, group: textOf(labels), labels };
  return style === undefined || dash === null ? line : { ...line, style: { colour: style.colour, dash: style.dash + dash } };
}

export function textOf(labels: Labels): string {
  return isEmpty(labels) ? "without labels" : Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(", ");
}

function isEmpty(labels: Labels): boolean {
  return Object.keys(labels).length === 0;
}

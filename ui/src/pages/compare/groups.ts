// Runs in groups by what a param or a tag says. Pure.

import { textOf, type Labels } from "../../charts/apart";

export interface Grouped {
  id: string;
  params: Readonly<Record<string, string>>;
  tags: Readonly<Record<string, string>>;
}

/** What tells groups apart: "params.lr", "tags.stage", or "" for nothing. */
export interface By {
  colour: string;
  dash: string;
  charts: string;
}

export interface Group<R extends Grouped> {
  /** In words; "All runs" where nothing tells groups apart. */
  name: string;
  /** The places of its colour and dash among those that occur. */
  colour: number;
  dash: number;
  runs: R[];
}

export interface Chart<R extends Grouped> {
  /** What its runs share; "" where there is one chart. */
  name: string;
  groups: Group<R>[];
}

/** A group, or what one label set of a metric is of it; null: all of them together. */
export interface Apart<R extends Grouped> extends Group<R> {
  labels: Labels | null;
}

const COLLATOR = new Intl.Collator("en", { numeric: true });
export const MISSING = "not set";

/** Texts with numbers by size: 0.001 before 0.01, 2 before 10. */
export function byValue(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)];
  return a.trim() !== "" && b.trim() !== "" && !Number.isNaN(x) && !Number.isNaN(y) ? x - y : COLLATOR.compare(a, b);
}

export function fieldOf(run: Grouped, field: string): string | undefined {
  const dot = field.indexOf(".");
  return (field.slice(0, dot) === "tags" ? run.tags : run.params)[field.slice(dot + 1)];
}

/** The params and tags that the runs have, those of MLflow's own making left out. */
export function fieldsOf(runs: readonly Grouped[]): string[] {
  const params = new Set(runs.flatMap((run) => Object.keys(run.params)));
  const tags = new Set(runs.flatMap((run) => Object.keys(run.tags)).filter((name) => !name.startsWith("mlflow.")));
  return [...[...params].sort(COLLATOR.compare).map((name) => `params.${name}`), ...[...tags].sort(COLLATOR.compare).map((name) => `tags.${name}`)];
}

/** What a field says in all of the runs, in order. */
function saysOf(runs: readonly Grouped[], field: string): string[] {
  if (field === "") return [""];
  return [...new Set(runs.map((run) => fieldOf(run, field) ?? MISSING))].sort(byValue);
}

export function chartsOf<R extends Grouped>(runs: readonly R[], by: By): Chart<R>[] {
  const colours = saysOf(runs, by.colour);
  const dashes = saysOf(runs, by.dash);
  const says = (run: R, field: string) => (field === "" ? "" : (fieldOf(run, field) ?? MISSING));
  return saysOf(runs, by.charts).map((chart) => {
    const groups = new Map<string, Group<R>>();
    for (const run of runs) {
      if (says(run, by.charts) !== chart) continue;
      const [colour, dash] = [says(run, by.colour), says(run, by.dash)];
      const key = JSON.stringify([colour, dash]);
      const found = groups.get(key) ?? { name: nameOf(by, colour, dash), colour: colours.indexOf(colour), dash: dashes.indexOf(dash), runs: [] };
      found.runs.push(run);
      groups.set(key, found);
    }
    return { name: by.charts === "" ? "" : `${shortOf(by.charts)} = ${chart}`, groups: [...groups.values()].sort((a, b) => a.colour - b.colour || a.dash - b.dash) };
  });
}

/**
 * What each of the label sets is of each of a chart's groups, with the runs that have it. Colours tell groups apart and dashes
 * sets, too; where nothing tells groups apart, colours tell the sets.
 */
export function bySets<R extends Grouped>(groups: readonly Group<R>[], sets: readonly (Labels | null)[], has: (run: R, labels: Labels | null) => boolean, by: By): Apart<R>[] {
  const alone = by.colour === "" && by.dash === "";
  const part = (group: Group<R>, labels: Labels | null, nth: number): Apart<R> => {
    const runs = group.runs.filter((run) => has(run, labels));
    if (labels === null) return { ...group, runs, labels };
    const name = alone ? textOf(labels) : `${textOf(labels)} · ${group.name}`;
    return alone ? { ...group, name, colour: nth, runs, labels } : { ...group, name, dash: group.dash + nth, runs, labels };
  };
  return groups.flatMap((group) => sets.map((labels, nth) => part(group, labels, nth))).filter(({ runs }) => runs.length > 0);
}

function nameOf(by: By, colour: string, dash: string): string {
  const parts = [by.colour === "" ? "" : `${shortOf(by.colour)} = ${colour}`, by.dash === "" || by.dash === by.colour ? "" : `${shortOf(by.dash)} = ${dash}`];
  return parts.filter((part) => part !== "").join(", ") || "All runs";
}

function shortOf(field: string): string {
  return field.slice(field.indexOf(".") + 1);
}

// How the metrics of a workspace stand on the page: which match, in which sections, in which order.

import { pairsOf } from "./pairs";

export interface Section {
  /** What stands before the first "/"; empty for names without. */
  name: string;
  metrics: readonly string[];
}

/** What filters metrics: a regular expression, or why it is none. */
export function patternOf(text: string): RegExp | string {
  try {
    return new RegExp(text, "i");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function sectionName(metric: string): string {
  const slash = metric.indexOf("/");
  return slash < 0 ? "" : metric.slice(0, slash);
}

const COLLATOR = new Intl.Collator("en", { numeric: true });
/** Measured beside the training, not by it: below. */
const LAST = new Set(["system", "resource"]);

/** Sections by name, those of the machine last; metrics by name, numbers by size, then as they were moved. */
export function sectionsOf(metrics: readonly string[], moves: readonly string[]): Section[] {
  const found = new Map<string, string[]>();
  for (const metric of metrics) {
    const name = sectionName(metric);
    const section = found.get(name);
    if (section === undefined) found.set(name, [metric]);
    else section.push(metric);
  }
  return [...found]
    .sort(([a], [b]) => Number(LAST.has(a)) - Number(LAST.has(b)) || COLLATOR.compare(a, b))
    .map(([name, all]) => ({ name, metrics: moved(all.sort((a, b) => COLLATOR.compare(a, b)), moves) }));
}

/** Moves are pairs: a metric, and the one before which it stands (empty: at the end). */
export function moved(metrics: readonly string[], moves: readonly string[]): readonly string[] {
  const found = [...metrics];
  for (const [metric, before] of pairsOf(moves)) {
    const from = found.indexOf(metric);
    if (from < 0) continue;
    const to = before === "" ? found.length : found.indexOf(before);
    if (to < 0) continue;
    found.splice(from, 1);
    found.splice(to > from ? to - 1 : to, 0, metric);
  }
  return found;
}

/** The moves with one more; an older one of the same metric is forgotten. */
export function withMove(moves: readonly string[], metric: string, before: string): string[] {
  const kept = pairsOf(moves).filter(([each]) => each !== metric);
  return [...kept, [metric, before]].flat();
}

/** The moves after one step to the left or right among `shown`; unchanged at the ends. */
export function stepped(moves: readonly string[], shown: readonly string[], metric: string, by: -1 | 1): readonly string[] {
  const at = shown.indexOf(metric);
  if (at < 0 || at + by < 0 || at + by >= shown.length) return moves;
  const before = by < 0 ? shown[at - 1] : shown[at + 2];
  return withMove(moves, metric, before ?? "");
}

// What a chart is asked to show: the interface between the pages and the charts.

import type { ComponentChildren } from "preact";
import { ownStyle, stylesOf, type Style } from "./colours";
import type { ChartSettings } from "./settings";

/** A run (or one label set of it) as a line. Colour and identity come from `id`, and from `labels` where they are said. */
export interface Shown {
  id: string;
  /** In full; cut only where it is drawn. */
  name: string;
  /** What stands before the name in legends, when runs are grouped. */
  group?: string;
  /** The one series with exactly these labels; absent: the union of the metric's label sets. */
  labels?: Readonly<Record<string, string>>;
  /** Microseconds; relative time counts from here, or from the first point where it is absent. */
  startTimeUs?: number | null;
  /** Running runs are followed live. */
  running?: boolean;
  /** Named in the legend, but not drawn. */
  hidden?: boolean;
  /** As the page draws it everywhere; without it a chart deals the styles to its runs. */
  style?: Style;
}

/** What the legend does; without these a card hides and isolates by itself. */
export interface Choosing {
  toggle: (run: Shown) => void;
  isolate: (run: Shown) => void;
}

export interface CardProps {
  metric: string;
  runs: readonly Shown[];
  settings: ChartSettings;
  /** How many label sets are not among the runs. */
  leftOut?: number;
  /** What stands above the chart; the metric where absent. */
  title?: string;
  /** CSS pixels of the drawing; 260 where absent. */
  height?: number;
  choosing?: Choosing;
  /** Offered as x axis. */
  metrics?: readonly string[];
  /** More buttons for the card's head. */
  tools?: ComponentChildren;
}

/** Tells lines apart: runs, and label sets of one run. */
export function keyOf(run: Shown): string {
  return run.labels === undefined ? run.id : `${run.id}\0${JSON.stringify(run.labels)}`;
}

/** Whether the line with a key stands out: itself, all lines of a run, or the line of a run of which one label set does elsewhere. */
export function standsOut(key: string, highlighted: string | null): boolean {
  if (highlighted === null) return false;
  return key === highlighted || runOf(key) === highlighted || key === runOf(highlighted);
}

/** The run of a line with such a key. */
export function runOf(key: string): string {
  return key.split("\0", 1)[0] ?? key;
}

/** The styles of a chart's runs, in their order. */
export function stylesIn(runs: readonly Shown[]): Style[] {
  const dealt = stylesOf(runs.map(keyOf));
  return runs.map((run) => run.style ?? dealt.get(keyOf(run)) ?? ownStyle(run.id));
}

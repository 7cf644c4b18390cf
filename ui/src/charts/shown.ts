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

/** The styles of a chart's runs, in their order. */
export function stylesIn(runs: readonly Shown[]): Style[] {
  const dealt = stylesOf(runs.map(keyOf));
  return runs.map((run) => run.style ?? dealt.get(keyOf(run)) ?? ownStyle(run.id));
}

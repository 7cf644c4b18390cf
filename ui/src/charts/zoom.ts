// The zoom of all cards, and what single cards have of their own, in the address.

import { useMemo } from "preact/hooks";
import { PARAMS, textOf, useParam, valueOf } from "../state/params";
import { change, current } from "../state/route";
import { overridesOf, overrideText, type ChartSettings, type Override } from "./settings";
import type { Reach } from "./window";

/** An axis is of one kind, or of one metric: what is zoomed or pointed at on one means nothing on another. */
export function axisOf({ x, xMetric }: Pick<ChartSettings, "x" | "xMetric">): string {
  return x === "metric" ? `metric ${xMetric}` : x;
}

/** "100~200" of steps, "0~60~relative_time" of another axis; null where the text says no part of `axis`. */
export function reachOf(text: string, axis = "step"): Reach | null {
  const [first = "", second = "", ...rest] = text.split("~");
  const [min, max] = [Number(first), Number(second)];
  const named = rest.length === 0 ? "step" : rest.join("~");
  return named === axis && first !== "" && second !== "" && min < max && Number.isFinite(max - min) ? { min, max } : null;
}

export function reachText(reach: Reach | null, axis = "step"): string {
  return reach === null ? "" : `${reach.min}~${reach.max}${axis === "step" ? "" : `~${axis}`}`;
}

/** What of an axis every card that has it shows; null: everything. */
export function useZoom(axis: string): Reach | null {
  const [text] = useParam(PARAMS.zoom);
  return useMemo(() => reachOf(text, axis), [text, axis]);
}

/** A card's own settings, keeping their identity while they say the same. */
export function useOwn(metric: string): Override {
  const [entries] = useParam(PARAMS.ownSettings);
  return useMemo(() => overridesOf(entries).get(metric) ?? NOTHING, [entries, metric]);
}

const NOTHING: Override = { settings: {}, y: null };

/** A change of the zoom and of one card's own settings, as one step of the browser's history. */
export function changeView(
  { zoom, axis = "step", metric, own }: { zoom?: Reach | null; axis?: string; metric?: string; own?: Override },
  options: { replace?: boolean } = {},
): void {
  const names: Record<string, string | null> = {};
  if (zoom !== undefined) names[PARAMS.zoom.name] = textOf(PARAMS.zoom, reachText(zoom, axis));
  if (metric !== undefined && own !== undefined) {
    names[PARAMS.ownSettings.name] = textOfOwn(overridesOf(valueOf(current().query, PARAMS.ownSettings)).set(metric, own));
  }
  change(names, options);
}

/** Everything of every card again: along the bottom, and the heights that single cards were zoomed to. */
export function resetZoom(): void {
  const all = overridesOf(valueOf(current().query, PARAMS.ownSettings));
  const whole = new Map([...all].map(([metric, own]) => [metric, { ...own, y: null }]));
  change({ [PARAMS.zoom.name]: null, [PARAMS.ownSettings.name]: textOfOwn(whole) });
}

function textOfOwn(all: ReadonlyMap<string, Override>): string | null {
  const special = [...all].filter(([, own]) => Object.keys(own.settings).length > 0 || own.y !== null);
  return textOf(PARAMS.ownSettings, special.map(([metric, own]) => overrideText(metric, own)));
}

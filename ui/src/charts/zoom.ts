// The zoom of all cards, and what single cards have of their own, in the address.

import { useMemo } from "preact/hooks";
import { PARAMS, textOf, useParam, valueOf } from "../state/params";
import { change, current } from "../state/route";
import { overridesOf, overrideText, type Override } from "./settings";
import type { Reach } from "./window";

export function reachOf(text: string): Reach | null {
  const [min, max] = text.split("~").map(Number);
  return text !== "" && min !== undefined && max !== undefined && min < max && Number.isFinite(max - min) ? { min, max } : null;
}

export function reachText(reach: Reach | null): string {
  return reach === null ? "" : `${reach.min}~${reach.max}`;
}

/** What of the x axis every card shows; null: everything. */
export function useZoom(): Reach | null {
  const [text] = useParam(PARAMS.zoom);
  return useMemo(() => reachOf(text), [text]);
}

/** A card's own settings, keeping their identity while they say the same. */
export function useOwn(metric: string): Override {
  const [entries] = useParam(PARAMS.ownSettings);
  return useMemo(() => overridesOf(entries).get(metric) ?? NOTHING, [entries, metric]);
}

const NOTHING: Override = { settings: {}, y: null };

/** A change of the zoom and of one card's own settings, as one step of the browser's history. */
export function changeView(
  { zoom, metric, own }: { zoom?: Reach | null; metric?: string; own?: Override },
  options: { replace?: boolean } = {},
): void {
  const names: Record<string, string | null> = {};
  if (zoom !== undefined) names[PARAMS.zoom.name] = textOf(PARAMS.zoom, reachText(zoom));
  if (metric !== undefined && own !== undefined) {
    const all = overridesOf(valueOf(current().query, PARAMS.ownSettings));
    if (Object.keys(own.settings).length === 0 && own.y === null) all.delete(metric);
    else all.set(metric, own);
    names[PARAMS.ownSettings.name] = textOf(PARAMS.ownSettings, [...all].map(([name, each]) => overrideText(name, each)));
  }
  change(names, options);
}

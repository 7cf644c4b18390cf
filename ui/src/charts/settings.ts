// What a person chooses about charts: the global choice from the address, and what single cards have otherwise.

import { useMemo } from "preact/hooks";
import { PARAMS, textOf, valueOf, type Param } from "../state/params";
import { change, useRoute } from "../state/route";

/** What runs along the bottom. `metric` names the metric when `x` is "metric". */
export type XAxis = "step" | "relative_step" | "wall" | "relative_time" | "metric";
export type Method = "time_ema" | "ema" | "gaussian" | "mean";

export interface ChartSettings {
  x: XAxis;
  xMetric: string;
  logX: boolean;
  logY: boolean;
  method: Method;
  /** 0 is exactly raw, 0.999 the most. */
  smoothing: number;
  /** What the line goes through where a bucket holds several points. */
  line: "mean" | "last";
  band: boolean;
  /** Leave the lowest and highest 5 % of the values out of the y axis. */
  clip: boolean;
}

export const METHODS: readonly (readonly [Method, string])[] = [
  ["time_ema", "Time-weighted average"],
  ["ema", "Exponential average"],
  ["gaussian", "Gaussian"],
  ["mean", "Running mean"],
];

export const AXES: readonly (readonly [XAxis, string])[] = [
  ["step", "Step"],
  ["relative_step", "Relative step"],
  ["wall", "Wall time"],
  ["relative_time", "Relative time"],
  ["metric", "Metric"],
];

const SETTINGS = {
  x: PARAMS.x,
  xMetric: PARAMS.xMetric,
  logX: PARAMS.logX,
  logY: PARAMS.logY,
  method: PARAMS.method,
  smoothing: PARAMS.smoothing,
  line: PARAMS.line,
  band: PARAMS.band,
  clip: PARAMS.clip,
} satisfies { [K in keyof ChartSettings]: Param<ChartSettings[K]> };
const ENTRIES = Object.entries(SETTINGS) as unknown as [keyof ChartSettings, Param<unknown>][];

function paramOf(name: string): Param<unknown> {
  return SETTINGS[name as keyof ChartSettings] as unknown as Param<unknown>;
}

export const DEFAULTS: ChartSettings = settingsOf(new URLSearchParams());

/** The settings that a query says; the rest as `base`, or as usual. */
export function settingsOf(query: URLSearchParams, base?: ChartSettings): ChartSettings {
  const found: Record<string, unknown> = {};
  for (const [name, param] of ENTRIES) {
    found[name] = base !== undefined && !query.has(param.name) ? base[name] : valueOf(query, param);
  }
  return found as unknown as ChartSettings;
}

/** What a card has of its own: settings, and the y range of a box zoom. */
export interface Override {
  settings: Partial<ChartSettings>;
  y: readonly [number, number] | null;
}

/** "m=train/loss&log_y=1&y=0~1": one entry of the list of overrides. */
export function overrideText(metric: string, own: Override): string {
  const query = new URLSearchParams({ m: metric });
  for (const [name, value] of Object.entries(own.settings)) {
    const param = paramOf(name);
    query.set(param.name, param.write(value));
  }
  if (own.y !== null) query.set("y", own.y.join("~"));
  return query.toString();
}

export function overridesOf(entries: readonly string[]): Map<string, Override> {
  const found = new Map<string, Override>();
  for (const entry of entries) {
    const query = new URLSearchParams(entry);
    const settings: Record<string, unknown> = {};
    for (const [name, param] of ENTRIES) {
      if (query.has(param.name)) settings[name] = valueOf(query, param);
    }
    const [low, high] = (query.get("y") ?? "").split("~").map(Number);
    const y = low !== undefined && high !== undefined && low < high ? ([low, high] as const) : null;
    found.set(query.get("m") ?? "", { settings, y });
  }
  return found;
}

/** The global settings. They keep their identity while the address says the same. */
export function useChartSettings(): ChartSettings {
  const { query } = useRoute();
  const said = ENTRIES.map(([, param]) => query.get(param.name)).join("\0");
  return useMemo(() => settingsOf(query), [said]);
}

/** Puts some of the global settings into the address. `replace`: no new step of the browser's history. */
export function setChartSettings(some: Partial<ChartSettings>, options: { replace?: boolean } = {}): void {
  const names: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(some)) {
    const param = paramOf(name);
    names[param.name] = textOf(param, value);
  }
  change(names, options);
}

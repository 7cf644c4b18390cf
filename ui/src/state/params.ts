// What may stand in the query of the address, in one table, and how text becomes a value. A text that cannot be read
// gives the default: an old or mangled link opens.

import { useCallback, useMemo } from "preact/hooks";
import { change, useRoute } from "./route";

export interface Param<T> {
  name: string;
  initial: T;
  read: (text: string) => T | undefined;
  write: (value: T) => string;
}

export function text(name: string, initial = ""): Param<string> {
  return { name, initial, read: (given) => given, write: (value) => value };
}

export function number(name: string, initial: number, least = -Infinity, most = Infinity): Param<number> {
  const read = (given: string) => {
    const value = Number(given);
    return given.trim() !== "" && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : undefined;
  };
  return { name, initial, read, write: String };
}

export function flag(name: string, initial = false): Param<boolean> {
  return { name, initial, read: (given) => given === "1", write: (value) => (value ? "1" : "0") };
}

export function choice<const T extends string>(name: string, allowed: readonly T[], initial: NoInfer<T>): Param<T> {
  return { name, initial, read: (given) => allowed.find((word) => word === given), write: (value) => value };
}

/** Several texts; a comma or backslash inside one is escaped with a backslash. */
export function list(name: string): Param<readonly string[]> {
  const write = (values: readonly string[]) => values.map((value) => value.replace(/[\\,]/g, "\\$&")).join(",");
  const read = (given: string) =>
    given === "" ? [] : (given.match(/(?:\\.|[^\\,])+/gs) ?? []).map((item) => item.replace(/\\(.)/gs, "$1"));
  return { name, initial: [], read, write };
}

/** Every name of the address's query. A new one is added here, so that no two views use one name. */
export const PARAMS = {
  workspace: text("workspace"),
  experiments: list("experiments"),
  filter: text("filter"),
  order: list("order"),
  visibility: choice("visibility", ["active", "archived", "deleted", "all"], "active"),
  shown: list("shown"),
  hidden: list("hidden"),
  from: number("from", 0, 0),
  tableColumns: list("table"),
  widths: list("widths"),
  // Charts.
  x: choice("x", ["step", "relative_step", "wall", "relative_time", "metric"], "step"),
  xMetric: text("x_metric"),
  logX: flag("log_x"),
  logY: flag("log_y"),
  method: choice("smooth_by", ["time_ema", "ema", "gaussian", "mean"], "time_ema"),
  smoothing: number("smooth", 0, 0, 0.999),
  line: choice("line", ["mean", "last"], "mean"),
  band: flag("band", true),
  clip: flag("clip"),
  zoom: text("zoom"),
  metrics: text("metrics"),
  columns: number("columns", 3, 1, 4),
  height: number("height", 260, 160, 720),
  pinned: list("pinned"),
  cardOrder: list("cards"),
  closed: list("closed"),
  full: text("full"),
  ownSettings: list("own"),
  live: number("live", 1, 0, 60),
  // One run.
  part: choice("part", ["overview", "charts", "usage", "logs", "files", "custom", "lineage", "events", "code"], "overview"),
  file: text("file"),
  logSearch: text("log_search"),
  logSide: choice("log_side", ["", "begin", "end"], ""),
  stream: text("stream"),
  client: choice("client", ["mlflow", "pluto", "oracle", "sap", "modelarts", "curl"], "mlflow"),
  // Compare.
  colourBy: text("colour_by"),
  dashBy: text("dash_by"),
  chartsBy: text("charts_by"),
  middle: choice("middle", ["mean", "median"], "mean"),
  spread: choice("spread", ["range", "std", "ci", "none"], "range"),
  view: choice("view", ["curves", "params", "scatter", "parallel"], "curves"),
  allParams: flag("all_params"),
  scatterX: text("scatter_x"),
  scatterY: text("scatter_y"),
  axes: list("axes"),
} as const;

export function valueOf<T>(query: URLSearchParams, param: Param<T>): T {
  const given = query.get(param.name);
  return (given === null ? undefined : param.read(given)) ?? param.initial;
}

/** What a link must carry for `value`: null where it is the default. */
export function textOf<T>(param: Param<T>, value: T): string | null {
  const written = param.write(value);
  return written === param.write(param.initial) ? null : written;
}

/** A value in the address, and its setter. The value keeps its identity while its text stays the same. */
export function useParam<T>(param: Param<T>): [T, (value: T, options?: { replace?: boolean }) => void] {
  const { query } = useRoute();
  const given = query.get(param.name);
  const value = useMemo(() => (given === null ? undefined : param.read(given)) ?? param.initial, [given, param]);
  const set = useCallback(
    (next: T, options?: { replace?: boolean }) => {
      change({ [param.name]: textOf(param, next) }, options);
    },
    [param],
  );
  return [value, set];
}

// The columns of the table: what they are, how the address names them, what they show and how they are sorted.

import { duration, moment, value, whole } from "../../charts/format";
import { fieldOf } from "../../state/filter";
import { AGGREGATES, type Aggregate, type RunRow } from "../../state/rows";

export type Kind = "run" | "param" | "tag" | "spark" | Aggregate;

export interface Column {
  kind: Kind;
  /** A metric, param or tag; for `run` one of the attributes below. */
  key: string;
}

/** The attributes of a run that can be columns: title, field of an order, width. */
export const ATTRIBUTES: Record<string, readonly [title: string, order: string | null, width: number]> = {
  name: ["Run", "run_name", 300],
  status: ["Status", "status", 170],
  started: ["Started", "start_time", 170],
  duration: ["Duration", "duration", 130],
  heard: ["Last heard", null, 140],
  ended: ["Ended", "end_time", 170],
  updated: ["Changed", null, 170],
  user: ["User", "user_id", 110],
  number: ["Number", null, 80],
  experiment: ["Experiment", null, 160],
  id: ["Id", "run_id", 260],
};

export const NAME: Column = { kind: "run", key: "name" };
export const DEFAULT: readonly string[] = ["run.status", "run.started", "run.duration", "run.user"];

const KINDS: readonly Kind[] = ["run", "param", "tag", "spark", ...AGGREGATES];
const LEAST_WIDTH = 60;

/** `param.lr`, `min.train/loss`, `run.status`. */
export function textOfColumn({ kind, key }: Column): string {
  return `${kind}.${key}`;
}

export function columnOf(text: string): Column | null {
  const dot = text.indexOf(".");
  const kind = KINDS.find((each) => each === text.slice(0, dot));
  const key = text.slice(dot + 1);
  if (dot < 0 || kind === undefined || key === "") return null;
  return kind === "run" && !Object.hasOwn(ATTRIBUTES, key) ? null : { kind, key };
}

/** The columns that the address names, the name of the run before all; what cannot be read, or comes twice, is left out. */
export function columnsOf(texts: readonly string[]): Column[] {
  const named = [...new Set(texts)].flatMap((text) => columnOf(text) ?? []);
  return [NAME, ...named.filter(({ kind, key }) => kind !== "run" || key !== "name")];
}

/** `param.lr=120`. */
export function widthsOf(texts: readonly string[]): Map<string, number> {
  const widths = new Map<string, number>();
  for (const text of texts) {
    const at = text.lastIndexOf("=");
    const width = Number(text.slice(at + 1));
    if (at > 0 && Number.isFinite(width)) widths.set(text.slice(0, at), Math.max(LEAST_WIDTH, Math.round(width)));
  }
  return widths;
}

export function textsOfWidths(widths: ReadonlyMap<string, number>): string[] {
  return [...widths].map(([column, width]) => `${column}=${Math.max(LEAST_WIDTH, Math.round(width))}`);
}

export function widthOf(column: Column, widths: ReadonlyMap<string, number>): number {
  return widths.get(textOfColumn(column)) ?? usualWidth(column);
}

/** Names are read whole as long as they are not much longer than what stands below them. */
function usualWidth(column: Column): number {
  if (column.kind === "run") return ATTRIBUTES[column.key]?.[2] ?? 120;
  const written = 62 + 8.5 * (hintOf(column).length + 1 + titleOf(column).length);
  return Math.round(Math.min(260, Math.max(column.kind === "spark" ? 140 : 130, written)));
}

export function titleOf({ kind, key }: Column): string {
  return kind === "run" ? (ATTRIBUTES[key]?.[0] ?? key) : key;
}

/** What the column shows of its key, where the title does not say it. */
export function hintOf({ kind }: Column): string {
  return kind === "run" ? "" : kind === "spark" ? "curve" : kind;
}

export function isNumeric({ kind, key }: Column): boolean {
  return kind === "run" ? key === "duration" || key === "heard" || key === "number" : (AGGREGATES as readonly string[]).includes(kind);
}

/** The field of an order; null where the server cannot sort by it. */
export function orderField({ kind, key }: Column): string | null {
  if (kind === "run") return ATTRIBUTES[key]?.[1] ?? null;
  if (kind === "param" || kind === "tag") return fieldOf(`${kind}s`, key);
  return fieldOf("metrics", key, kind === "spark" ? "last" : kind);
}

/** What a cell shows; empty where the run has nothing there. */
export function textOfCell(column: Column, row: RunRow, nowUs: number): string {
  const { kind, key } = column;
  if (kind === "run") return attributeText(key, row, nowUs);
  if (kind === "param") return own(row.params, key) ?? "";
  if (kind === "tag") return own(row.tags, key) ?? "";
  const cell = own(row.metrics, key);
  if (cell === undefined) return "";
  const number = cell[kind === "spark" ? "last" : kind];
  return number === null ? "" : kind === "count" ? whole(number) : value(number);
}

/** Names such as `constructor` are nothing that every record has. */
export function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function attributeText(key: string, row: RunRow, nowUs: number): string {
  const time = (at: number | null) => (at === null ? "" : moment(Math.floor(at / 1e6)));
  switch (key) {
    case "status":
      return row.status;
    case "started":
      return time(row.startTimeUs);
    case "ended":
      return time(row.endTimeUs);
    case "updated":
      return time(row.updatedAtUs);
    case "duration":
      return row.startTimeUs === null ? "" : lasted(row, row.startTimeUs, nowUs);
    case "user":
      return row.user;
    case "number":
      return String(row.number);
    case "experiment":
      return String(row.experimentId);
    case "id":
      return row.id;
    case "heard": // known to the page alone
      return "";
    default:
      return row.name;
  }
}

function lasted(row: RunRow, startUs: number, nowUs: number): string {
  if (row.endTimeUs === null && row.status !== "RUNNING") return "";
  const seconds = ((row.endTimeUs ?? nowUs) - startUs) / 1e6;
  return seconds < 0 ? "" : duration(seconds < 60 ? Number(seconds.toPrecision(3)) : seconds);
}

/** What a search must bring along for these columns. */
export function neededBy(columns: readonly Column[]): { metrics: string[]; params: string[]; tags: string[] } {
  const keys = (kinds: (kind: Kind) => boolean) => [...new Set(columns.filter((c) => kinds(c.kind)).map((c) => c.key))];
  return {
    metrics: keys((kind) => kind !== "run" && kind !== "param" && kind !== "tag"),
    params: keys((kind) => kind === "param"),
    tags: keys((kind) => kind === "tag"),
  };
}

/** The order after a press on a column's head: ascending, descending, none. `more` keeps the other fields. */
export function pressed(order: readonly string[], field: string, more: boolean): string[] {
  const now = directionOf(order, field);
  const next = now === null ? [`${field} ASC`] : now === "ASC" ? [`${field} DESC`] : [];
  const others = more ? order.filter((each) => fieldIn(each) !== field) : [];
  return [...others, ...next];
}

export function directionOf(order: readonly string[], field: string): "ASC" | "DESC" | null {
  const found = order.find((each) => fieldIn(each) === field);
  return found === undefined ? null : / DESC$/i.test(found) ? "DESC" : "ASC";
}

function fieldIn(order: string): string {
  return order.replace(/ (ASC|DESC)$/i, "");
}

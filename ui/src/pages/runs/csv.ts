// A table of runs as CSV (RFC 4180).

import { field } from "../../parts/cells";
import type { RunRow } from "../../state/rows";
import { type Column, hintOf, own, titleOf } from "./columns";

export function line(fields: readonly string[]): string {
  return `${fields.map(field).join(",")}\r\n`;
}

/** Names of the columns, the run's id first; a curve has none. */
export function headOf(columns: readonly Column[]): string {
  return line(["Id", ...written(columns).map(headingOf)]);
}

export function linesOf(rows: readonly RunRow[], columns: readonly Column[]): string {
  const shown = written(columns);
  return rows.map((row) => line([row.id, ...shown.map((column) => exact(column, row))])).join("");
}

/** Two columns of one metric are told apart. */
function headingOf(column: Column): string {
  const named = column.kind === "run" || column.kind === "param" || column.kind === "tag";
  return named ? titleOf(column) : `${titleOf(column)} (${hintOf(column)})`;
}

/** An age is of the moment, not of the run. */
function written(columns: readonly Column[]): Column[] {
  return columns.filter(({ kind, key }) => kind !== "spark" && !(kind === "run" && (key === "id" || key === "heard")));
}

/** A cell without loss: times as ISO 8601, durations in seconds, numbers with all digits. */
function exact({ kind, key }: Column, row: RunRow): string {
  if (kind === "param") return own(row.params, key) ?? "";
  if (kind === "tag") return own(row.tags, key) ?? "";
  if (kind === "run") return attribute(key, row);
  const number = own(row.metrics, key)?.[kind === "spark" ? "last" : kind];
  return number === undefined || number === null ? "" : Object.is(number, -0) ? "-0" : String(number);
}

function attribute(key: string, row: RunRow): string {
  const time = (at: number | null) => (at === null ? "" : isoOf(at));
  const known: Record<string, () => string> = {
    name: () => row.name,
    status: () => row.status,
    started: () => time(row.startTimeUs),
    ended: () => time(row.endTimeUs),
    updated: () => time(row.updatedAtUs),
    duration: () => (row.startTimeUs === null || row.endTimeUs === null ? "" : String((row.endTimeUs - row.startTimeUs) / 1e6)),
    user: () => row.user,
    number: () => String(row.number),
    experiment: () => String(row.experimentId),
  };
  return known[key]?.() ?? "";
}

/** Microseconds since 1970 with all six digits; the number where no date can say it. */
function isoOf(us: number): string {
  const date = new Date(Math.floor(us / 1000));
  if (Number.isNaN(date.getTime())) return String(us);
  return date.toISOString().replace("Z", `${String(((us % 1000) + 1000) % 1000).padStart(3, "0")}Z`);
}

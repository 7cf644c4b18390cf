// What a run's status means to a person: a word, a shape, and whether a running run has fallen silent.

import { duration } from "../../charts/format";
import type { RunRow } from "../../state/rows";

/** A running run that stored nothing for so long is likely dead: microseconds. */
export const SILENT_US = 5 * 60 * 1_000_000;

export interface StatusSign {
  word: string;
  /** Told apart without colours. */
  shape: string;
  tone: "good" | "bad" | "warn" | "accent" | "faint";
}

const SIGNS: Record<RunRow["status"], StatusSign> = {
  RUNNING: { word: "Running", shape: "▶", tone: "accent" },
  FINISHED: { word: "Finished", shape: "✓", tone: "good" },
  FAILED: { word: "Failed", shape: "✗", tone: "bad" },
  KILLED: { word: "Killed", shape: "■", tone: "warn" },
  SCHEDULED: { word: "Scheduled", shape: "○", tone: "faint" },
};

/** `heardUs`: when the run was last heard of; null while that is not known, and then it is not called silent. */
export function signOf(status: RunRow["status"], heardUs: number | null, nowUs: number): StatusSign {
  const silent = nowUs - (heardUs ?? nowUs);
  if (status !== "RUNNING" || silent < SILENT_US) return SIGNS[status];
  return { word: `Silent for ${duration(Math.round(silent / 60e6) * 60)}`, shape: "◐", tone: "warn" };
}

/** How long ago a running run was last heard of, in words; empty for others. The clocks of two machines may differ a little. */
export function ageOf(status: RunRow["status"], heardUs: number | null, nowUs: number): string {
  if (status !== "RUNNING") return "";
  if (heardUs === null) return "…";
  return `${duration(Math.max(0, Math.floor((nowUs - heardUs) / 1e6)))} ago`;
}

/** When the run last changed, or stored a point of a metric that is among the columns. */
export function lastKnownUs(row: Pick<RunRow, "updatedAtUs" | "metrics">): number {
  const times = Object.values(row.metrics).map((cell) => cell.lastTimeUs ?? 0);
  return Math.max(row.updatedAtUs, ...times);
}

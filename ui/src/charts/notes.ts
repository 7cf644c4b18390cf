// What a card says of itself in words: how it was sampled, what is not shown, what is not finite.

import { tally, type Buckets } from "./buckets";
import type { FeedState } from "./feed";
import { counted, whole } from "./format";
import { isInterpolated } from "./join";
import type { Line } from "./lines";
import type { ChartSettings } from "./settings";

export function notesOf(state: FeedState, lines: readonly Line[], settings: ChartSettings, clipped: number): string[] {
  const { held, loading } = state;
  if (held.length === 0) return [];
  const notes = [sampledNote(held.map((each) => each.detail))];
  if (loading) notes.push("loading finer ones");
  if (settings.smoothing > 0) notes.push("smoothed, raw behind");
  if (settings.clip) notes.push(`5 to 95 % of the values fit; ${counted(clipped, "point")} outside`);
  const lost = lines.reduce((sum, line) => sum + line.lost, 0);
  if (lost > 0) notes.push(`${whole(lost)} without a place on the x axis`);
  if (settings.x === "metric" && held.some((each) => each.along !== null && isInterpolated(each.detail, each.along))) {
    notes.push(`joined to ${settings.xMetric} by step, in straight lines between its points`);
  } else if (settings.x === "metric") notes.push(`joined to ${settings.xMetric} by equal steps`);
  if (held.some((each) => inexact(each.detail.firstStep) || inexact(each.detail.lastStep))) {
    notes.push("steps beyond 9,007,199,254,740,991 are rounded");
  }
  return notes;
}

/** What is said of label sets for which a chart has no room. */
export function leftOutNote(count: number): string[] {
  return count === 0 ? [] : [`${counted(count, "label set")} left out`];
}

/** Whether what is drawn is every point. */
export function sampledNote(all: readonly Buckets[]): string {
  const { points, buckets, sampled } = tally(all);
  return sampled ? `${counted(points, "point")} in ${counted(buckets, "bucket")}; lowest and highest kept` : `Every one of ${counted(points, "point")}`;
}

function inexact(steps: Float64Array): boolean {
  return Math.abs(steps[0] ?? 0) > Number.MAX_SAFE_INTEGER || Math.abs(steps.at(-1) ?? 0) > Number.MAX_SAFE_INTEGER;
}

export interface Badge {
  text: string;
  meaning: string;
}

/** How many values are drawn as marks, by kind. */
export function badgesOf(lines: readonly Line[]): Badge[] {
  const sum = [0, 0, 0, 0];
  for (const line of lines) line.marks.counts.forEach((count, kind) => (sum[kind] = (sum[kind] ?? 0) + count));
  const words = [
    ["▼", "NaN", "values are not a number; triangles that point down show where"],
    ["▲", "+Inf", "values are infinite; triangles that point up show where"],
    ["✕", "-Inf", "values are infinite below 0; crosses show where"],
    ["–", "≤ 0", "places hold values not above 0, which a logarithmic axis cannot show; bars show where"],
  ] as const;
  return words.flatMap(([sign, word, meaning], kind) => {
    const count = sum[kind] ?? 0;
    return count === 0 ? [] : [{ text: `${sign} ${whole(count)} ${word}`, meaning: `${whole(count)} ${meaning}` }];
  });
}

// How fast things go, from two looks at what the server counts.

import { total, type Sample } from "./exposition";

/** What the server told at a moment (seconds of some clock). */
export interface Look {
  at: number;
  samples: readonly Sample[];
}

/** How much a counter grew for each second between two looks; a dash until there are two, or after a restart. */
export function perSecond(now: Look, before: Look | null, name: string): string {
  if (before === null || now.at <= before.at) return "–";
  const grown = (total(now.samples, name) ?? 0) - (total(before.samples, name) ?? 0);
  if (grown < 0) return "–";
  const rate = grown / (now.at - before.at);
  return rate > 0 && rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en");
}

/** The bound below which the slowest commit between two looks took; a dash when there was none. */
export function slowest(now: Look, before: Look | null): string {
  if (before === null) return "–";
  const counted = bounds(now).map(({ bound, count }, at) => ({ bound, count: count - (bounds(before)[at]?.count ?? 0) }));
  const all = counted.at(-1)?.count ?? 0;
  if (all <= 0) return "–";
  const found = counted.find(({ count }) => count >= all);
  if (found === undefined) return "–";
  return found.bound === Infinity ? "over 2.5 s" : found.bound < 1 ? `under ${String(found.bound * 1000)} ms` : `under ${String(found.bound)} s`;
}

function bounds(look: Look): { bound: number; count: number }[] {
  return look.samples
    .filter(({ name }) => name === "stepwell_commit_seconds_bucket")
    .map(({ labels, value }) => ({ bound: labels.le === "+Inf" ? Infinity : Number(labels.le), count: value }));
}

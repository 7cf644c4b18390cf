// The pages of a stream of console lines that are held: later ones join behind, earlier ones before. Pure.

import type { Line } from "./lines";

export const AT_ONCE = 100_000; // lines fetched without being asked for more, and kept of those that are followed

export interface LinePage {
  /** The cursor before its first line; null where the stream begins. */
  before: string | null;
  lines: readonly Line[];
}

export interface Held {
  pages: readonly LinePage[];
  /** All lines of the pages. */
  lines: readonly Line[];
  /** Where the first line stands, counted from the first that was ever held: below 0 once earlier ones have come. */
  first: number;
  /** How many lines are held at most, beside a part of a page; more once somebody asked for them. */
  room: number;
}

/** Who follows the end of a stream for days holds no more than who reads its beginning; there nothing is dropped. */
export function nothing(side: "begin" | "end"): Held {
  return { pages: [], lines: [], first: 0, room: side === "end" ? AT_ONCE : Infinity };
}

/** Behind all others; the first pages are dropped for it. */
export function appended(held: Held, page: LinePage): Held {
  if (page.lines.length === 0) return held;
  const { pages, lines, first, room } = held;
  const all = [...pages, page];
  let count = lines.length + page.lines.length;
  let gone = 0;
  for (let next = all[gone]; next !== undefined && count - next.lines.length >= room; next = all[++gone]) count -= next.lines.length;
  const joined = [...lines, ...page.lines];
  return { pages: all.slice(gone), lines: joined.slice(joined.length - count), first: first + joined.length - count, room };
}

/** Before all others; `held` as it is where its first page is another by now than the one that was asked from. */
export function prepended(held: Held, from: LinePage, page: LinePage): Held {
  const { pages, lines, first, room } = held;
  if (pages[0] !== from) return held;
  const more = page.lines.length;
  return { pages: [page, ...pages], lines: [...page.lines, ...lines], first: first - more, room: room + more };
}

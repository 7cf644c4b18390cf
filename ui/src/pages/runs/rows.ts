// The rows of a search of any length, fetched by page as they come into view. No drawing.

import type { Problem, Result } from "../../api/client";
import type { RunRow } from "../../state/rows";
import type { Span } from "../../parts/windowing";

export const PAGE = 100;
/** So many rows before and behind the view are fetched too. */
const AHEAD = 80;
const STAYS = 40; // milliseconds
/** Pages that are kept; further ones, seen from the view, are forgotten. */
const KEPT = 200;

export interface Answer {
  rows: RunRow[];
  total: number;
}

export type Ask = (from: number, limit: number, signal: AbortSignal) => Promise<Result<Answer>>;

export class Rows {
  total: number | null = null;
  error: Problem | null = null;
  private readonly pages = new Map<number, RunRow[]>();
  private readonly pending = new Map<number, AbortController>();
  private view: Span = { from: 0, to: PAGE };
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `before` is shown where this has no rows yet, until its first page is there. */
  constructor(
    private readonly ask: Ask,
    private readonly changed: () => void,
    private before: Rows | null = null,
  ) {
    if (before !== null) {
      before.before = null;
      before.stop();
      this.view = before.view;
    }
  }

  /** What the list's length is taken for until it is known. */
  get length(): number {
    return this.total ?? this.before?.length ?? 0;
  }

  /** Nothing of this search was answered yet. */
  get waiting(): boolean {
    return this.total === null && this.error === null;
  }

  at(place: number): RunRow | null {
    const row = this.pages.get(Math.floor(place / PAGE))?.[place % PAGE];
    return row ?? this.before?.at(place) ?? null;
  }

  /** Every row that is here, in no order. */
  loaded(): RunRow[] {
    return [...this.pages.values()].flat();
  }

  /** Fetch what these rows lack, and stop fetching what nobody looks at any more. */
  show(span: Span): void {
    const jumped = Math.abs(span.from - this.view.from) > PAGE;
    this.view = span;
    clearTimeout(this.timer);
    // While the bar is dragged through thousands of rows, only where it stays is worth asking for.
    if (jumped) this.timer = setTimeout(() => this.load(), STAYS);
    else this.load();
  }

  private load(): void {
    const span = this.view;
    const wanted = this.pagesOf({ from: Math.max(0, span.from - AHEAD), to: span.to + AHEAD });
    for (const [page, stop] of this.pending) {
      if (wanted.includes(page)) continue;
      stop.abort();
      this.pending.delete(page);
    }
    if (this.error !== null) return;
    for (const page of wanted) if (!this.pages.has(page)) this.fetch(page);
    this.forget(wanted[0] ?? 0);
  }

  /** Ask again for what is in view; the rest is asked for when it is looked at. */
  refresh(): void {
    const wanted = this.pagesOf(this.view);
    for (const page of [...this.pages.keys()]) if (!wanted.includes(page)) this.pages.delete(page);
    for (const page of wanted) this.fetch(page);
  }

  /** Ask for all of it again: the runs were changed, and what is on its way may be older than that. */
  renew(): void {
    this.stop();
    this.refresh();
  }

  /** Rows as they are now, in their places. */
  update(rows: readonly RunRow[]): void {
    const fresh = new Map(rows.map((row) => [row.id, row]));
    for (const [page, old] of this.pages) {
      if (old.some((row) => fresh.has(row.id))) this.pages.set(page, old.map((row) => fresh.get(row.id) ?? row));
    }
    this.changed();
  }

  retry(): void {
    this.error = null;
    this.load();
    this.changed();
  }

  stop(): void {
    clearTimeout(this.timer);
    for (const stop of this.pending.values()) stop.abort();
    this.pending.clear();
  }

  private pagesOf({ from, to }: Span): number[] {
    const last = Math.floor(Math.max(from, Math.min(to, this.total ?? to) - 1) / PAGE);
    const first = Math.min(last, Math.floor(from / PAGE));
    return Array.from({ length: last - first + 1 }, (_, nth) => first + nth);
  }

  private fetch(page: number): void {
    if (this.pending.has(page)) return;
    const stop = new AbortController();
    this.pending.set(page, stop);
    this.ask(page * PAGE, PAGE, stop.signal)
      .then((result) => {
        if (stop.signal.aborted) return;
        this.pending.delete(page);
        if (result.ok) this.take(page, result.data);
        else this.error = result.error;
        this.changed();
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
  }

  private take(page: number, { rows, total }: Answer): void {
    this.before = null;
    this.error = null;
    this.total = total;
    this.pages.set(page, rows);
    for (const each of this.pages.keys()) if (each * PAGE >= total && each > 0) this.pages.delete(each);
  }

  private forget(around: number): void {
    if (this.pages.size <= KEPT) return;
    const far = [...this.pages.keys()].sort((one, other) => Math.abs(other - around) - Math.abs(one - around));
    for (const page of far.slice(0, this.pages.size - KEPT)) this.pages.delete(page);
  }
}

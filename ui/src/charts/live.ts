// Following running runs: one request for all followed series of a page, again and again while the tab is visible.
// Nothing of old points is kept here but each series' cursor.

import { post } from "../api/client";
import type { Points } from "./buckets";

export interface Followed {
  runId: string;
  metric: string;
  labels: Readonly<Record<string, string>> | null;
  /** The cursor of the last answer; empty: from `minStep` on, or from the beginning where that is null. */
  since: string;
  minStep: number | null;
  /** New points; they may be none. `first`: the answer to a question without cursor. */
  take: (points: Points, first: boolean) => void;
}

const MOST_SERIES = 1000;
/** Steps that a double may not hold exactly are not asked for: the points come again and are known. */
const EXACT = Number.MAX_SAFE_INTEGER;

type Post = typeof post;

export class Live {
  private readonly followed = new Set<Followed>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stop: AbortController | null = null;
  private interval = 0;
  private readonly send: Post;

  constructor(send: Post = post) {
    this.send = send;
  }

  /** Seconds between questions; 0 is off. */
  every(seconds: number): void {
    this.interval = seconds;
    this.schedule(seconds);
  }

  follow(one: Followed): () => void {
    this.followed.add(one);
    this.schedule(this.interval);
    return () => {
      this.followed.delete(one);
    };
  }

  /** Begin when the page is shown; the returned function ends everything. */
  start(page: Pick<Document, "hidden" | "addEventListener" | "removeEventListener"> = document): () => void {
    const look = () => {
      if (page.hidden) this.halt();
      else this.schedule(0.05);
    };
    this.hidden = () => page.hidden;
    page.addEventListener("visibilitychange", look);
    return () => {
      page.removeEventListener("visibilitychange", look);
      this.halt();
    };
  }

  private hidden: () => boolean = () => false;

  private halt(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.stop?.abort();
  }

  private schedule(seconds: number): void {
    if (this.interval === 0 || this.hidden()) return this.halt();
    if (this.timer !== undefined || this.stop !== null || this.followed.size === 0) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.round();
    }, seconds * 1000);
  }

  private async round(): Promise<void> {
    this.stop = new AbortController();
    let more = false;
    try {
      const all = [...this.followed];
      for (let at = 0; at < all.length; at += MOST_SERIES) more = (await this.ask(all.slice(at, at + MOST_SERIES))) || more;
    } catch (error) {
      if (!this.stop.signal.aborted) throw error;
    } finally {
      this.stop = null;
      this.schedule(more ? 0 : this.interval);
    }
  }

  /** Whether there is more to read at once. A failure is no more: the next round asks the same again. */
  private async ask(some: readonly Followed[]): Promise<boolean> {
    const series = some.map((one) => ({
      run_id: one.runId,
      metric: one.metric,
      labels: one.labels,
      since: one.since,
      ...(one.since === "" && one.minStep !== null && Math.abs(one.minStep) <= EXACT ? { min_step: one.minStep } : {}),
    }));
    const asked = some.map((one) => one.since);
    const result = await this.send("/api/v1/deltas", { body: { series, limit: 1000 }, signal: this.stop?.signal ?? AbortSignal.abort() });
    if (!result.ok) return false;
    let more = false;
    some.forEach((one, at) => {
      const found = result.data.series[at];
      // Meanwhile it may have been dropped, or begun anew.
      if (found === undefined || !this.followed.has(one) || one.since !== asked[at]) return;
      one.since = found.since;
      more ||= found.more;
      one.take(found.points, asked[at] === "");
    });
    return more;
  }
}

// Buckets from the server for all cards of a page: what is asked at the same moment goes in few requests, and what was
// answered is remembered. Who asks, and what is drawn, is told elsewhere.

import type { Result } from "../api/client";
import type { components } from "../api/schema";
import { NO_BUCKETS, type Asked, type Buckets } from "./buckets";
import { readBuckets } from "./raw";

export type Window = components["schemas"]["Window"];

export interface Wanted {
  runId: string;
  metric: string;
  /** Null: the union of the metric's label sets. */
  labels: Readonly<Record<string, string>> | null;
  window: Window;
  budget: number;
  columns: readonly Asked[];
}

/** The API's limits: series of one read, and buckets of all of them. */
const MOST_SERIES = 1000;
const MOST_BUCKETS = 1_000_000;
/** A request of so many buckets takes no further metric: the first cards are drawn while the server reads the next. */
const ENOUGH = 12_000;
/** So many requests at a time: more would all be answered late, and then drawn all at once. */
const AT_ONCE = 2;
/** How many buckets are remembered, of 80 to 96 bytes each. Those of one answer lie together, and go when the last of them is forgotten. */
const REMEMBERED = 200_000;

interface Waiting {
  wanted: Wanted;
  signal: AbortSignal;
  done: (result: Result<Buckets>) => void;
}

type Read = typeof readBuckets;

export class Source {
  private waiting: Waiting[] = [];
  private readonly queue: Waiting[][] = [];
  private asking = 0;
  private readonly kept = new Map<string, Buckets>();
  private size = 0;
  private readonly ask: Read;

  constructor(ask: Read = readBuckets) {
    this.ask = ask;
  }

  /**
   * The buckets of a series. `keep`: the answer may be remembered and need not be fresh. Aborting leaves the promise
   * open; the request ends when nobody waits for it any more.
   */
  read(wanted: Wanted, { keep, signal }: { keep: boolean; signal: AbortSignal }): Promise<Result<Buckets>> {
    const name = JSON.stringify(wanted);
    const found = keep ? this.kept.get(name) : undefined;
    if (found !== undefined) {
      this.kept.delete(name);
      this.kept.set(name, found);
      return Promise.resolve({ ok: true, data: found });
    }
    return new Promise((resolve) => {
      const done = (result: Result<Buckets>) => {
        if (keep && result.ok) this.remember(name, result.data);
        resolve(result);
      };
      this.waiting.push({ wanted, signal, done });
      // When all cards have asked, but before the next frame is painted.
      if (this.waiting.length === 1) queueMicrotask(() => this.flush());
    });
  }

  /** What was remembered is asked again from now on. */
  forget(): void {
    this.kept.clear();
    this.size = 0;
  }

  private remember(name: string, buckets: Buckets): void {
    this.kept.set(name, buckets);
    this.size += buckets.count.length;
    for (const [oldest, old] of this.kept) {
      if (this.size <= REMEMBERED) break;
      this.kept.delete(oldest);
      this.size -= old.count.length;
    }
  }

  private flush(): void {
    const batches = new Map<string, Waiting[]>();
    for (const each of this.waiting) {
      if (each.signal.aborted) continue;
      const { window, budget, columns, metric } = each.wanted;
      const name = JSON.stringify([window, budget, columns]);
      const most = Math.min(MOST_SERIES, Math.floor(MOST_BUCKETS / budget));
      let batch = batches.get(name);
      const enough = batch !== undefined && batch.length * budget >= ENOUGH && batch.at(-1)?.wanted.metric !== metric;
      if (batch !== undefined && (enough || batch.length >= most)) {
        batch = undefined;
      }
      if (batch === undefined) {
        batches.set(name, (batch = []));
        this.queue.push(batch);
      }
      batch.push(each);
    }
    this.waiting = [];
    this.next();
  }

  /** Asks what waits, as far as there is room. */
  private next(): void {
    for (let batch; this.asking < AT_ONCE && (batch = this.queue.shift()) !== undefined; ) {
      this.asking++;
      void this.answer(batch.filter(({ signal }) => !signal.aborted)).finally(() => {
        this.asking--;
        this.next();
      });
    }
  }

  private async answer(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const { window, budget, columns } = first.wanted;
    const stop = new AbortController();
    const left = () => {
      if (batch.every(({ signal }) => signal.aborted)) stop.abort();
    };
    for (const { signal } of batch) signal.addEventListener("abort", left, { once: true });
    const series = batch.map(({ wanted }) => ({ run_id: wanted.runId, metric: wanted.metric, labels: wanted.labels }));
    try {
      const result = await this.ask({ series, window, budget, columns: [...columns] }, stop.signal);
      batch.forEach((each, at) => each.done(result.ok ? { ok: true, data: result.data[at] ?? NO_BUCKETS } : result));
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      for (const { signal } of batch) signal.removeEventListener("abort", left);
    }
  }
}

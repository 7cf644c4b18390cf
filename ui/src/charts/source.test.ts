// What goes in which request: whole cards together, few requests at a time.
import { describe, expect, test } from "vitest";
import type { Result, post } from "../api/client";
import { Source, type Wanted } from "./source";

interface Body {
  series: { run_id: string; metric: string }[];
}

/** A server that answers when it is told to. */
class Server {
  readonly asked: Body[] = [];
  private readonly answers: (() => void)[] = [];

  post = ((_: string, { body, signal }: { body: Body; signal: AbortSignal }): Promise<Result<unknown>> => {
    this.asked.push(body);
    return new Promise((resolve, reject) => {
      const buckets = { count: [], non_finite: {} };
      this.answers.push(() => resolve({ ok: true, data: { series: body.series.map(() => ({ buckets })) } }));
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  }) as unknown as typeof post;

  async answer(): Promise<void> {
    this.answers.shift()?.();
    await settled();
  }

  /** The metrics of each request. */
  metrics(): string[][] {
    return this.asked.map(({ series }) => [...new Set(series.map(({ metric }) => metric))]);
  }
}

function settled(): Promise<void> {
  return new Promise((done) => setTimeout(done, 0));
}

function ask(source: Source, metrics: number, runs: number, budget: number, signal = new AbortController().signal): Promise<Result<unknown>>[] {
  const wanted = (metric: number, run: number): Wanted => ({ runId: `r${run}`, metric: `m${metric}`, labels: null, window: {}, budget, columns: ["count"] });
  return Array.from({ length: metrics * runs }, (_, n) => source.read(wanted(Math.floor(n / runs), n % runs), { keep: true, signal }));
}

describe("what cards ask at the same moment", () => {
  test("goes in one request while it is little", async () => {
    const server = new Server();
    void ask(new Source(server.post), 5, 10, 100);
    await settled();
    expect(server.asked.map(({ series }) => series.length)).toEqual([50]);
  });

  test("goes in pieces of whole cards, three at a time", async () => {
    const server = new Server();
    const all = ask(new Source(server.post), 9, 10, 1000);
    await settled();
    expect(server.metrics()).toEqual([["m0", "m1"], ["m2", "m3"], ["m4", "m5"]]);
    await server.answer();
    expect(server.metrics().slice(3)).toEqual([["m6", "m7"]]);
    await server.answer();
    expect(server.metrics().slice(4)).toEqual([["m8"]]);
    for (let n = 0; n < 3; n++) await server.answer();
    expect((await Promise.all(all)).every((each) => each.ok)).toBe(true);
    expect(server.asked.length).toBe(5);
  });

  test("keeps the limits of one request even within a card", async () => {
    const server = new Server();
    void ask(new Source(server.post), 1, 1500, 1);
    void ask(new Source(server.post), 1, 101, 10_000);
    await settled();
    expect(server.asked.map(({ series }) => series.length)).toEqual([1000, 500, 100, 1]);
  });

  test("is not asked any more when nobody waits for it", async () => {
    const server = new Server();
    const source = new Source(server.post);
    const gone = new AbortController();
    void ask(source, 10, 10, 1000, gone.signal);
    await settled();
    gone.abort();
    void ask(source, 1, 10, 500);
    await settled();
    expect(server.asked.slice(3).map(({ series }) => series.length)).toEqual([10]);
  });
});

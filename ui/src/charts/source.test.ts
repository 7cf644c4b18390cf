// What goes in which request: whole cards together, few requests at a time.
import { describe, expect, test } from "vitest";
import type { Result } from "../api/client";
import { NO_BUCKETS, type Buckets } from "./buckets";
import type { Question } from "./raw";
import { Source, type Wanted } from "./source";

/** A server that answers when it is told to. */
class Server {
  readonly asked: Question[] = [];
  private readonly answers: (() => void)[] = [];

  read = (question: Question, signal: AbortSignal): Promise<Result<Buckets[]>> => {
    this.asked.push(question);
    return new Promise((resolve, reject) => {
      this.answers.push(() => resolve({ ok: true, data: question.series.map(() => NO_BUCKETS) }));
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  };

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
    void ask(new Source(server.read), 5, 10, 100);
    await settled();
    expect(server.asked.map(({ series }) => series.length)).toEqual([50]);
  });

  test("goes in pieces of whole cards, two at a time", async () => {
    const server = new Server();
    const all = ask(new Source(server.read), 9, 10, 1000);
    await settled();
    expect(server.metrics()).toEqual([["m0", "m1"], ["m2", "m3"]]);
    await server.answer();
    expect(server.metrics().slice(2)).toEqual([["m4", "m5"]]);
    await server.answer();
    expect(server.metrics().slice(3)).toEqual([["m6", "m7"]]);
    for (let n = 0; n < 3; n++) await server.answer();
    expect((await Promise.all(all)).every((each) => each.ok)).toBe(true);
    expect(server.asked.length).toBe(5);
  });

  test("keeps the limits of one request even within a card", async () => {
    const server = new Server();
    void ask(new Source(server.read), 1, 1500, 1);
    void ask(new Source(server.read), 1, 101, 10_000);
    await settled();
    expect(server.asked.map(({ series }) => series.length)).toEqual([1000, 500, 100, 1]);
  });

  test("is not asked any more when nobody waits for it", async () => {
    const server = new Server();
    const source = new Source(server.read);
    const gone = new AbortController();
    void ask(source, 10, 10, 1000, gone.signal);
    await settled();
    gone.abort();
    void ask(source, 1, 10, 500);
    await settled();
    expect(server.asked.slice(2).map(({ series }) => series.length)).toEqual([10]);
  });
});

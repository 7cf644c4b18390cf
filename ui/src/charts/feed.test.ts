// The card's data against a server of our own: what is asked, how often, and what stays.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Problem, Result, post } from "../api/client";
import type { Buckets } from "./buckets";
import { Feed, type FeedState, type Wish } from "./feed";
import { Live } from "./live";
import { DEFAULTS } from "./settings";
import type { readBuckets } from "./raw";
import type { Shown } from "./shown";
import { Source } from "./source";
import { bucketsWith } from "./testing";

interface Body {
  series: { run_id: string; metric: string; since?: string; min_step?: number }[];
  window?: { min_step?: number; max_step?: number };
  budget?: number;
}

/** A server with series that grow. `size` is how many points, at steps 0, 1, 2..., each run has now. */
class Server {
  size = 1000;
  /** Whether it answers with an error, or the path where it does. */
  broken: boolean | string = false;
  /** Never answers. */
  mute = false;
  readonly asked: [path: string, body: Body][] = [];
  readonly signals: (AbortSignal | undefined)[] = [];

  post = ((path: string, { body, signal }: { body: Body; signal?: AbortSignal }) =>
    this.answer(path, body, signal, () => ({ series: body.series.map((one) => this.delta(one)) }))) as unknown as typeof post;

  read = ((body: Body, signal: AbortSignal) =>
    this.answer("buckets", body, signal, () => body.series.map(() => this.buckets(body)))) as unknown as typeof readBuckets;

  private answer<T>(path: string, body: Body, signal: AbortSignal | undefined, data: () => T): Promise<Result<T>> {
    this.asked.push([path, body]);
    this.signals.push(signal);
    if (this.mute) return new Promise(() => undefined);
    const error: Problem = { status: 503, code: "busy", message: "busy", field: null, position: null, requestId: null };
    return Promise.resolve(this.broken === true || this.broken === path ? { ok: false, error } : { ok: true, data: data() });
  }

  count(path: string): number {
    return this.asked.filter(([each]) => each.endsWith(path)).length;
  }

  private buckets({ window = {}, budget = 1 }: Body): Buckets {
    const first = Math.max(0, window.min_step ?? 0);
    const last = Math.min(this.size - 1, window.max_step ?? Infinity);
    const size = Math.max(0, Math.min(budget, last - first + 1));
    const edges = Array.from({ length: size + 1 }, (_, row) => first + Math.floor((row * (last - first + 1)) / (size || 1)));
    const begin = edges.slice(0, -1);
    const end = edges.slice(1).map((edge) => edge - 1);
    const count = begin.map((edge, row) => (end[row] ?? 0) - edge + 1);
    const times = { firstTime: begin.map((each) => each * 10), lastTime: end.map((each) => each * 10) };
    const values = { low: begin, high: end, mean: begin.map((edge, row) => (edge + (end[row] ?? 0)) / 2), last: end };
    return bucketsWith({ count, firstStep: begin, lastStep: end, ...times, ...values });
  }

  private delta({ since = "", min_step = 0 }: Body["series"][number]) {
    const from = since === "" ? min_step : Number(since);
    const steps = Array.from({ length: Math.min(1000, this.size - from) }, (_, n) => from + n);
    const points = { steps, times_us: steps.map((step) => step * 10), values: steps, non_finite: {} };
    return { points, since: String(from + steps.length), more: from + steps.length < this.size };
  }
}

const RUN: Shown = { id: "a", name: "a", startTimeUs: 0 };

function wish(some: Partial<Wish> = {}): Wish {
  return { metric: "loss", runs: [RUN], settings: DEFAULTS, zoom: null, budget: 100, ...some };
}

function setup() {
  const server = new Server();
  const live = new Live(server.post);
  const source = new Source(server.read);
  const states: FeedState[] = [];
  const make = () => new Feed(source, live, (state) => states.push(state));
  return { server, live, source, make, last: () => states.at(-1) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a card's data", () => {
  test("of all cards that ask together is one request, and is asked once", async () => {
    const { server, make, last } = setup();
    const runs = ["a", "b", "c"].map((id) => ({ ...RUN, id }));
    for (const metric of ["x", "y"]) make().want(wish({ metric, runs }));
    await vi.advanceTimersByTimeAsync(50);
    expect(server.count("buckets")).toBe(1);
    expect(server.asked[0]?.[1].series).toHaveLength(6);
    expect(last()).toMatchObject({ loading: false, error: null });
    expect(last()?.held).toHaveLength(3);
    make().want(wish({ metric: "y", runs }));
    await vi.advanceTimersByTimeAsync(50);
    expect(server.count("buckets")).toBe(1);
  });

  const detail = (state: FeedState | undefined) => [...(state?.held[0]?.detail.count ?? [])];

  test("of a zoom comes at the full resolution of the window, with half of it on either side", async () => {
    const { server, make, last } = setup();
    const feed = make();
    feed.want(wish());
    await vi.advanceTimersByTimeAsync(50);
    feed.want(wish({ zoom: { min: 400, max: 440 } }));
    expect(last()?.loading).toBe(true);
    expect(last()?.held[0]?.detail).toBe(last()?.held[0]?.whole);
    await vi.advanceTimersByTimeAsync(50);
    expect(server.asked[1]?.[1]).toMatchObject({ window: { min_step: 380, max_step: 460 }, budget: 200 });
    expect(detail(last())).toEqual(new Array(81).fill(1));
    feed.want(wish({ zoom: { min: 410, max: 450 } }));
    expect(detail(last()), "what was drawn stays").toHaveLength(81);
    feed.want(wish());
    expect(detail(last())).toHaveLength(100);
  });

  test("on a logarithmic axis comes in tenfolds", async () => {
    const { server, make, last } = setup();
    make().want(wish({ settings: { ...DEFAULTS, logX: true } }));
    await vi.advanceTimersByTimeAsync(50);
    const windows = server.asked.slice(1).map(([, body]) => [body.window?.min_step, body.window?.max_step]);
    expect(windows).toEqual([
      [1, 9],
      [10, 99],
      [100, 999],
    ]);
    const steps = last()?.held[0]?.detail.firstStep ?? [];
    expect([...steps.slice(0, 10)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(steps).toHaveLength(9 + 34 + 34);
  });

  test("is not waited for once nobody wants it", async () => {
    const { server, make } = setup();
    server.mute = true;
    const [one, other] = [make(), make()];
    one.want(wish());
    other.want(wish({ metric: "other" }));
    await vi.advanceTimersByTimeAsync(50);
    one.close();
    expect(server.signals[0]?.aborted).toBe(false);
    other.close();
    expect(server.signals[0]?.aborted).toBe(true);
    const early = make();
    early.want(wish({ metric: "never" }));
    early.close();
    await vi.advanceTimersByTimeAsync(50);
    expect(server.asked).toHaveLength(1);
  });

  test("that failed says so, and comes on retry", async () => {
    const { server, make, last } = setup();
    const feed = make();
    server.broken = true;
    feed.want(wish());
    await vi.advanceTimersByTimeAsync(50);
    expect(last()).toMatchObject({ loading: false, error: { code: "busy" } });
    server.broken = false;
    feed.retry();
    await vi.advanceTimersByTimeAsync(50);
    expect(last()?.error).toBeNull();
    expect(last()?.held).toHaveLength(1);
  });

  test("that failed for one run still says so when another was chosen", async () => {
    const { server, make, last } = setup();
    const feed = make();
    server.broken = true;
    feed.want(wish());
    await vi.advanceTimersByTimeAsync(50);
    server.broken = false;
    feed.want(wish({ runs: [RUN, { ...RUN, id: "b" }] }));
    await vi.advanceTimersByTimeAsync(50);
    expect(last()).toMatchObject({ loading: false, error: { code: "busy" } });
    expect(last()?.held).toHaveLength(1);
    feed.retry();
    await vi.advanceTimersByTimeAsync(50);
    expect(last()).toMatchObject({ loading: false, error: null });
    expect(last()?.held).toHaveLength(2);
  });
});

describe("a running run", () => {
  const running = wish({ runs: [{ ...RUN, running: true }] });

  test("is followed: new points are there within the interval, each once", async () => {
    const { server, live, make, last } = setup();
    server.size = 50;
    make().want(running);
    live.every(1);
    await vi.advanceTimersByTimeAsync(1100);
    server.size = 53;
    await vi.advanceTimersByTimeAsync(1100);
    expect([...(last()?.held[0]?.whole.lastStep ?? [])]).toEqual(Array.from({ length: 53 }, (_, n) => n));
    expect(last()?.held[0]?.whole.count.reduce((a, b) => a + b, 0)).toBe(53);
  });

  test("is not asked for while the page is hidden, and at once when it is back", async () => {
    const { server, live, make } = setup();
    const page = Object.assign(new EventTarget(), { hidden: false });
    const stop = live.start(page);
    make().want(running);
    live.every(1);
    await vi.advanceTimersByTimeAsync(2500);
    const before = server.count("deltas");
    expect(before).toBeGreaterThan(0);
    page.hidden = true;
    page.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.count("deltas")).toBe(before);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count("deltas")).toBe(before + 1);
    stop();
  });

  test("is not asked for when following is off", async () => {
    const { server, live, make } = setup();
    make().want(running);
    live.every(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.count("deltas")).toBe(0);
  });

  test("is drawn on after a question that failed, and no error stays behind", async () => {
    const { server, live, make, last } = setup();
    server.size = 50;
    make().want(running);
    live.every(1);
    await vi.advanceTimersByTimeAsync(1100);
    server.broken = "buckets";
    server.size = 400; // more than the card draws: all of it is asked for anew, in vain
    await vi.advanceTimersByTimeAsync(1100);
    server.broken = false;
    server.size = 410;
    await vi.advanceTimersByTimeAsync(2100);
    expect(last()).toMatchObject({ loading: false, error: null });
    expect(last()?.held[0]?.whole.count.reduce((a, b) => a + b, 0)).toBe(410);
  });

  test("never needs more than half again its budget, for an hour", async () => {
    const { server, live, make, last } = setup();
    make().want(running);
    live.every(1);
    let most = 0;
    for (let second = 0; second < 3600; second++) {
      server.size += 7;
      await vi.advanceTimersByTimeAsync(1000);
      most = Math.max(most, last()?.held[0]?.whole.count.length ?? 0);
    }
    await vi.advanceTimersByTimeAsync(3000);
    expect(most).toBeLessThanOrEqual(250);
    const held = last()?.held[0]?.whole;
    expect(held?.count.reduce((a, b) => a + b, 0)).toBe(server.size);
    expect(held?.high.reduce((a, b) => Math.max(a, b))).toBe(server.size - 1);
  });
});

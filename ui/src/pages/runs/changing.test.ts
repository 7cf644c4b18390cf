// How many requests a change of many runs is, and who it was done to.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { post } from "../../api/client";
import { change } from "./changing";

interface Body {
  run_ids: string[];
}

/** A server that refuses the runs named so, and everything once it is full. */
function server(refused: readonly string[], full = Infinity) {
  const asked: Body[] = [];
  const ask = ((_: string, { body }: { body: Body }) => {
    asked.push(body);
    if (asked.length > full) return Promise.resolve({ ok: false, error: { message: "no space is left" } });
    const found = body.run_ids.filter((id) => refused.includes(id)).map((id) => ({ run_id: id, code: "conflict", message: `${id} is deleted` }));
    return Promise.resolve({ ok: true, data: { changed: body.run_ids.length - found.length, refused: found } });
  }) as unknown as typeof post;
  return { asked, ask };
}

const told: string[] = [];
beforeEach(() => {
  told.length = 0;
  vi.stubGlobal("CustomEvent", class { constructor(readonly type: string, readonly init: { detail: { text: string } }) {} });
  vi.stubGlobal("dispatchEvent", (event: { init: { detail: { text: string } } }) => told.push(event.init.detail.text));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test("a thousand runs are one request", async () => {
  const { asked, ask } = server([]);
  const ids = Array.from({ length: 1000 }, (_, n) => `r${n}`);
  expect(await change(ids, { lifecycle: "deleted" }, ask)).toEqual(ids);
  expect(asked).toEqual([{ run_ids: ids, lifecycle: "deleted" }]);
  expect(told).toEqual([]);
});

test("more are one for each thousand", async () => {
  const { asked, ask } = server([]);
  await change(Array.from({ length: 2500 }, (_, n) => `r${n}`), { set_tags: { a: "b" } }, ask);
  expect(asked.map(({ run_ids }) => run_ids.length)).toEqual([1000, 1000, 500]);
});

test("those that refuse are left out, and one of them is told", async () => {
  const { ask } = server(["b", "c"]);
  expect(await change(["a", "b", "c", "d"], { set_tags: {} }, ask)).toEqual(["a", "d"]);
  expect(told).toEqual(["2 of 4 runs done. b is deleted"]);
});

test("an error ends it", async () => {
  const { asked, ask } = server([], 1);
  const ids = Array.from({ length: 2500 }, (_, n) => `r${n}`);
  expect(await change(ids, { purge: true }, ask)).toEqual(ids.slice(0, 1000));
  expect(asked).toHaveLength(2);
  expect(told).toEqual(["1,000 of 2,500 runs done. no space is left"]);
});

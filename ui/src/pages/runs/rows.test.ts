import { expect, test } from "vitest";
import type { RunRow } from "../../state/rows";
import { PAGE, Rows, type Answer, type Ask } from "./rows";

const TOTAL = 1_050;
const row = (id: string) => ({ id, name: id }) as RunRow;
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
/** Until what a jump asks for is there: on a busy machine several timers end together, and the answer has one of its own. */
const jump = () => new Promise((resolve) => setTimeout(resolve, 60)).then(settle).then(settle);

function server(prefix = "r") {
  const asked: number[] = [];
  const ask: Ask = async (from, limit, signal) => {
    asked.push(from);
    await settle();
    if (signal.aborted) throw new Error("aborted");
    const rows = Array.from({ length: Math.max(0, Math.min(limit, TOTAL - from)) }, (_, nth) => row(`${prefix}${from + nth}`));
    return { ok: true, data: { rows, total: TOTAL } satisfies Answer };
  };
  return { ask, asked };
}

test("only what is in view is fetched, once", async () => {
  const { ask, asked } = server();
  const rows = new Rows(ask, () => undefined);
  rows.show({ from: 0, to: 30 });
  rows.show({ from: 5, to: 35 });
  await settle();
  await settle();
  expect([rows.length, rows.at(29)?.id, rows.at(500)]).toEqual([TOTAL, "r29", null]);
  rows.show({ from: 1_030, to: 1_200 });
  await jump();
  await settle();
  expect(rows.at(1_049)?.id).toBe("r1049");
  expect(asked).toEqual([0, PAGE, 9 * PAGE, 10 * PAGE]);
});

test("what scrolled out of view before it came is not waited for", async () => {
  const { ask, asked } = server();
  let changes = 0;
  const rows = new Rows(ask, () => changes++);
  rows.show({ from: 10, to: 20 });
  rows.show({ from: 110, to: 120 });
  rows.show({ from: 210, to: 220 });
  await settle();
  await settle();
  expect([changes, rows.at(0), rows.at(210)?.id, asked]).toEqual([2, null, "r210", [0, 100, 200]]);
});

test("of what the bar is dragged through, only where it stays is asked for", async () => {
  const { ask, asked } = server();
  const rows = new Rows(ask, () => undefined);
  rows.show({ from: 300, to: 310 });
  rows.show({ from: 610, to: 620 });
  rows.show({ from: 990, to: 1_000 });
  await jump();
  expect([rows.at(990)?.id, asked]).toEqual(["r990", [900, 1_000]]);
});

test("the old rows stay until the new search answers", async () => {
  const old = new Rows(server("old").ask, () => undefined);
  old.show({ from: 0, to: 110 });
  await settle();
  await settle();
  const rows = new Rows(server("new").ask, () => undefined, old);
  rows.show({ from: 0, to: 10 });
  expect([rows.length, rows.at(PAGE + 3)?.id, rows.waiting]).toEqual([TOTAL, "old103", true]);
  await settle();
  await settle();
  expect([rows.at(3)?.id, rows.at(PAGE + 3)]).toEqual(["new3", null]);
});

test("a failure is kept until someone tries again", async () => {
  let fails = true;
  const error = { status: 503, code: "busy", message: "", field: null, position: null, requestId: null };
  const { ask } = server();
  const rows = new Rows((...given) => (fails ? Promise.resolve({ ok: false, error }) : ask(...given)), () => undefined);
  rows.show({ from: 0, to: 30 });
  await settle();
  expect([rows.error?.code, rows.waiting]).toEqual(["busy", false]);
  fails = false;
  rows.retry();
  await settle();
  await settle();
  expect([rows.error, rows.at(0)?.id]).toEqual([null, "r0"]);
});

test("rows are renewed in their places, and a refresh forgets what is out of view", async () => {
  const { ask, asked } = server();
  const rows = new Rows(ask, () => undefined);
  rows.show({ from: 0, to: 110 });
  await settle();
  await settle();
  rows.update([{ ...row("r3"), name: "new" }, row("unknown")]);
  expect([rows.at(3)?.name, rows.at(4)?.name]).toEqual(["new", "r4"]);
  rows.show({ from: 0, to: 10 });
  rows.refresh();
  await settle();
  await settle();
  expect([rows.at(3)?.name, rows.at(PAGE), asked]).toEqual(["r3", null, [0, PAGE, 0]]);
});

test("after a change an answer that is on its way is not taken: it may be older", async () => {
  let version = 0;
  const ask: Ask = async (_, __, signal) => {
    const rows = [row(`v${version}`)];
    await settle();
    if (signal.aborted) throw new Error("aborted");
    return { ok: true, data: { rows, total: 1 } };
  };
  const rows = new Rows(ask, () => undefined);
  rows.show({ from: 0, to: 30 });
  version = 1;
  rows.refresh(); // of a clock: the question is out already
  version = 2;
  rows.renew();
  await settle();
  await settle();
  expect(rows.at(0)?.id).toBe("v2");
});

import { expect, test } from "vitest";
import { appended, AT_ONCE, type LinePage, nothing, prepended } from "./pages";

const page = (before: string | null, from: number, to: number): LinePage => ({
  before,
  lines: Array.from({ length: to - from }, (_, nth) => ({ at: 0, level: "", text: String(from + nth) })),
});
const NOTHING = nothing("end");
const texts = (held: { lines: LinePage["lines"] }) => held.lines.map(({ text }) => text);

test("later pages join behind, earlier ones before, and each line keeps its place", () => {
  const end = page("c10", 10, 12);
  const on = appended(appended(NOTHING, end), page("c12", 12, 13));
  expect([texts(on), on.first, on.pages[0]?.before]).toEqual([["10", "11", "12"], 0, "c10"]);
  const back = prepended(on, end, page(null, 7, 10));
  expect([texts(back), back.first, back.pages[0]?.before]).toEqual([["7", "8", "9", "10", "11", "12"], -3, null]);
});

test("who follows drops whole pages from the front, and can go back from where the rest begins", () => {
  let held = appended(NOTHING, page("a", 0, 10_000));
  for (let at = 10_000; at < AT_ONCE + 10_000; at += 10_000) held = appended(held, page(`c${at}`, at, at + 10_000));
  expect([held.lines.length, held.first, held.pages[0]?.before, held.lines[0]?.text]).toEqual([AT_ONCE, 10_000, "c10000", "10000"]);
  const more = appended(held, page("end", 110_000, 110_003));
  expect([more.lines.length, more.first]).toEqual([AT_ONCE + 3, 10_000]); // no half pages
});

test("what was asked for stays while later lines come", () => {
  const end = page("a", 0, AT_ONCE);
  const back = prepended(appended(NOTHING, end), end, page("b", -5, 0));
  expect(appended(back, page("c", AT_ONCE, AT_ONCE)).first).toBe(-5);
  expect(appended(back, page("c", AT_ONCE, AT_ONCE + 1)).first).toBe(-5);
});

test("an answer about a page that was dropped meanwhile is not joined to another", () => {
  const end = page("a", 0, 2);
  const held = appended(appended(NOTHING, end), page("b", 2, 2 + AT_ONCE));
  expect(held.pages[0]?.before).toBe("b");
  expect(prepended(held, end, page(null, -2, 0))).toBe(held);
});

test("who reads from the beginning keeps all lines", () => {
  const all = appended(appended(nothing("begin"), page(null, 0, 2)), page("b", 2, 2 + AT_ONCE));
  expect([all.lines.length, all.first]).toEqual([AT_ONCE + 2, 0]);
});

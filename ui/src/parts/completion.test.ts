import { expect, test } from "vitest";
import { contextAt, taken } from "./completion";

/** The caret is at the bar. */
function at(marked: string) {
  const caret = marked.indexOf("|");
  return contextAt(marked.replace("|", ""), caret);
}
const words = (marked: string) => at(marked)?.words.map(({ text }) => text) ?? null;

test.each([
  ["par|", ["params."]],
  ["mi|", ["min(metrics."]],
  ["min(|", ["metrics."]],
  ["status |", ["=", "!=", "LIKE", "ILIKE"]],
  ["status = |", ["'RUNNING'", "'FINISHED'", "'FAILED'", "'KILLED'", "'SCHEDULED'"]],
  ["status = 'R|", ["'RUNNING'"]],
  ["metrics.loss <|", ["<="]],
  ["dur|", ["duration"]],
  ["duration |", ["<", "<=", ">", ">=", "=", "!="]],
  ["tags.stage i|", ["ILIKE", "IS NULL", "IS NOT NULL"]],
  ["max(metrics.loss) |", ["<", "<=", ">", ">=", "=", "!="]],
  ["metrics.loss < 3 |", ["AND "]],
  ["tags.a IS NOT NULL a|", ["AND "]],
  ["run_id IN ('a', 'b') |", ["AND "]],
  ["metrics.`a b` > 1 AND stat|", ["status"]],
])("at %s", (marked, expected) => {
  expect(words(marked)).toEqual(expected);
});

test("inside a list nothing is proposed", () => {
  expect(at("run_id IN ('a', |")).toBeNull();
});

test.each([
  ["metrics.lo|", "metrics", "lo"],
  ["min(metrics.|", "metrics", ""],
  ["params.`learning r|", "params", "learning r"],
  ["metrics.a > 1 and tag.st|", "tags", "st"],
])("at %s keys are asked for", (marked, keys, typed) => {
  expect(at(marked)).toMatchObject({ keys, typed });
});

test("a proposal replaces what was typed, and quotes what must be quoted", () => {
  const take = (marked: string, proposal: string) => {
    const context = at(marked);
    return context === null ? null : taken(marked.replace("|", ""), context, proposal);
  };
  expect(take("par|", "params.")).toEqual({ text: "params.", caret: 7 });
  expect(take("min(metrics.lo| < 3", "train/loss")).toEqual({ text: "min(metrics.train/loss) < 3", caret: 23 });
  expect(take("metrics.lo|", "my loss")).toEqual({ text: "metrics.`my loss` ", caret: 18 });
  expect(take("metrics.`my l|`", "my loss")).toEqual({ text: "metrics.`my loss` ", caret: 18 });
  expect(take("status |", "=")).toEqual({ text: "status = ", caret: 9 });
});

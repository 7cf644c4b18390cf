import { expect, test } from "vitest";
import { field, tabbed } from "./cells";

test.each(["=1+1", "+cmd", "-x", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\uFF1D1+1", "-2+3+cmd|' /C calc'!A0"])("%j is no formula in a file or in the clipboard", (text) => {
  expect(field(text)).toMatch(/^"?'/);
  expect(tabbed(text)).not.toMatch(/^\s*[=+\-@\uFF1D]/u);
});

test.each(["", "-0.1", "+1", "-Infinity", "1e-7", "plain", "a=b", "NaN"])("%j stays as it is", (text) => {
  expect([field(text), tabbed(text)]).toEqual([text, text]);
});

test("separators and quotes stay inside their cell", () => {
  expect([field("a,b"), field('say "x"'), field("two\r\nlines")]).toEqual(['"a,b"', '"say ""x"""', '"two\r\nlines"']);
  expect([tabbed("a\tb\nc"), tabbed('"open'), tabbed('in "side"')]).toEqual(["a b c", '"""open"', 'in "side"']);
});

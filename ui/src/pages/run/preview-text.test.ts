import { expect, test } from "vitest";
import { jsonTable, kindOf, MOST_ROWS, pictureType, separated, sizeText } from "./preview-text";

test.each([
  ["a/b.png", "picture"],
  ["b.SVG", "picture"],
  ["t.csv", "table"],
  ["t.json", "json"],
  ["page.html", "text"],
  ["notes", "text"],
  ["model/MLmodel", "text"],
  ["weights.bin", "none"],
  ["a.b/weights.pt", "none"],
])("%s is taken for %s", (path, kind) => {
  expect(kindOf(path)).toBe(kind);
});

test("a file's name alone says what a picture is", () => {
  expect(pictureType("x.svg")).toBe("image/svg+xml");
  expect(pictureType("x.html")).toBe("application/octet-stream");
});

test("quotes, doubled quotes and line breaks in cells", () => {
  expect(separated('a,b\r\n"1,5","say ""x""\nagain"\n', ",")).toEqual({ head: ["a", "b"], rows: [["1,5", 'say "x"\nagain']], all: 1 });
  expect(separated("a\tb\n1\t", "\t").rows).toEqual([["1", ""]]);
  expect(separated("", ",")).toEqual({ head: [], rows: [], all: 0 });
});

test("a long table says how long it is", () => {
  const table = separated(["n", ...Array(1000).keys()].join("\n"), ",");
  expect(table.rows.length).toBe(MOST_ROWS);
  expect(table.all).toBe(1000);
});

test("tables in JSON", () => {
  expect(jsonTable('{"columns": ["a"], "data": [[1], ["x"], [null]]}')?.rows).toEqual([["1"], ["x"], ["null"]]);
  expect(jsonTable('[{"a": 1}, {"b": {"c": 2}}]')).toEqual({ head: ["a", "b"], rows: [["1", ""], ["", '{"c":2}']], all: 2 });
  expect(jsonTable('{"a": 1}')).toBeNull();
  expect(jsonTable("[1, 2]")).toBeNull();
  expect(jsonTable("broken")).toBeNull();
});

test("sizes", () => {
  expect([0, 1023, 1024, 3_000_000, 5 * 2 ** 40].map(sizeText)).toEqual(["0 B", "1023 B", "1 KiB", "2.86 MiB", "5 TiB"]);
});

import { expect, test } from "vitest";
import { withArchive } from "./archive";
import { fieldOf, filterOf, idsFilter, isFilter } from "./filter";

test.each([
  "metrics.loss < 0.3",
  "metrics.`valid/accuracy` > 1",
  "max(metrics.loss) < 10 AND tags.stage IS NOT NULL",
  "status = 'RUNNING'",
  "run_name ilike '%x%'",
  "run_id in ('a')",
  "tags.stage is null",
  "params.",
  "min( metrics.lo",
])("%s is a filter", (text) => {
  expect(isFilter(text)).toBe(true);
  expect(filterOf(text)).toBe(text);
});

test.each(["resnet", "resnet-50 lr", "this is a run", "made in May", "it's"])("%s is a part of a name", (text) => {
  expect(isFilter(text)).toBe(false);
});

test("a plain text is looked for in names, quotes and all", () => {
  expect(filterOf(" it's ")).toBe("run_name ILIKE '%it''s%'");
  expect(filterOf("  ")).toBe("  ");
});

test("archived runs are left out, or are all there is", () => {
  expect(withArchive(" ", false)).toBe("tags.stepwell.archived IS NULL");
  expect(withArchive("params.lr = '1'", true)).toBe("params.lr = '1' AND tags.stepwell.archived IS NOT NULL");
});

test("fields are quoted when they must be", () => {
  expect(fieldOf("metrics", "train/loss", "min")).toBe("min(metrics.train/loss)");
  expect(fieldOf("params", "learning rate")).toBe("params.`learning rate`");
  expect(fieldOf("tags", "a`b")).toBe('tags."a`b"');
});

test("ids are quoted", () => {
  expect(idsFilter(["a", "b'c"])).toBe("run_id IN ('a', 'b''c')");
});

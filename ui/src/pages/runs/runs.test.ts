import { expect, test } from "vitest";
import type { RunRow } from "../../state/rows";
import { columnOf, columnsOf, neededBy, orderField, pressed, textOfCell, textsOfWidths, widthsOf } from "./columns";
import { field } from "../../parts/cells";
import { headOf, linesOf } from "./csv";
import { clicked, flipped, moved, NOTHING } from "./selection";
import { ageOf, lastKnownUs, signOf } from "./status";

const ROW: RunRow = {
  id: "r1",
  experimentId: 2,
  number: 7,
  name: '=HYPERLINK("http://x")',
  user: "ada",
  status: "RUNNING",
  statusReason: "",
  deleted: false,
  startTimeUs: 1_790_000_000_000_001,
  endTimeUs: null,
  createdAtUs: 1_790_000_000_000_001,
  updatedAtUs: 1_790_000_000_000_001,
  params: { lr: "-0.1", note: "a,b" },
  tags: {},
  metrics: { loss: { last: NaN, min: null, max: Infinity, mean: 0.1 + 0.2, count: 1234, lastStep: 5, lastTimeUs: null } },
};
const NOW = ROW.updatedAtUs + 65e6;

test("columns are read from the address, and what is no column is left out", () => {
  expect(columnsOf(["param.a.b", "min.train/loss", "nonsense", "run.colour", "param.a.b", "run.name"])).toEqual([
    { kind: "run", key: "name" },
    { kind: "param", key: "a.b" },
    { kind: "min", key: "train/loss" },
  ]);
  expect(columnOf("param.")).toBeNull();
  expect(columnOf("run.constructor")).toBeNull();
});

test("widths survive names with an equals sign", () => {
  const widths = new Map([["param.a=b", 120], ["run.name", 7]]);
  expect(widthsOf(textsOfWidths(widths))).toEqual(new Map([["param.a=b", 120], ["run.name", 60]]));
});

test("cells show values, and what is not finite by its name", () => {
  const text = (kind: "last" | "min" | "max" | "mean" | "count") => textOfCell({ kind, key: "loss" }, ROW, NOW);
  expect([text("last"), text("min"), text("max"), text("mean"), text("count")]).toEqual(["NaN", "", "+Inf", "0.3", "1,234"]);
  expect(textOfCell({ kind: "param", key: "toString" }, ROW, NOW)).toBe("");
  expect(textOfCell({ kind: "run", key: "duration" }, ROW, NOW)).toBe("1 min 5 s");
});

test("a press sorts ascending, then descending, then not", () => {
  const name = orderField({ kind: "min", key: "a b" }) ?? "";
  expect(name).toBe("min(metrics.`a b`)");
  const once = pressed([], name, false);
  const twice = pressed(once, name, false);
  expect([once, twice, pressed(twice, name, false)]).toEqual([[`${name} ASC`], [`${name} DESC`], []]);
  expect(pressed(once, "status", true)).toEqual([`${name} ASC`, "status ASC"]);
});

test("a search brings only what the columns need", () => {
  const columns = columnsOf(["min.loss", "spark.loss", "param.lr", "tag.x", "run.user"]);
  expect(neededBy(columns)).toEqual({ metrics: ["loss"], params: ["lr"], tags: ["x"] });
});

test("a running run that stored nothing for long is silent", () => {
  const heard = lastKnownUs(ROW);
  expect(signOf("RUNNING", heard, NOW).word).toBe("Running");
  expect(signOf("RUNNING", heard, heard + 3600e6).word).toBe("Silent for 1 h");
  expect(signOf("FINISHED", heard, heard + 3600e6).word).toBe("Finished");
  expect(signOf("RUNNING", null, heard + 3600e6).word).toBe("Running");
});

test("CSV quotes, keeps every digit and starts no formula", () => {
  expect([field("a,b"), field('say "x"'), field("=1+1"), field("-0.1"), field("+cmd"), field("@x"), field("")]).toEqual([
    '"a,b"',
    '"say ""x"""',
    "'=1+1",
    "-0.1",
    "'+cmd",
    "'@x",
    "",
  ]);
  const columns = columnsOf(["param.lr", "mean.loss", "last.loss", "spark.loss", "run.started", "param.note"]);
  expect(headOf(columns)).toBe("Id,Run,lr,loss (mean),loss (last),Started,note\r\n");
  expect(linesOf([ROW], columns)).toBe(
    `r1,"'=HYPERLINK(""http://x"")",-0.1,0.30000000000000004,NaN,2026-09-21T14:13:20.000001Z,"a,b"\r\n`,
  );
});

test("CSV has nothing where a run lacks what every object is born with", () => {
  expect(linesOf([ROW], columnsOf(["param.constructor", "tag.toString", "last.valueOf", "param.lr"]))).toMatch(/,,,,-0\.1\r\n$/);
});

const idAt = (place: number) => "abcdef"[place] ?? null;
const ids = (selection: { ids: ReadonlySet<string> }) => [...selection.ids].sort().join("");

test("clicks select as in a list of files", () => {
  const one = clicked(NOTHING, 1, idAt, { ctrl: false, shift: false });
  const stretch = clicked(one, 3, idAt, { ctrl: false, shift: true });
  const more = clicked(stretch, 5, idAt, { ctrl: true, shift: false });
  expect([ids(one), ids(stretch), ids(more)]).toEqual(["b", "bcd", "bcdf"]);
  expect(ids(clicked(more, 2, idAt, { ctrl: true, shift: false }))).toBe("bdf");
  expect(ids(clicked(more, 0, idAt, { ctrl: false, shift: false }))).toBe("a");
});

test("the keyboard moves without selecting, and selects with shift", () => {
  const at = moved(NOTHING, 0, 6, idAt, false);
  expect([at.at, ids(at)]).toEqual([0, ""]);
  const two = moved(at, 1, 6, idAt, true);
  expect(ids(moved(two, 2, 6, idAt, true))).toBe("abc");
  expect(moved(two, 99, 6, idAt, false).at).toBe(5);
  expect(ids(flipped(two, 1, idAt))).toBe("a");
  expect(moved(NOTHING, 3, 0, idAt, true)).toBe(NOTHING);
});

test("the age of a running run is told to the second, and of none other", () => {
  const heard = NOW - 65e6;
  expect([ageOf("RUNNING", heard, NOW), ageOf("RUNNING", NOW + 2e6, NOW), ageOf("RUNNING", null, NOW)]).toEqual(["1 min 5 s ago", "0 s ago", "…"]);
  expect(ageOf("FINISHED", heard, NOW)).toBe("");
});

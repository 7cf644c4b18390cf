import { describe, expect, test, vi } from "vitest";
import { counted, duration, moment, tick, value, whole } from "./format";
import { sectionsOf, moved, patternOf, stepped, withMove } from "./sections";
import { DEFAULTS, overridesOf, overrideText, settingsOf } from "./settings";
import { svg } from "./export";
import { nice, ticks } from "./ticks";
import { bucketed, drawnLine } from "./testing";
import { axisOf, reachOf, reachText } from "./zoom";
import { around, tsvOf } from "./tooltip";
import { toldAt } from "./nearest";

describe("words for numbers", () => {
  test.each([
    [0, "0"],
    [0.1, "0.1"],
    [1 / 3, "0.333333"],
    [123456, "123456"],
    [1234567, "1.23457e6"],
    [1e-7, "1e-7"],
    [-0.00001234, "-1.234e-5"],
    [1e300, "1e300"],
    [NaN, "NaN"],
    [-Infinity, "-Inf"],
  ])("%d is %s", (given, said) => expect(value(given)).toBe(said));

  test("integers have groups", () => {
    expect([whole(0), whole(999), whole(-1000), whole(2 ** 53)]).toEqual(["0", "999", "-1,000", "9,007,199,254,740,992"]);
    expect([counted(1, "point"), counted(1000, "point")]).toEqual(["1 point", "1,000 points"]);
  });

  test("durations have two units", () => {
    expect([0, 1.25, 61, 3600, 90_061, -120].map(duration)).toEqual(["0 s", "1.25 s", "1 min 1 s", "1 h", "1 d 1 h", "-2 min"]);
  });

  test("moments are local time", () => {
    const seconds = new Date(2026, 10, 21, 5, 4, 3, 250).getTime() / 1000;
    expect(moment(seconds)).toBe("2026-11-21 05:04:03.250");
    expect(moment(1e300)).toBe("1e300");
  });

  test("ticks have the digits that tell them apart", () => {
    expect([0, 0.25, 0.5].map((each) => tick(each, 0.25))).toEqual(["0", "0.25", "0.50"]);
    expect([1000, 1500, 2000].map((each) => tick(each, 500))).toEqual(["1.0k", "1.5k", "2.0k"]);
    expect([0.001, 0.0015].map((each) => tick(each, 0.0005))).toEqual(["0.0010", "0.0015"]);
    expect(tick(3e18, 1e18)).toBe("3e18");
  });
});

describe("ticks", () => {
  test("are nice numbers inside the scale", () => {
    expect([0.7, 1.1, 2.3, 4, 7].map(nice)).toEqual([1, 2, 2.5, 5, 10]);
    expect(ticks({ min: 0, max: 10, log: false }, "number", 5).at).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks({ min: 0, max: 3, log: false }, "step", 20).at).toEqual([0, 1, 2, 3]);
  });

  test("of a logarithmic axis are powers of ten with their parts", () => {
    const found = ticks({ min: 1, max: 100, log: true }, "number", 5);
    expect(found.at).toContain(10);
    expect(found.at).toContain(20);
    expect(found.text[found.at.indexOf(3)]).toBe("");
    expect(ticks({ min: 1e-300, max: 1e300, log: true }, "number", 5).at.length).toBeLessThan(20);
  });

  test.each([
    { min: -8e307, max: 8e307, log: false },
    { min: -(2 ** 62), max: 2 ** 62, log: false },
    { min: 1e15, max: 1e15 + 4, log: false },
    { min: 1e-320, max: 1e-310, log: false },
    { min: 5, max: 5.5, log: true },
  ])("are few and have texts on %o", (scale) => {
    const found = ticks(scale, "number", 6);
    expect(found.at.length).toBeLessThanOrEqual(14);
    expect(found.text).toHaveLength(found.at.length);
    for (const each of found.at) expect(Number.isFinite(each)).toBe(true);
  });

  test("of times stand at whole minutes, with the day once", () => {
    const noon = new Date(2026, 10, 21, 12).getTime() / 1000;
    const found = ticks({ min: noon, max: noon + 600, log: false }, "time", 5);
    expect(found.text).toEqual(["12:00\n2026-11-21", "12:02", "12:04", "12:06", "12:08", "12:10"]);
    expect(ticks({ min: 0, max: 600, log: false }, "duration", 5).text[1]).toBe("2 min");
  });

  test.each([
    [60, 100, ["1 min", "1 min 10 s", "1 min 20 s", "1 min 30 s", "1 min 40 s"]],
    [3600, 3660, ["1:00:00", "1:00:15", "1:00:30", "1:00:45", "1:01:00"]],
    [93_600, 97_200, ["26:00:00", "26:15:00", "26:30:00", "26:45:00", "27:00:00"]],
    [-75, -74, ["-1:15.00", "-1:14.75", "-1:14.50", "-1:14.25", "-1:14.00"]],
  ])("of durations from %d to %d s are told apart", (min, max, text) => {
    expect(ticks({ min, max, log: false }, "duration", 4).text).toEqual(text);
  });

  test("of days stand where days begin, also when the clocks were changed", () => {
    vi.stubEnv("TZ", "Europe/Berlin"); // summer time ends on 2026-10-25
    const [min, max] = [new Date(2026, 9, 20).getTime() / 1000, new Date(2026, 9, 31).getTime() / 1000];
    expect(max - min).toBe(11 * 86_400 + 3600);
    for (const room of [4, 5, 12]) {
      const found = ticks({ min, max, log: false }, "time", room);
      expect(new Set(found.text).size).toBe(found.text.length);
      for (const each of found.at) expect(new Date(each * 1000).getHours()).toBe(0);
    }
    vi.unstubAllEnvs();
  });

  test("of quarters of a second say quarters", () => {
    const noon = new Date(2026, 10, 21, 12).getTime() / 1000;
    const found = ticks({ min: noon, max: noon + 1, log: false }, "time", 4);
    expect(found.text.slice(1)).toEqual(["12:00:00.25", "12:00:00.50", "12:00:00.75", "12:00:01.00"]);
  });
});

describe("the address", () => {
  test("says settings, and what it does not say is as usual", () => {
    const found = settingsOf(new URLSearchParams("x=wall&smooth=0.6&log_y=1&band=0&smooth_by=nonsense"));
    expect(found).toEqual({ ...DEFAULTS, x: "wall", smoothing: 0.6, logY: true, band: false });
  });

  test("says what a card has of its own, whatever its metric is called", () => {
    const own = { settings: { logY: true, x: "metric", xMetric: "a,b&c=d" } as const, y: [-1.5, 2e-7] as const };
    const metric = "odd/<img src=x> & = , ~";
    expect(overridesOf([overrideText(metric, own)]).get(metric)).toEqual(own);
    expect(overridesOf(["m=a&y=3~1"]).get("a")?.y).toBeNull();
  });

  test("says a zoom of the axis it is of, and of no other", () => {
    const steps = reachText({ min: 10, max: 20 });
    const metric = axisOf({ x: "metric", xMetric: "odd~name 1" });
    const odd = reachText({ min: 0, max: 0.5 }, metric);
    expect([reachOf(steps), reachOf(steps, "wall")]).toEqual([{ min: 10, max: 20 }, null]);
    expect([reachOf(odd, metric), reachOf(odd), reachOf(odd, "metric odd")]).toEqual([{ min: 0, max: 0.5 }, null, null]);
    expect(axisOf({ x: "step", xMetric: "left from before" })).toBe("step");
  });

  test("says the zoom, or nonsense that is none", () => {
    expect(reachOf(reachText({ min: -1e-9, max: 123456.789 }))).toEqual({ min: -1e-9, max: 123456.789 });
    for (const text of ["", "1", "2~1", "a~b", "0~Infinity", "~5"]) expect(reachOf(text)).toBeNull();
  });
});

describe("sections", () => {
  test("are what stands before the first slash, the machine's last", () => {
    const found = sectionsOf(["system/gpu.10", "train/b", "system/gpu.2", "epoch", "train/a/b"], []);
    expect(found).toEqual([
      { name: "", metrics: ["epoch"] },
      { name: "train", metrics: ["train/a/b", "train/b"] },
      { name: "system", metrics: ["system/gpu.2", "system/gpu.10"] },
    ]);
  });

  test("keep moves, the last of each metric", () => {
    const all = ["a", "b", "c", "d"];
    expect(moved(all, ["d", "a"])).toEqual(["d", "a", "b", "c"]);
    expect(moved(all, ["a", "", "x", "b", "b", "x"])).toEqual(["b", "c", "d", "a"]);
    expect(withMove(["a", "c", "b", ""], "a", "")).toEqual(["b", "", "a", ""]);
  });

  test("step a card to either side, and not beyond the ends", () => {
    const all = ["a", "b", "c"];
    expect(moved(all, stepped([], all, "b", 1))).toEqual(["a", "c", "b"]);
    expect(moved(all, stepped([], all, "b", -1))).toEqual(["b", "a", "c"]);
    expect(stepped([], all, "c", 1)).toEqual([]);
  });

  test("a broken pattern says why", () => {
    expect(patternOf("lo+ss")).toEqual(/lo+ss/i);
    expect(patternOf("(")).toContain("(");
  });
});

describe("files", () => {
  const line = { ...drawnLine(bucketed([1, NaN, 3, 2], 9)), name: "<b>&\t\"name\"" };
  const frame = { box: { left: 30, top: 8, width: 300, height: 100 }, x: { min: 0, max: 3, log: false }, y: { min: 0, max: 4, log: false } };

  test("a drawing has text as text", () => {
    const none = { at: [], text: [] };
    const sheet = { title: "a<b", width: 340, height: 140, frame, lines: [line], bands: true, ticks: { x: none, y: none }, xTitle: "Step" };
    const made = svg({ ...sheet, text: "#000", grid: "#ccc", ground: "#fff" });
    expect(made).not.toContain("<b>");
    expect(made).toContain("&#60;b&#62;&#38;");
    expect(made).toContain("M230 33L330 58");
  });

  test("a drawing is XML whatever runs and metrics are called", () => {
    const none = { at: [], text: [] };
    const odd = { ...line, name: "\0\x01\x1b[31mred\uFFFE\uD800 \u{1F600}" };
    const sheet = { title: "a\x08b\uDC00", width: 340, height: 140, frame, lines: [odd], bands: true, ticks: { x: none, y: none }, xTitle: "\x7f\v" };
    const made = svg({ ...sheet, text: "#000", grid: "#ccc", ground: "#fff" });
    expect(made.replace(/[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "")).toBe("");
    expect(made).toContain("\uFFFD\uFFFD\uFFFD[31mred\uFFFD\uFFFD \u{1F600}");
  });

  test("the run that stands out is always told", () => {
    const rows = toldAt(Array.from({ length: 100 }, (_, n) => ({ ...drawnLine(bucketed([-n], 1)), key: String(n) })), 0, frame.x);
    expect(around(rows, null).map((row) => row.key)).toEqual(Array.from({ length: 24 }, (_, n) => String(n)));
    expect(around(rows, "99").at(-1)?.key).toBe("99");
    expect(around(rows, "50").map((row) => row.key)).toContain("50");
    expect(around(rows.slice(0, 3), "2")).toHaveLength(3);
  });

  test("a copied tooltip is a table", () => {
    const rows = tsvOf(toldAt([line], 1, frame.x)).split("\n").map((row) => row.split("\t"));
    expect(rows).toHaveLength(2);
    expect(rows[1]).toHaveLength(rows[0]?.length ?? 0);
    expect(rows[1]?.at(-1)).toBe("NaN");
  });
});

import { describe, expect, test } from "vitest";
import { NAN, NEG_INF, POS_INF } from "./lines";
import { band, dots, marksIn, pixelX, pixelY, ribbons, shade, trace, type Frame } from "./paths";
import { xExtent, xScale, yScale } from "./scale";
import { bucketed, drawnLine, RememberingPen } from "./testing";
import type { Line } from "./lines";

const CHOICE = { log: false, band: true, clip: false };

function frameOf(lines: Line[], width: number, x = xScale(xExtent(lines, false), false), log = false): Frame {
  const { scale } = yScale(lines, x, { ...CHOICE, log });
  return { box: { left: 0, top: 0, width, height: 200 }, x, y: scale };
}

describe("one spike in a million points", () => {
  const size = 1_000_000;
  const at = 654_321;
  const values = Float64Array.from({ length: size }, (_, n) => Math.sin(n / 10_000));
  values[at] = 1000;
  values[at + 5] = -1000;

  test.each([1, 7, 40, 100, 333, 800, 1200, 4000])("reaches the band at a width of %i pixels", (width) => {
    const line = drawnLine(bucketed(values, Math.max(100, width)));
    const frame = frameOf([line], width);
    const pen = new RememberingPen();
    band(pen, line, frame);
    const tops = pen.points.map(([, y]) => y);
    expect(Math.min(...tops)).toBeCloseTo(pixelY(1000, frame), 6);
    expect(Math.max(...tops)).toBeCloseTo(pixelY(-1000, frame), 6);
    const spike = pen.points.find(([, y]) => y === Math.min(...tops)) ?? [NaN];
    expect(Math.abs(spike[0] - pixelX(at, frame))).toBeLessThan(Math.max(2, width / 100));
  });

  test.each([0.5, 0.1, 0.01, 0.001])("stays in the band when %d of the axis is shown", (part) => {
    const half = (size * part) / 2;
    const from = Math.max(0, Math.round(at - half));
    const steps = Float64Array.from({ length: Math.round(2 * half) }, (_, n) => from + n);
    const line = drawnLine(bucketed(values.subarray(from, from + steps.length), 400, steps));
    const frame = frameOf([line], 400, { min: from, max: from + steps.length - 1, log: false });
    const pen = new RememberingPen();
    band(pen, line, frame);
    expect(Math.min(...pen.points.map(([, y]) => y))).toBeCloseTo(pixelY(1000, frame), 6);
  });

  test("is in the curve where no band is drawn", () => {
    const few = values.subarray(at - 300, at + 300);
    const line = drawnLine(bucketed(few, 1000));
    expect(line.low).toBeNull();
    for (const width of [10, 100, 1000]) {
      const frame = frameOf([line], width);
      const pen = new RememberingPen();
      trace(pen, line, line.y, frame);
      expect(Math.min(...pen.points.map(([, y]) => y))).toBeCloseTo(pixelY(1000, frame), 6);
      expect(Math.max(...pen.points.map(([, y]) => y))).toBeCloseTo(pixelY(-1000, frame), 6);
      expect(pen.points.length).toBeLessThanOrEqual(8 * (width + 2));
    }
  });
});

describe("the inside of a band", () => {
  const values = Float64Array.from({ length: 10_000 }, (_, n) => (n % 2 === 0 ? 1 : -1) * (n + 1));
  const line = drawnLine(bucketed(values, 50));

  test.each([40, 130, 1000])("is one stroke for each of %i columns of pixels, from edge to edge", (width) => {
    const frame = frameOf([line], width);
    const [ribbon] = ribbons(line, frame);
    if (ribbon === undefined) throw new Error("There is a band.");
    const pen = new RememberingPen();
    shade(pen, ribbon, frame);
    const begins = pen.points.filter((_, n) => n % 2 === 0);
    expect(begins.map(([x]) => x - 0.5)).toEqual(begins.map(([x], n) => Math.floor(begins[0]?.[0] ?? x) + n));
    expect(begins.length).toBeGreaterThan(width * 0.95);
    const middle = pixelY(0, frame);
    pen.points.forEach(([x, y], n) => {
      expect(Math.abs(y - middle)).toBeCloseTo((x / width) * Math.abs(pixelY(10_000, frame) - middle), -1);
      expect(y < middle).toBe(n % 2 === 0);
    });
  });

  test("is empty for a bucket alone", () => {
    const alone = drawnLine(bucketed([1, 2, 3], 1));
    const frame = frameOf([alone], 300);
    const pen = new RememberingPen();
    for (const ribbon of ribbons(alone, frame)) shade(pen, ribbon, frame);
    expect(pen.points).toEqual([]);
  });
});

describe("what is not finite", () => {
  const line = drawnLine(bucketed([1, NaN, 3, Infinity, 5, -Infinity, 7], 100));
  const frame = frameOf([line], 600);

  test("breaks the curve and leaves marks at its x", () => {
    const pen = new RememberingPen();
    trace(pen, line, line.y, frame);
    expect(pen.moves).toBe(4);
    const marks = marksIn(line, frame, 4);
    expect(marks.map(({ kind, x }) => [kind, x])).toEqual([
      [NAN, pixelX(1, frame)],
      [POS_INF, pixelX(3, frame)],
      [NEG_INF, pixelX(5, frame)],
    ]);
    expect(line.marks.counts).toEqual([1, 1, 1, 0]);
  });

  test("never moves the axis", () => {
    expect(frame.y.min).toBeGreaterThan(0);
    expect(frame.y.max).toBeLessThan(8);
  });

  test("points without neighbours are dots", () => {
    const wide = frameOf([line], 10);
    expect(dots(line, wide, 14).map(([x]) => x)).toEqual([0, 2, 4, 6].map((step) => pixelX(step, wide)));
  });
});

describe("odd series", () => {
  test("a single point is a dot in the middle", () => {
    const line = drawnLine(bucketed([5], 100));
    const frame = frameOf([line], 300);
    expect(dots(line, frame, 14)).toEqual([[150, 100]]);
  });

  test("equal values run through the middle", () => {
    const line = drawnLine(bucketed([0.25, 0.25, 0.25], 100));
    const frame = frameOf([line], 300);
    const pen = new RememberingPen();
    trace(pen, line, line.y, frame);
    for (const [, y] of pen.points) expect(y).toBeCloseTo(100, 9);
  });

  test("huge and negative steps keep their order and their place", () => {
    const line = drawnLine(bucketed([1, 2, 3], 100, [-(2 ** 62), 0, 2 ** 62]));
    const frame = frameOf([line], 300);
    const pen = new RememberingPen();
    trace(pen, line, line.y, frame);
    expect(pen.points.map(([x]) => x)).toEqual([0, 150, 300]);
  });

  test("the greatest numbers have finite places", () => {
    const line = drawnLine(bucketed([Number.MAX_VALUE, -Number.MAX_VALUE, 0, 5e-324], 100));
    const frame = frameOf([line], 300);
    const pen = new RememberingPen();
    trace(pen, line, line.y, frame);
    expect(pen.points.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
  });

  test("on a logarithmic axis what is not above 0 is marked and counted, and breaks the curve", () => {
    const line = drawnLine(bucketed([10, 0, 100, -5, 1000, 2000], 100), { logY: true });
    const frame = frameOf([line], 300, undefined, true);
    const pen = new RememberingPen();
    trace(pen, line, line.y, frame);
    expect(pen.moves).toBe(3);
    expect(line.marks.counts[3]).toBe(2);
    expect(frame.y.min).toBeGreaterThan(1);
  });

  test("on a logarithmic x axis steps without a logarithm have no place, and are counted", () => {
    const line = drawnLine(bucketed([1, 2, 3, 4], 100, [-1, 0, 1, 10]), { logX: true });
    expect([...line.x]).toEqual([1, 10]);
    expect(line.lost).toBe(2);
  });
});

import { describe, expect, test } from "vitest";
import { APART, COLOURS, FURTHEST, colourOf, dashOf, inkOf, ownStyle, stylesOf } from "./colours";

function linear(hex: string): number[] {
  return [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
}

function times(matrix: readonly (readonly number[])[], vector: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, each, at) => sum + each * (vector[at] ?? 0), 0));
}

function contrast(a: string, b: string): number {
  const luminance = (hex: string) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0] ?? 0;
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** How people see: with all cones, and without those for long, middle and short waves (Machado et al. 2009). */
const EYES = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]];
const LAB = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];

/** The least distance of two of the colours in OKLab. */
function least(hexes: readonly string[], eyes: keyof typeof EYES): number {
  const seen = hexes.map((hex) => times(LAB, times(LMS, times(EYES[eyes], linear(hex)).map((part) => Math.min(1, Math.max(0, part)))).map(Math.cbrt)));
  let found = Infinity;
  seen.forEach((a, at) => seen.slice(at + 1).forEach((b) => (found = Math.min(found, Math.hypot(...a.map((part, n) => part - (b[n] ?? 0)))))));
  return found;
}

describe("colours", () => {
  test("every colour stands out from its ground", () => {
    expect(COLOURS).toHaveLength(24);
    for (const [light, dark] of COLOURS) {
      expect(contrast(light, "#ffffff")).toBeGreaterThan(3);
      expect(contrast(dark, "#14181b")).toBeGreaterThan(3);
    }
  });

  test.each(["all", "protan", "deutan", "tritan"] as const)("the first are far apart, and no two are the same, to eyes of kind %s", (eyes) => {
    for (const theme of [0, 1] as const) {
      const hexes = COLOURS.map((pair) => pair[theme]);
      expect(least(hexes.slice(0, FURTHEST), eyes)).toBeGreaterThan(eyes === "all" ? 0.17 : 0.09);
      expect(least(hexes.slice(0, APART), eyes)).toBeGreaterThan(eyes === "all" ? 0.15 : 0.08);
      expect(least(hexes, eyes)).toBeGreaterThan(0.05);
    }
  });

  test("of ten runs no two have colours that are alike, whatever they are called", () => {
    for (let begin = 0; begin < 500; begin++) {
      const styles = [...stylesOf(Array.from({ length: 10 }, (_, n) => `run-${begin + n}`)).values()];
      expect(new Set(styles.map(({ colour }) => colour)).size).toBe(10);
      expect(Math.max(...styles.map(({ colour }) => colour))).toBeLessThan(APART);
      expect(Math.max(...styles.slice(0, FURTHEST).map(({ colour }) => colour))).toBeLessThan(FURTHEST);
    }
  });

  test("a run keeps its style when others come behind it, and takes the same again", () => {
    const ids = Array.from({ length: 60 }, (_, n) => `run-${n}`);
    const all = stylesOf(ids);
    for (const count of [1, 9, 30]) for (const [id, style] of stylesOf(ids.slice(0, count))) expect(all.get(id)).toEqual(style);
    expect(stylesOf(["run-7"]).get("run-7")).toEqual(ownStyle("run-7"));
    expect(stylesOf(["a", "b", "a"]).size).toBe(2);
  });

  test("every colour is used before one comes again, and then with another dash", () => {
    const styles = [...stylesOf(Array.from({ length: 4 * COLOURS.length }, (_, n) => `run-${n}`)).values()];
    expect(new Set(styles.slice(0, COLOURS.length).map(({ colour }) => colour)).size).toBe(COLOURS.length);
    expect(new Set(styles.map((style) => JSON.stringify([style.colour, dashOf(style)]))).size).toBe(styles.length);
  });

  test("a colour for style sheets is that of both themes", () => {
    const style = ownStyle("a");
    expect(colourOf(style)).toBe(`light-dark(${inkOf(style, false)}, ${inkOf(style, true)})`);
  });
});

import { describe, expect, test } from "vitest";
import { COLOURS, colourOf, dashesOf, inkOf, slotOf } from "./colours";

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe("colours", () => {
  test("every colour stands out from its ground", () => {
    expect(COLOURS.length).toBeGreaterThanOrEqual(20);
    for (const [light, dark] of COLOURS) {
      expect(contrast(light, "#ffffff")).toBeGreaterThan(3);
      expect(contrast(dark, "#14181b")).toBeGreaterThan(3);
    }
  });

  test("a run keeps its colour for ever", () => {
    expect(slotOf("0f3c")).toBe(slotOf("0f3c"));
    expect([slotOf("run-00"), slotOf("run-01"), slotOf("")]).toEqual([slotOf("run-00"), slotOf("run-01"), slotOf("")]);
    expect(colourOf("a")).toBe(`light-dark(${inkOf("a", false)}, ${inkOf("a", true)})`);
  });

  test("ids spread over all colours", () => {
    const used = new Set(Array.from({ length: 500 }, (_, n) => slotOf(`run-${n}`)));
    expect(used.size).toBe(COLOURS.length);
  });

  test("runs of one colour differ by their dash", () => {
    const slot = slotOf("run-0");
    const same = Array.from({ length: 400 }, (_, n) => `run-${n}`).filter((id) => slotOf(id) === slot).slice(0, 3);
    expect(new Set(dashesOf(same).map(String)).size).toBe(3);
    expect(dashesOf(["run-0"])).toEqual([[]]);
  });
});

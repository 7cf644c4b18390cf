import { expect, test } from "vitest";
import { placeFor } from "./beside";

const SCREEN = { width: 1400, height: 900 };
const TIP = { width: 400, height: 150 };

test("a tooltip stands below its chart, above it, and on it only where there is no other room", () => {
  const chart = { left: 260, right: 1390, top: 100, bottom: 360 };
  expect(placeFor(TIP, 800, chart, SCREEN)).toEqual({ left: 600, top: 360 });
  expect(placeFor(TIP, 800, { ...chart, top: 600, bottom: 860 }, SCREEN)).toEqual({ left: 600, top: 450 });
  const whole = { left: 20, right: 1380, top: 60, bottom: 800 };
  expect(placeFor(TIP, 300, whole, SCREEN)).toEqual({ left: 316, top: 60 });
  expect(placeFor(TIP, 1200, whole, SCREEN)).toEqual({ left: 784, top: 60 });
});

test("a tooltip stays on the screen", () => {
  const chart = { left: 0, right: 380, top: 100, bottom: 360 };
  const phone = { width: 390, height: 800 };
  expect(placeFor(TIP, 20, chart, phone).left).toBe(4);
  expect(placeFor(TIP, 1390, { ...chart, right: 1400 }, SCREEN).left).toBe(996);
  expect(placeFor({ width: 380, height: 900 }, 200, chart, phone).top).toBe(4);
});

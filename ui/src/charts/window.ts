// Which steps or times to ask the server for, so that what the x axis shows comes at full resolution.

import { at, tally, type Buckets } from "./buckets";
import { joinedX } from "./join";
import type { ChartSettings } from "./settings";
import type { Shown } from "./shown";
import type { Window } from "./source";

/** A part of the x axis, in its own unit. */
export interface Reach {
  min: number;
  max: number;
}

/** As JSON writes them, rounded, these are 64-bit integers still. */
const LEAST_STEP = -(2 ** 63) + 1024;
const MOST_STEP = 2 ** 63 - 1024;

/**
 * The windows of a series for what is shown; null where the whole series holds every point or nothing is finer.
 * Half of what is shown is asked for on either side: panning shows something at once, and smoothing knows the past.
 * On a logarithmic axis of steps each tenfold is a window of its own, for buckets are equally full.
 */
export function windowsOf(whole: Buckets, run: Shown, settings: ChartSettings, zoom: Reach | null, along: Buckets | null): readonly Window[] | null {
  if (!tally([whole]).sampled) return null;
  if (settings.x === "metric") return zoom === null || along === null ? null : stepsOf(whole, along, zoom);
  const byStep = settings.x === "step" || settings.x === "relative_step";
  if (zoom !== null) return [zoomed(whole, run, settings, zoom, byStep)];
  return settings.logX && byStep ? tenfolds(whole, settings) : null;
}

/** The steps, and a bucket on either side, at which the x metric is within the zoom. */
function stepsOf(whole: Buckets, along: Buckets, zoom: Reach): readonly Window[] | null {
  const places = joinedX(whole, along);
  const inside = (place: number) => place >= zoom.min && place <= zoom.max;
  const first = places.findIndex(inside);
  if (first < 0) return null;
  const last = places.findLastIndex(inside);
  const [from, to] = [Math.max(0, first - 1), Math.min(places.length - 1, last + 1)];
  return [{ min_step: step(at(whole.firstStep, from)), max_step: step(at(whole.lastStep, to)) }];
}

function zoomed(whole: Buckets, run: Shown, settings: ChartSettings, zoom: Reach, byStep: boolean): Window {
  const aside = (zoom.max - zoom.min) / 2;
  const [low, high] = settings.logX ? [zoom.min, zoom.max] : [zoom.min - aside, zoom.max + aside];
  if (byStep) {
    const from = settings.x === "relative_step" ? (whole.firstStep[0] ?? 0) : 0;
    return { min_step: step(Math.floor(low + from)), max_step: step(Math.ceil(high + from)) };
  }
  const from = settings.x === "relative_time" ? (run.startTimeUs ?? whole.firstTime[0] ?? 0) : 0;
  return { min_time_us: step(Math.floor(low * 1e6 + from)), max_time_us: step(Math.ceil(high * 1e6 + from)) };
}

/** What the x axis shows, no more: for files. All of it where another metric runs along the bottom. */
export function exactWindow(whole: Buckets, run: Shown, settings: ChartSettings, shown: Reach): Window {
  switch (settings.x) {
    case "metric":
      return {};
    case "step":
    case "relative_step": {
      const from = settings.x === "step" ? 0 : (whole.firstStep[0] ?? 0);
      const [least, most] = [Math.ceil(shown.min + from), Math.floor(shown.max + from)];
      return { min_step: bound(least, -1), max_step: bound(most, 1) };
    }
    default: {
      const from = settings.x === "wall" ? 0 : (run.startTimeUs ?? whole.firstTime[0] ?? 0);
      // Seconds since 1970 say a microsecond to a quarter of one.
      return { min_time_us: step(Math.ceil(shown.min * 1e6 + from - 0.5)), max_time_us: step(Math.floor(shown.max * 1e6 + from + 0.5)) };
    }
  }
}

/** The end of a window: for doubles that stand for several steps the double behind it; null where no step is further. */
function bound(given: number, side: -1 | 1): number | null {
  const size = Math.abs(given);
  const wide = size <= Number.MAX_SAFE_INTEGER ? given : given + side * 2 ** (Math.floor(Math.log2(size)) - 52);
  return wide < LEAST_STEP || wide > MOST_STEP ? null : wide;
}

function step(given: number): number {
  return Math.min(MOST_STEP, Math.max(LEAST_STEP, given));
}

function tenfolds(whole: Buckets, settings: ChartSettings): readonly Window[] | null {
  const from = settings.x === "relative_step" ? (whole.firstStep[0] ?? 0) : 0;
  const last = (whole.lastStep.at(-1) ?? 0) - from;
  if (last < 10) return null;
  const found: Window[] = [];
  for (let low = 1; low <= last; low *= 10) {
    found.push({ min_step: step(low + from), max_step: step(low * 10 - 1 + from) });
  }
  return found;
}

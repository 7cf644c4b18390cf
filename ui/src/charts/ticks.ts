// Where an axis has its lines and what stands beside them.

import { decimals, duration, tick } from "./format";
import type { Scale } from "./scale";

export interface Ticks {
  at: number[];
  /** Empty where a line has no text. */
  text: string[];
}

export type Kind = "number" | "step" | "time" | "duration";

/** About `room` ticks for a scale. */
export function ticks(scale: Scale, kind: Kind, room: number): Ticks {
  const wanted = Math.max(2, Math.floor(room));
  if (scale.log && scale.max / scale.min >= 5) return logarithmic(scale, wanted);
  if (kind === "time") return times(scale, wanted);
  if (kind === "duration") return durations(scale, wanted);
  const gap = Math.max(nice((scale.max - scale.min) / wanted), kind === "step" ? 1 : 0);
  const at = multiples(scale, gap);
  return { at, text: at.map((each) => tick(each, gap)) };
}

/** The least of 1, 2, 2.5, 5 and their tenfolds that is not below `least`. */
export function nice(least: number): number {
  if (!(least > 0)) return Number.MIN_VALUE;
  const power = 10 ** Math.floor(Math.log10(least));
  const part = least / power;
  const found = [1, 2, 2.5, 5, 10].find((each) => each >= part * (1 - 1e-9)) ?? 10;
  return found * power;
}

function multiples({ min, max }: Scale, gap: number): number[] {
  const found: number[] = [];
  const first = Math.ceil(min / gap - 1e-9);
  for (let each = first; each * gap <= max + gap * 1e-9 && found.length < 100; each++) {
    found.push(Number((each * gap).toPrecision(15)) + 0);
  }
  return found;
}

function logarithmic({ min, max }: Scale, wanted: number): Ticks {
  const first = Math.floor(Math.log10(min));
  const last = Math.ceil(Math.log10(max));
  const every = Math.max(1, Math.ceil((last - first) / wanted));
  const at: number[] = [];
  const text: string[] = [];
  const named = last - first <= 3 ? [1, 2, 5] : [1];
  for (let power = first; power <= last; power++) {
    const parts = every > 1 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
    for (const part of parts) {
      const each = Number(`${part}e${power}`);
      if (each < min * (1 - 1e-9) || each > max * (1 + 1e-9)) continue;
      if (part === 1 && (power - first) % every !== 0) continue;
      at.push(each);
      text.push(named.includes(part) ? short(each) : "");
    }
  }
  return { at, text };
}

function short(each: number): string {
  const size = Math.abs(each);
  return size >= 1e-3 && size < 1e4 ? String(each) : size < 1e15 && size >= 1e4 ? tick(each, each) : each.toExponential().replace("e+", "e");
}

const GAPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** The gap of a time axis in seconds. */
function gapOf(least: number): number {
  if (least <= 1) return nice(least);
  return GAPS.find((gap) => gap >= least) ?? 86_400 * Math.ceil(nice(least / 86_400));
}

function durations(scale: Scale, wanted: number): Ticks {
  const gap = gapOf((scale.max - scale.min) / wanted);
  const at = multiples(scale, gap);
  return { at, text: at.map((each) => elapsed(each, gap)) };
}

/** A duration among others that are `gap` apart: in two units where these tell them apart, else as a clock does, 26:10:00. */
function elapsed(seconds: number, gap: number): string {
  const size = Math.abs(seconds);
  const finer = size >= 86_400 ? 3600 : size >= 3600 ? 60 : size >= 60 ? 1 : 0;
  if (gap >= finer) return duration(seconds);
  const digits = decimals(gap);
  const rounded = Number(size.toFixed(digits));
  const hours = Math.floor(rounded / 3600);
  const minutes = String(Math.floor(rounded / 60) % 60);
  const clock = `${hours > 0 ? `${hours}:${minutes.padStart(2, "0")}` : minutes}:${secondsText(rounded % 60, digits)}`;
  return seconds < 0 ? `-${clock}` : clock;
}

/** 05, or with digits 05.25. */
function secondsText(seconds: number, digits: number): string {
  return seconds.toFixed(digits).padStart(digits === 0 ? 2 : digits + 3, "0");
}

function times(scale: Scale, wanted: number): Ticks {
  const gap = gapOf((scale.max - scale.min) / wanted);
  const offset = offsetAt(scale.min);
  const shifted = { ...scale, min: scale.min + offset, max: scale.max + offset };
  // Where the clocks were changed in between, days begin an hour earlier or later.
  const local = (each: number) => each - (gap > 3600 ? offsetAt(each - offset) : offset);
  const at = multiples(shifted, gap).map(local).filter((each) => each >= scale.min - gap * 1e-9 && each <= scale.max + gap * 1e-9);
  let day = "";
  const text = at.map((each) => {
    const said = clock(each, gap);
    const fresh = said.day !== day;
    day = said.day;
    return gap >= 86_400 ? said.day : fresh ? `${said.clock}\n${said.day}` : said.clock;
  });
  return { at, text };
}

/** How many seconds local time is ahead. */
function offsetAt(seconds: number): number {
  return new Date(seconds * 1000).getTimezoneOffset() * -60;
}

function clock(seconds: number, gap: number): { day: string; clock: string } {
  const date = new Date(Math.round(seconds * 1e6) / 1000);
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (gap >= 60) return { day, clock: minutes };
  const part = seconds - Math.floor(seconds / 60) * 60;
  return { day, clock: `${minutes}:${secondsText(part, Math.min(6, decimals(gap)))}` };
}

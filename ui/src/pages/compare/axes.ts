// Runs as points: a field of each as a number or a word, and the axis on which it stands. Pure.

import { value } from "../../charts/format";
import { placeOf, xScale, type Scale } from "../../charts/scale";
import { ticks } from "../../charts/ticks";
import type { RunRow } from "../../state/rows";
import { byValue, fieldOf } from "./groups";

const AGGREGATE = /^(last|min|max|mean)\((.*)\)$/s;

export interface Field {
  metric: string;
  aggregate: "last" | "min" | "max" | "mean";
}

/** "min(train/loss)" as metric and aggregate; null for a param or tag. */
export function metricOf(field: string): Field | null {
  const found = AGGREGATE.exec(field);
  if (found === null) return null;
  return { aggregate: found[1] as Field["aggregate"], metric: found[2] ?? "" };
}

export function saysOf(run: RunRow, field: string): number | string | null {
  const metric = metricOf(field);
  if (metric !== null) return run.metrics[metric.metric]?.[metric.aggregate] ?? null;
  const text = fieldOf(run, field);
  if (text === undefined) return null;
  return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

export interface Axis {
  field: string;
  /** The words of an axis that has no numbers; null for one that has. */
  words: readonly string[] | null;
  scale: Scale;
  ticks: { place: number; text: string }[];
  /** 0 to 1; NaN for what has no place on it. */
  place: (run: RunRow) => number;
}

/** The axis of a field: of numbers where all that it says are numbers, else of words. */
export function axisOf(runs: readonly RunRow[], field: string, log: boolean, room: number): Axis {
  const said = runs.map((run) => saysOf(run, field)).filter((each) => each !== null);
  if (said.some((each) => typeof each === "string")) return wordsAxis(field, said.map(String));
  const finite = (said as number[]).filter((each) => Number.isFinite(each) && (!log || each > 0));
  const extent = finite.length === 0 ? null : { low: finite.reduce((a, b) => Math.min(a, b)), high: finite.reduce((a, b) => Math.max(a, b)) };
  const scale = xScale(extent, log);
  const { at, text } = ticks(scale, "number", room);
  const place = (run: RunRow) => {
    const number = saysOf(run, field);
    return typeof number === "number" && Number.isFinite(number) ? placeOf(number, scale) : NaN;
  };
  return { field, words: null, scale, ticks: at.map((each, nth) => ({ place: placeOf(each, scale), text: text[nth] ?? "" })), place };
}

function wordsAxis(field: string, said: readonly string[]): Axis {
  const words = [...new Set(said)].sort(byValue);
  const placeOfWord = (word: string) => (words.indexOf(word) + 0.5) / words.length;
  const place = (run: RunRow) => {
    const word = saysOf(run, field);
    return word === null ? NaN : placeOfWord(String(word));
  };
  return { field, words, scale: { min: 0, max: 1, log: false }, ticks: words.slice(0, 40).map((text) => ({ place: placeOfWord(text), text })), place };
}

export function textOfField(run: RunRow, field: string): string {
  const said = saysOf(run, field);
  return said === null ? "not set" : typeof said === "number" ? value(said) : said;
}

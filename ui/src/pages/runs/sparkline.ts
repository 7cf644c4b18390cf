// A curve the size of a word: the mean of each bucket as a line, least to greatest as a band.

import type { components } from "../../api/schema";

type Buckets = components["schemas"]["Aggregates"];

export interface Spark {
  /** Paths of SVG; empty where there is nothing to draw. */
  line: string;
  band: string;
  /** Where points are not finite: triangles down at the bottom for NaN and -Inf, up at the top for +Inf. */
  marks: string;
  /** How many points are NaN or infinite. */
  odd: number;
}

export const SPARK_BUDGET = 40;
export const SPARK_COLUMNS = [
  "first_step",
  "last_step",
  "mean",
  "min_value",
  "max_value",
  "nan_count",
  "pos_inf_count",
  "neg_inf_count",
] as const;
const PADDING = 1.5;

export function sparkOf(buckets: Buckets, width: number, height: number): Spark {
  const { first_step: firsts = [], last_step: lasts = [], mean = [], min_value: least = [], max_value: most = [] } = buckets;
  const odd = [buckets.nan_count, buckets.pos_inf_count, buckets.neg_inf_count].flat().reduce<number>((sum, n) => sum + (n ?? 0), 0);
  const low = extreme(least, Math.min);
  const high = extreme(most, Math.max);
  const start = firsts[0] ?? 0;
  const length = (lasts.at(-1) ?? start) - start;
  const x = (at: number) => {
    const middle = ((firsts[at] ?? 0) + (lasts[at] ?? 0)) / 2 - start;
    return round(length > 0 ? PADDING + (middle / length) * (width - 2 * PADDING) : width / 2);
  };
  const y = (value: number) => round(high > low ? PADDING + ((high - value) / (high - low)) * (height - 2 * PADDING) : height / 2);
  const parts = stretches(mean);
  return {
    odd,
    marks: [
      ...[...places(buckets.nan_count), ...places(buckets.neg_inf_count)].map((at) => `M${x(at)} ${height}l-2.5 -4.5h5Z`),
      ...places(buckets.pos_inf_count).map((at) => `M${x(at)} 0l-2.5 4.5h5Z`),
    ].join(""),
    line: parts.map((part) => lineOf(part.map((at) => [x(at), y(mean[at] ?? 0)]))).join(""),
    band: parts
      .filter((part) => part.length > 1)
      .map((part) => {
        const upper = part.map((at) => [x(at), y(most[at] ?? 0)] as const);
        const lower = part.map((at) => [x(at), y(least[at] ?? 0)] as const).reverse();
        return `${lineOf([...upper, ...lower])}Z`;
      })
      .join(""),
  };
}

/** The buckets that hold some. */
function places(counts: readonly (number | null)[] | undefined): number[] {
  return (counts ?? []).flatMap((count, at) => ((count ?? 0) > 0 ? [at] : []));
}

/** Neighbours that have a number: a bucket of NaN alone breaks the line. */
function stretches(values: readonly (number | null)[]): number[][] {
  const found: number[][] = [];
  values.forEach((value, at) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last?.at(-1) === at - 1) last.push(at);
    else found.push([at]);
  });
  return found;
}

/** A single point is a dot: a line as long as nothing, with round ends. */
function lineOf(points: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  return `M${first.join(" ")}${rest.length === 0 ? "h0" : rest.map((point) => `L${point.join(" ")}`).join("")}`;
}

function extreme(values: readonly (number | null)[], of: (...given: number[]) => number): number {
  return of(...values.filter((value) => value !== null));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

// What uPlot is told. It knows only places from 0 to 1 on either axis: what value stands where is ours (scale.ts), so that
// logarithms, huge steps and dates need nothing of it. It keeps the sizes, draws the axes, and follows the pointer.

import type uPlot from "uplot";
import type { Ticks } from "./ticks";

export interface Inks {
  text: string;
  grid: string;
  ground: string;
}

export interface Labels {
  x: () => Ticks;
  y: () => Ticks;
  /** From a tick's value to its place. */
  placeX: (value: number) => number;
  placeY: (value: number) => number;
  title: () => string;
  inks: () => Inks;
}

const FONT = "11px system-ui, sans-serif";
/** Places for which uPlot always finds a gap: which ticks there are is said by `splits`. */
const QUARTERS = [0.25];

export const DATA: uPlot.AlignedData = [
  [0, 1],
  [null, null],
];

const ASIDE = 10;

export function optionsOf(size: { width: number; height: number }, labels: Labels, hooks: uPlot.Hooks.Arrays, bind: uPlot.Cursor.Bind): uPlot.Options {
  return {
    ...size,
    legend: { show: false },
    padding: [8, (plot) => asideOf(plot, labels), 0, 0],
    scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } },
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    cursor: {
      x: false,
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind,
    },
    axes: [axis(labels, "x"), axis(labels, "y")],
    hooks,
  };
}

function axis(labels: Labels, which: "x" | "y"): uPlot.Axis {
  const ticks = labels[which];
  const place = which === "x" ? labels.placeX : labels.placeY;
  const ink = () => labels.inks().text;
  const grid = () => labels.inks().grid;
  const side = which === "x" ? { size: 30, label: labels.title, labelSize: 14, labelGap: -1, labelFont: FONT } : { size: widthOf };
  return {
    scale: which,
    font: FONT,
    gap: 4,
    space: 0,
    incrs: QUARTERS,
    splits: () => ticks().at.map(place),
    values: () => ticks().text,
    stroke: ink,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
    ...side,
  };
}

/** The y axis is as wide as its longest text. */
function widthOf(plot: uPlot, values: string[] | null): number {
  if (values === null) return 40;
  const widest = Math.max(20, ...values.map((text) => lengthOf(plot.ctx, text)));
  return Math.ceil(widest) + 12;
}

/** Room at the right, so that the last text along the bottom is whole: 660k is not 660. */
function asideOf(plot: uPlot, labels: Labels): number {
  const { at, text } = labels.x();
  const [last, said] = [at.at(-1), text.at(-1)];
  if (last === undefined || said === undefined) return ASIDE;
  const half = Math.max(...said.split("\n").map((line) => lengthOf(plot.ctx, line))) / 2;
  return Math.max(ASIDE, Math.ceil(half + 2 - (1 - labels.placeX(last)) * (plot.width - 60)));
}

/** The signs of numbers, each measured once for all charts: a canvas that is given its font first computes the style of the page. */
const SIGNS = new Map<string, number>();

function lengthOf(context: CanvasRenderingContext2D, text: string): number {
  let sum = 0;
  for (const sign of text) {
    let width = SIGNS.get(sign);
    if (width === undefined) {
      context.save();
      context.font = FONT;
      SIGNS.set(sign, (width = context.measureText(sign).width));
      context.restore();
    }
    sum += width;
  }
  return sum;
}

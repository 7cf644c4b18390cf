// Putting lines on a canvas. What goes where comes from paths.ts.

import { NEG_INF, NOT_POSITIVE, type Line } from "./lines";
import { dots, mark, marksIn, outline, pixelX, pixelY, ribbons, shade, trace, type Frame } from "./paths";

/**
 * From so many lines on they are one canvas pixel thin. Without a graphics card such a line costs a tenth of a thicker
 * one, and a hundred thick ones hide each other anyway.
 */
export const MANY = 20;

/** All lines, the bands below, the marks on top. `ratio`: canvas pixels for a CSS pixel. */
export function paint(context: CanvasRenderingContext2D, lines: readonly Line[], frame: Frame, bands: boolean, ratio: number): void {
  const { box } = frame;
  const many = lines.length >= MANY;
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  context.lineJoin = "bevel";
  if (bands) for (const line of lines) paintBand(context, line, frame, lines.length);
  for (const line of lines) if (line.raw !== null) stroke(context, line, line.raw, frame, { width: 1, alpha: many ? 0.2 : 0.3 });
  for (const line of lines) paintLine(context, line, frame, ratio, many ? 1 / ratio : 1.5);
  // Marks at the edges are whole. uPlot remembers the canvas' state: it must find it as it left it.
  context.restore();
  context.save();
  for (const line of lines) paintMarks(context, line, frame, ratio);
  context.restore();
}

/** One line that stands out, with all that belongs to it. */
export function paintChosen(context: CanvasRenderingContext2D, line: Line, frame: Frame, bands: boolean, ratio: number): void {
  if (bands) paintBand(context, line, frame, 1);
  paintLine(context, line, frame, ratio, 2.25);
  paintMarks(context, line, frame, ratio);
}

function paintBand(context: CanvasRenderingContext2D, line: Line, frame: Frame, among: number): void {
  if (line.low === null) return;
  const found = ribbons(line, frame);
  context.strokeStyle = line.ink;
  context.lineWidth = 1;
  context.setLineDash([]);
  if (among < MANY) {
    context.globalAlpha = among > 4 ? 0.1 : 0.18;
    context.beginPath();
    for (const ribbon of found) shade(context, ribbon, frame);
    context.stroke();
  }
  // The edge: a spike of one bucket is as thin as a pixel and must be seen.
  context.globalAlpha = among >= MANY ? 0.35 : among > 4 ? 0.45 : 0.6;
  context.beginPath();
  for (const ribbon of found) outline(context, ribbon);
  context.stroke();
  context.globalAlpha = 1;
}

function stroke(
  context: CanvasRenderingContext2D,
  line: Line,
  values: Float64Array,
  frame: Frame,
  { width, alpha, dash = [] }: { width: number; alpha: number; dash?: number[] },
): void {
  context.beginPath();
  trace(context, line, values, frame);
  context.strokeStyle = line.ink;
  context.globalAlpha = alpha;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.globalAlpha = 1;
}

/** The curve and its dots; `width` in CSS pixels. */
export function paintLine(context: CanvasRenderingContext2D, line: Line, frame: Frame, ratio: number, width = 1.5): void {
  const path = new Path2D();
  trace(path, line, line.y, frame);
  context.strokeStyle = line.ink;
  context.setLineDash(line.dash.map((part) => part * ratio));
  context.lineWidth = ratio === 1 && width === 1.5 ? 1 : width * ratio;
  context.stroke(path);
  // On a screen of this kind there is often no graphics card: three lines of one pixel cost a third of one of 1.5.
  if (ratio === 1 && width === 1.5) strokeBeside(context, path);
  const found = dots(line, frame, 14);
  if (found.length === 0) return;
  context.fillStyle = line.ink;
  context.beginPath();
  for (const [x, y] of found) {
    context.moveTo(x, y);
    context.arc(x, y, (width + 1) * ratio, 0, 2 * Math.PI);
  }
  context.fill();
}

function strokeBeside(context: CanvasRenderingContext2D, path: Path2D): void {
  context.translate(0.5, 0);
  context.stroke(path);
  context.translate(-0.5, 0.5);
  context.stroke(path);
  context.translate(0, -0.5);
}

function paintMarks(context: CanvasRenderingContext2D, line: Line, frame: Frame, ratio: number): void {
  const size = 4 * ratio;
  context.strokeStyle = context.fillStyle = line.ink;
  context.lineWidth = 1.75 * ratio;
  context.setLineDash([]);
  context.globalAlpha = 1;
  for (const { kind, x, y } of marksIn(line, frame, size)) {
    context.beginPath();
    mark(context, kind, x, y, size);
    if (kind === NEG_INF || kind === NOT_POSITIVE) context.stroke();
    else context.fill();
  }
}

/** A dot with a ring of the ground's colour, at a point of a line. */
export function paintDot(context: CanvasRenderingContext2D, at: readonly [x: number, y: number], ink: string, ground: string, frame: Frame, ratio: number): void {
  const [x, y] = [pixelX(at[0], frame), pixelY(at[1], frame)];
  context.beginPath();
  context.arc(x, y, 3.5 * ratio, 0, 2 * Math.PI);
  context.fillStyle = ink;
  context.fill();
  context.lineWidth = 1.25 * ratio;
  context.strokeStyle = ground;
  context.setLineDash([]);
  context.stroke();
}

// The geometry of a chart: lines, bands and marks as strokes of a pen. The pen is a canvas, an SVG file or a test.

import { at } from "./buckets";
import { NAN, NEG_INF, POS_INF, type Line } from "./lines";
import { placeOf, visible, type Scale } from "./scale";

/** What canvas and SVG both can. */
export interface Pen {
  moveTo: (x: number, y: number) => void;
  lineTo: (x: number, y: number) => void;
  closePath: () => void;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Frame {
  box: Box;
  x: Scale;
  y: Scale;
}

/** Further out nothing is seen, and canvases lose precision. */
const FAR = 20_000;

function near(pixel: number): number {
  return pixel > FAR ? FAR : pixel < -FAR ? -FAR : pixel;
}

export function pixelX(given: number, { box, x }: Frame): number {
  return near(box.left + placeOf(given, x) * box.width);
}

/** A logarithm that is not there is below everything. */
export function pixelY(given: number, { box, y }: Frame): number {
  if (y.log && given <= 0) return FAR;
  return near(box.top + (1 - placeOf(given, y)) * box.height);
}

/**
 * The curve through `values`. Where several points share a column of pixels, only the column's first, least, greatest
 * and last are drawn: the picture is the same. Points without neighbours are left to `lonely`.
 */
export function trace(pen: Pen, line: Line, values: Float64Array, frame: Frame): void {
  const [begin, end] = visible(line, frame.x, 1);
  let down = false;
  let column = NaN;
  let [least, most, last] = [0, 0, 0];
  const finish = () => {
    if (Number.isNaN(column)) return;
    if (least !== most) {
      pen.lineTo(column, least);
      pen.lineTo(column, most);
      pen.lineTo(column, last);
    }
    column = NaN;
  };
  for (let row = begin; row < end; row++) {
    const value = values[row] ?? NaN;
    if (Number.isNaN(value) || (frame.y.log && value <= 0)) {
      finish();
      down = false;
      continue;
    }
    const x = pixelX(line.x[row] ?? 0, frame);
    const y = pixelY(value, frame);
    if (down && Math.abs(x - column) < 0.5) {
      if (y < least) least = y;
      if (y > most) most = y;
      last = y;
      continue;
    }
    finish();
    if (down) pen.lineTo(x, y);
    else pen.moveTo(x, y);
    down = true;
    column = x;
    least = most = last = y;
  }
  finish();
}

/** A piece of the band without a gap: equally long columns, in pixels, from left to right. */
export interface Ribbon {
  x: Float64Array;
  top: Float64Array;
  bottom: Float64Array;
}

/**
 * The band between the least and the greatest of every bucket, at least a pixel high. Several buckets of one column of
 * pixels become one that spans them all: no extreme is lost at any width.
 */
export function ribbons(line: Line, frame: Frame): Ribbon[] {
  const { low, high } = line;
  if (low === null || high === null) return [];
  const [begin, end] = visible(line, frame.x, 1);
  const found: Ribbon[] = [];
  const columns = { x: new Float64Array(end - begin), top: new Float64Array(end - begin), bottom: new Float64Array(end - begin) };
  let first = 0;
  let size = 0;
  const finish = () => {
    const cut = (column: Float64Array) => column.subarray(first, size);
    if (size > first) found.push({ x: cut(columns.x), top: cut(columns.top), bottom: cut(columns.bottom) });
    first = size;
  };
  for (let row = begin; row < end; row++) {
    const greatest = at(high, row);
    if (Number.isNaN(greatest) || (frame.y.log && greatest <= 0)) {
      finish();
      continue;
    }
    const x = pixelX(at(line.x, row), frame);
    const top = pixelY(greatest, frame);
    const bottom = Math.max(pixelY(at(low, row), frame), top + 1);
    if (size > first && Math.abs(x - at(columns.x, size - 1)) < 0.5) {
      columns.top[size - 1] = Math.min(at(columns.top, size - 1), top);
      columns.bottom[size - 1] = Math.max(at(columns.bottom, size - 1), bottom);
    } else {
      columns.x[size] = x;
      columns.top[size] = top;
      columns.bottom[size++] = bottom;
    }
  }
  finish();
  return found;
}

/** The band as closed outlines. */
export function band(pen: Pen, line: Line, frame: Frame): void {
  for (const ribbon of ribbons(line, frame)) outline(pen, ribbon);
}

export function outline(pen: Pen, { x, top, bottom }: Ribbon): void {
  const size = x.length;
  // A bucket alone is half a pixel to either side.
  const aside = size === 1 ? 0.5 : 0;
  pen.moveTo(at(x, 0) - aside, at(top, 0));
  if (aside > 0) pen.lineTo(at(x, 0) + aside, at(top, 0));
  for (let row = 1; row < size; row++) pen.lineTo(at(x, row), at(top, row));
  for (let row = size - 1; row > 0; row--) pen.lineTo(at(x, row), at(bottom, row));
  if (aside > 0) pen.lineTo(at(x, 0) + aside, at(bottom, 0));
  pen.lineTo(at(x, 0) - aside, at(bottom, 0));
  pen.closePath();
}

/** The inside of a ribbon as a stroke for each column of pixels: on a canvas a tenth of the work of filling its outline. */
export function shade(pen: Pen, { x, top, bottom }: Ribbon, { box }: Frame): void {
  if (x.length < 2) return;
  const from = Math.max(Math.ceil(at(x, 0) - 0.5), Math.floor(box.left));
  const to = Math.min(at(x, x.length - 1), box.left + box.width);
  let row = 0;
  for (let column = from; column + 0.5 <= to; column++) {
    const place = column + 0.5;
    while (row + 2 < x.length && at(x, row + 1) < place) row++;
    const part = (place - at(x, row)) / (at(x, row + 1) - at(x, row));
    pen.moveTo(place, at(top, row) + part * (at(top, row + 1) - at(top, row)));
    pen.lineTo(place, at(bottom, row) + part * (at(bottom, row + 1) - at(bottom, row)));
  }
}

/** Dots: points that no line reaches, and every point where they are far apart. */
export function dots(line: Line, frame: Frame, apart: number): [x: number, y: number][] {
  const [begin, end] = visible(line, frame.x);
  const few = end - begin <= Math.max(1, frame.box.width / apart);
  const found: [number, number][] = [];
  const gap = (row: number) => Number.isNaN(line.y[row] ?? NaN);
  for (let row = begin; row < end; row++) {
    const value = line.y[row] ?? NaN;
    if (Number.isNaN(value) || (frame.y.log && value <= 0)) continue;
    if (few || (gap(row - 1) && gap(row + 1))) found.push([pixelX(line.x[row] ?? 0, frame), pixelY(value, frame)]);
  }
  return found;
}

/** The outline of a mark, its middle at (x, y): NaN points down, +Inf up, -Inf is a cross, not above 0 a bar. */
export function mark(pen: Pen, kind: number, x: number, y: number, size: number): void {
  if (kind === NAN || kind === POS_INF) {
    const tip = kind === NAN ? 1 : -1;
    pen.moveTo(x - size, y - tip * size * 0.8);
    pen.lineTo(x + size, y - tip * size * 0.8);
    pen.lineTo(x, y + tip * size);
    pen.closePath();
  } else if (kind === NEG_INF) {
    pen.moveTo(x - size, y - size);
    pen.lineTo(x + size, y + size);
    pen.moveTo(x - size, y + size);
    pen.lineTo(x + size, y - size);
  } else {
    pen.moveTo(x - size, y);
    pen.lineTo(x + size, y);
  }
}

/** Where a mark stands: +Inf at the top, the others at the bottom, each kind at its own height. */
export function markY(kind: number, box: Box, size: number): number {
  if (kind === POS_INF) return box.top + size * 1.5;
  const row = kind === NAN ? 0 : kind === NEG_INF ? 1 : 2;
  return box.top + box.height - size * 1.5 - row * size * 2.4;
}

/** The visible marks, one for each kind and column of `size` pixels. */
export function marksIn(line: Line, frame: Frame, size: number): { kind: number; x: number; y: number }[] {
  const { x, kind } = line.marks;
  const last = [NaN, NaN, NaN, NaN];
  const found: { kind: number; x: number; y: number }[] = [];
  for (let row = 0; row < x.length; row++) {
    const value = at(x, row);
    const which = kind[row] ?? NAN;
    if (value < frame.x.min || value > frame.x.max) continue;
    const place = pixelX(value, frame);
    if (place - (last[which] ?? NaN) < size) continue;
    last[which] = place;
    found.push({ kind: which, x: place, y: markY(which, frame.box, size) });
  }
  return found;
}

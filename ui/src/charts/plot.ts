// A chart on the page: uPlot for axes and pointer, our own drawing of lines, and a canvas above for what moves with the
// pointer. It holds no state that matters: everything is shown anew from what `show` is given.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { isDark } from "./dark";
import type { Line } from "./lines";
import { heightAt, nearestRow } from "./nearest";
import { DATA, optionsOf, type Inks } from "./options";
import { MANY, paint, paintChosen, paintDot } from "./paint";
import { pixelY, type Frame } from "./paths";
import { placeOf, valueAt, type Scale } from "./scale";
import { standsOut } from "./shown";
import { ticks, type Kind, type Ticks } from "./ticks";
import type { Reach } from "./window";

export interface View {
  lines: readonly Line[];
  x: Scale;
  y: Scale;
  xKind: Kind;
  xTitle: string;
  bands: boolean;
}

/** What people do to a chart. */
export interface Actions {
  /** The pointer is at this x value, near this line; nulls: it has left, no line is near. */
  point: (x: number | null, near: string | null) => void;
  zoom: (x: Reach, y: Reach | null) => void;
  reset: () => void;
  /** An axis is dragged; `done` when it is let go. */
  pan: (which: "x" | "y", to: Reach, done: boolean) => void;
  pin: () => void;
}

export class Plot {
  private readonly plot: uPlot;
  /** Made when something first moves there: dozens of idle canvases cost every frame of the page. */
  private above: CanvasRenderingContext2D | null = null;
  private inks: Inks;
  private cursorX: number | null = null;
  private highlighted: string | null = null;
  private down: readonly [x: number, y: number] = [0, 0];
  /** Nothing is on the canvas above. */
  private clear = true;
  private task = 0;
  private readonly undo: (() => void)[] = [];
  private ticksOf: { x: Ticks; y: Ticks } = { x: { at: [], text: [] }, y: { at: [], text: [] } };

  constructor(
    private readonly root: HTMLElement,
    size: { width: number; height: number },
    private view: View,
    private readonly actions: Actions,
  ) {
    this.inks = inksOf(root);
    const labels = {
      x: () => this.ticksOf.x,
      y: () => this.ticksOf.y,
      placeX: (value: number) => placeOf(value, this.view.x),
      placeY: (value: number) => placeOf(value, this.view.y),
      title: () => this.view.xTitle,
      inks: () => this.inks,
    };
    this.measure(size);
    const hooks: uPlot.Hooks.Arrays = {
      draw: [() => this.draw()],
      setCursor: [(plot) => this.moved(plot)],
      setSelect: [(plot) => this.selected(plot)],
    };
    this.plot = new uPlot(optionsOf(size, labels, hooks, this.bindings()), DATA, root);
    this.plot.over.addEventListener("click", (event) => {
      const [x, y] = this.down;
      // The end of a drag is no click.
      if (Math.hypot(event.clientX - x, event.clientY - y) < 4) this.actions.pin();
    });
    this.grips();
  }

  show(view: View): void {
    if (view === this.view) return;
    this.view = view;
    this.inks = inksOf(this.root);
    this.measure(this.plot);
    this.plot.redraw(true, true);
    this.hover();
  }

  resize(width: number, height: number): void {
    if (width === this.plot.width && height === this.plot.height) return;
    this.measure({ width, height });
    this.plot.setSize({ width, height });
  }

  /** After a change of theme. */
  recolour(): void {
    this.inks = inksOf(this.root);
    this.plot.redraw(false, false);
    this.hover();
  }

  /** The cursor at an x value, whoever moved it; null: none. */
  point(x: number | null): void {
    if (x === this.cursorX) return;
    this.cursorX = x;
    this.hover();
  }

  highlight(key: string | null): void {
    if (key === this.highlighted) return;
    this.highlighted = key;
    this.hover();
  }

  /** The drawing area in canvas pixels with its scales. */
  frame(): Frame {
    return { box: this.plot.bbox, x: this.view.x, y: this.view.y };
  }

  /** The drawing area in CSS pixels, seen from the chart's corner. */
  area(): DOMRect {
    return this.plot.over.getBoundingClientRect();
  }

  canvas(): HTMLCanvasElement {
    return this.plot.ctx.canvas;
  }

  labels(): { x: Ticks; y: Ticks } {
    return this.ticksOf;
  }

  ratio(): number {
    return uPlot.pxRatio;
  }

  inksNow(): Inks {
    return this.inks;
  }

  close(): void {
    cancelAnimationFrame(this.task);
    for (const each of this.undo) each();
    this.plot.destroy();
  }

  private measure({ width, height }: { width: number; height: number }): void {
    const { x, y, xKind } = this.view;
    this.ticksOf = { x: ticks(x, xKind, (width - 60) / 52), y: ticks(y, "number", (height - 50) / 38) };
  }

  private draw(): void {
    paint(this.plot.ctx, this.view.lines, this.frame(), this.view.bands, uPlot.pxRatio);
  }

  private moved(plot: uPlot): void {
    const { left = -10, top = -10 } = plot.cursor;
    if (left < 0) return this.actions.point(null, null);
    const x = valueAt(left / plot.over.clientWidth, this.view.x);
    this.actions.point(x, this.lineNear(x, top * uPlot.pxRatio + plot.bbox.top));
  }

  /** The key of the line that runs within 12 CSS pixels of a height at an x value. */
  private lineNear(x: number, height: number): string | null {
    const frame = this.frame();
    let least = 12 * uPlot.pxRatio;
    let found: string | null = null;
    for (const line of this.view.lines) {
      const away = Math.abs(pixelY(heightAt(line, x), frame) - height);
      if (away < least) [least, found] = [away, line.key];
    }
    return found;
  }

  private selected(plot: uPlot): void {
    const { left, top, width, height } = plot.select;
    const { clientWidth, clientHeight } = plot.over;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const box = plot.cursor.drag?.y === true;
    const x = { min: valueAt(left / clientWidth, this.view.x), max: valueAt((left + width) / clientWidth, this.view.x) };
    const y = { min: valueAt(1 - (top + height) / clientHeight, this.view.y), max: valueAt(1 - top / clientHeight, this.view.y) };
    if (width > 3) this.actions.zoom(x, box && height > 3 ? y : null);
  }

  private bindings(): uPlot.Cursor.Bind {
    return {
      mousedown: (plot, _, handler) => (event) => {
        this.down = [event.clientX, event.clientY];
        if (event.button === 0 && plot.cursor.drag !== undefined) {
          plot.cursor.drag.y = event.shiftKey;
          handler(event);
        }
        return null;
      },
      dblclick: () => () => {
        this.actions.reset();
        return null;
      },
    };
  }

  /** What moves with the pointer, drawn once a frame at most. */
  private hover(): void {
    const empty = this.cursorX === null && this.highlighted === null;
    if (empty && this.clear) return;
    this.clear = empty;
    cancelAnimationFrame(this.task);
    this.task = requestAnimationFrame(() => this.drawAbove());
  }

  private drawAbove(): void {
    const context = (this.above ??= this.canvasAbove());
    if (context === null) return;
    const { left, top, width, height } = this.plot.bbox;
    const { canvas } = context;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    else context.clearRect(0, 0, width, height);
    const frame = this.frame();
    context.save();
    context.translate(-left, -top);
    const chosen = this.view.lines.filter((line) => standsOut(line.key, this.highlighted));
    if (chosen.length > 0 && this.view.lines.length > 1) {
      context.globalAlpha = 0.65;
      context.fillStyle = this.inks.ground;
      context.fillRect(left, top, width, height);
      context.globalAlpha = 1;
      for (const line of chosen) paintChosen(context, line, frame, this.view.bands, uPlot.pxRatio);
    }
    this.drawHair(context, frame);
    if (this.cursorX !== null) for (const line of this.dotted(chosen)) this.drawDot(context, line, frame);
    context.restore();
  }

  private canvasAbove(): CanvasRenderingContext2D | null {
    const canvas = document.createElement("canvas");
    canvas.className = "above";
    this.plot.over.append(canvas);
    return canvas.getContext("2d");
  }

  /** The lines with a dot at the cursor: of many only those that stand out. */
  private dotted(chosen: readonly Line[]): readonly Line[] {
    return this.view.lines.length < MANY ? this.view.lines : chosen;
  }

  private drawHair(context: CanvasRenderingContext2D, frame: Frame): void {
    const place = this.cursorX === null ? NaN : placeOf(this.cursorX, frame.x);
    if (!(place >= 0 && place <= 1)) return;
    const x = Math.round(frame.box.left + place * frame.box.width) + 0.5;
    context.beginPath();
    context.moveTo(x, frame.box.top);
    context.lineTo(x, frame.box.top + frame.box.height);
    context.strokeStyle = this.inks.text;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.stroke();
  }

  private drawDot(context: CanvasRenderingContext2D, line: Line, frame: Frame): void {
    const row = nearestRow(line, this.cursorX ?? 0, frame.x);
    if (row === null) return;
    const [x, y] = [line.x[row] ?? NaN, line.y[row] ?? NaN];
    const shown = x >= frame.x.min && x <= frame.x.max && (!frame.y.log || y > 0);
    if (shown && !Number.isNaN(y)) paintDot(context, [x, y], line.ink, this.inks.ground, frame, uPlot.pxRatio);
  }

  /** Dragging an axis moves what is shown. */
  private grips(): void {
    const [x, y] = this.root.querySelectorAll<HTMLElement>(".u-axis");
    if (x !== undefined) this.grip(x, "x");
    if (y !== undefined) this.grip(y, "y");
  }

  private grip(element: HTMLElement, which: "x" | "y"): void {
    element.classList.add(`grip-${which}`);
    element.title = which === "x" ? "Drag to move along" : "Drag to move up and down";
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      const scale = this.view[which];
      const size = which === "x" ? this.plot.over.clientWidth : this.plot.over.clientHeight;
      const move = (now: PointerEvent, done: boolean) => {
        const by = which === "x" ? (event.clientX - now.clientX) / size : (now.clientY - event.clientY) / size;
        if (by !== 0 || done) this.actions.pan(which, { min: valueAt(by, scale), max: valueAt(1 + by, scale) }, done);
      };
      const moving = (now: PointerEvent) => move(now, false);
      element.addEventListener("pointermove", moving);
      element.addEventListener(
        "pointerup",
        (now) => {
          element.removeEventListener("pointermove", moving);
          move(now, true);
        },
        { once: true },
      );
    };
    element.addEventListener("pointerdown", down);
    this.undo.push(() => element.removeEventListener("pointerdown", down));
  }
}

/** By theme, for all charts: asking an element for its colours computes the style of the whole page. */
const INKS = new Map<boolean, Inks>();

/** Canvas knows no variables of style sheets: the element has them resolved as its own colours. */
function inksOf(element: HTMLElement): Inks {
  const dark = isDark();
  let found = INKS.get(dark);
  if (found === undefined) {
    const style = getComputedStyle(element);
    INKS.set(dark, (found = { text: style.color, grid: style.borderTopColor, ground: style.backgroundColor }));
  }
  return found;
}

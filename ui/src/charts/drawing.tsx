// The drawing of a card: a Plot in an element, the tooltip at its cursor, and the keys that move it.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { PAPER } from "../state/paper";
import { toldAt, type Told } from "./nearest";
import { Plot, type Actions, type View } from "./plot";
import { placeOf } from "./scale";
import { useTopic, type Stage } from "./stage";
import { Tooltip } from "./tooltip";
import type { Reach } from "./window";

export interface DrawingProps {
  view: View;
  /** There is something to draw, or it is known that there is nothing: until then no canvas is made. */
  ready: boolean;
  height: number;
  title: string;
  /** Charts of one axis share the cursor. */
  axis: string;
  stage: Stage;
  zoom: (x: Reach | null, y: Reach | null) => void;
  pan: Actions["pan"];
  /** How wide it is in CSS pixels, at first and after changes. */
  sized: (width: number) => void;
  /** For export: the plot while it is there. */
  hold: (plot: Plot | null) => void;
}

export function Drawing(props: DrawingProps) {
  const { view, ready, height, title, axis, stage, hold } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [pinned, setPinned] = useState<number | null>(null);
  const pinnedNow = useRef(pinned);
  pinnedNow.current = pinned;
  const width = useRef(0);
  const begun = useRef(false);
  begun.current ||= ready;
  useLayoutEffect(() => {
    if (box.current === null) return;
    return stage.widths.of(box.current, (now) => {
      width.current = now;
      plot.current?.resize(now, latest.current.height);
      latest.current.sized(now);
    });
  }, [stage]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || !begun.current) return;
    const actions = actionsOf(latest, pinnedNow, setPinned);
    const made = new Plot(element, { width: Math.max(120, width.current || element.clientWidth), height }, latest.current.view, actions);
    plot.current = made;
    hold(made);
    const recolour = () => made.recolour();
    const follow = () => {
      const { value } = stage.cursor;
      made.point(pinnedNow.current ?? (value?.axis === latest.current.axis ? value.x : null));
    };
    const undo = [stage.cursor.watch(follow), stage.highlighted.watch((key) => made.highlight(key))];
    const fit = () => made.resize(Math.max(120, Math.round(element.clientWidth)), latest.current.height);
    addEventListener("stepwell-theme", recolour);
    addEventListener(PAPER, fit);
    return () => {
      removeEventListener("stepwell-theme", recolour);
      removeEventListener(PAPER, fit);
      for (const each of undo) each();
      made.close();
      hold(null);
      plot.current = null;
    };
  }, [stage, begun.current]);
  useLayoutEffect(() => plot.current?.show(view), [view]);
  useLayoutEffect(() => {
    if (width.current > 0) plot.current?.resize(width.current, height);
  }, [height]);
  useEffect(() => plot.current?.point(pinned ?? (stage.cursor.value?.axis === axis ? stage.cursor.value.x : null)), [pinned, axis]);
  return (
    <div class="drawing">
      <div
        ref={box}
        class="plot"
        role="img"
        tabIndex={0}
        aria-label={`${title}: chart of ${view.lines.length} lines. Arrows move the cursor, Enter pins what stands there.`}
        onKeyDown={(event) => keys(event, latest.current, pinned, setPinned)}
        onBlur={() => stage.cursor.tell(null)}
      />
      <At box={box} plot={plot} view={view} axis={axis} stage={stage} pinned={pinned} unpin={() => setPinned(null)} />
    </div>
  );
}

type Ref<T> = { current: T };

function actionsOf(latest: Ref<DrawingProps>, pinned: Ref<number | null>, setPinned: (x: number | null) => void): Actions {
  return {
    point: (x, near) => {
      const { stage, axis } = latest.current;
      stage.highlighted.tell(near);
      stage.cursor.tell(x === null ? null : { x, axis, by: latest.current.hold });
    },
    zoom: (x, y) => latest.current.zoom(x, y),
    reset: () => latest.current.zoom(null, null),
    pan: (which, to, done) => latest.current.pan(which, to, done),
    pin: () => {
      const at = latest.current.stage.cursor.value;
      setPinned(pinned.current === null && at !== null ? at.x : null);
    },
  };
}

interface AtProps {
  box: Ref<HTMLDivElement | null>;
  plot: Ref<Plot | null>;
  view: View;
  axis: string;
  stage: Stage;
  pinned: number | null;
  unpin: () => void;
}

/** The tooltip; apart, so that the pointer's moves render nothing else. */
function At({ box, plot, view, axis, stage, pinned, unpin }: AtProps) {
  const cursor = useTopic(stage.cursor);
  const lit = useTopic(stage.highlighted);
  const mine = cursor?.axis === axis && box.current?.matches(":hover, :focus-visible") === true;
  const x = pinned ?? (mine ? cursor.x : null);
  const rows = useMemo(() => (x === null ? [] : toldAt(view.lines, x, view.x)), [x, view]);
  if (x === null || rows.length === 0 || plot.current === null || box.current === null) return null;
  return (
    <Tooltip
      rows={rows}
      x={placeTold(rows, x)}
      xKind={view.xKind}
      xTitle={view.xTitle}
      left={screenX(x, view, plot.current.area())}
      chart={box.current.getBoundingClientRect()}
      pinned={pinned !== null}
      unpin={unpin}
      lit={lit}
    />
  );
}

/** Of one line the place of its point, of several where the cursor is. */
function placeTold(rows: readonly Told[], x: number): number {
  return rows.length === 1 ? (rows[0]?.x ?? x) : x;
}

function screenX(x: number, view: View, area: DOMRect): number {
  return area.left + Math.min(1, Math.max(0, placeOf(x, view.x))) * area.width;
}

function keys(event: KeyboardEvent, props: DrawingProps, pinned: number | null, setPinned: (x: number | null) => void): void {
  const { stage, view, axis, zoom, hold } = props;
  const now = pinned ?? stage.cursor.value?.x ?? null;
  const step = (move: 1 | -1) => {
    const next = neighbour(view, now ?? (move > 0 ? view.x.min : view.x.max), move);
    if (pinned !== null) setPinned(next);
    stage.cursor.tell({ x: next, axis, by: hold });
  };
  const leave = () => {
    setPinned(null);
    stage.cursor.tell(null);
  };
  const doing: Record<string, () => void> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    Enter: () => setPinned(pinned === null ? now : null),
    0: () => zoom(null, null),
    ...(now === null ? {} : { Escape: leave }),
  };
  const wanted = doing[event.key];
  if (wanted === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  wanted();
  event.preventDefault();
  event.stopPropagation();
}

/** The next x of any line, one way or the other. */
function neighbour(view: View, from: number, move: number): number {
  let found = NaN;
  for (const line of view.lines) {
    const next = move > 0 ? line.x.find((x) => x > from) : line.x.findLast((x) => x < from);
    if (next !== undefined && !(Math.abs(next - from) >= Math.abs(found - from))) found = next;
  }
  return Number.isNaN(found) ? from : found;
}

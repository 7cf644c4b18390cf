// One metric of several runs as a card: its head, its drawing, what must be said of it, and its legend.

import { useMemo, useRef, useState } from "preact/hooks";
import { Empty, Failed, Loading } from "../parts/states";
import { Badges } from "./badges";
import { CardMenu } from "./card-menu";
import "./charts.css";
import { dashOf, inkOf, ownStyle } from "./colours";
import { Drawing } from "./drawing";
import type { FeedState } from "./feed";
import { useFeed } from "./feeding";
import { Legend, nameOf } from "./legend";
import { lineOf, type Line } from "./lines";
import { leftOutNote, notesOf } from "./notes";
import type { Plot, View } from "./plot";
import { xExtent, xScale, yScale } from "./scale";
import type { ChartSettings } from "./settings";
import { keyOf, stylesIn, type CardProps, type Choosing, type Shown } from "./shown";
import { useStage } from "./stage";
import type { Kind } from "./ticks";
import { useDark } from "./dark";
import { axisOf, changeView, useOwn, useZoom } from "./zoom";
import type { Reach } from "./window";

/** Of one card: a hundred runs have fewer buckets each than the chart has pixels. Lowest and highest are kept anyway. */
const MOST_BUCKETS = 60_000;
/** CSS pixels of a chart's width that are not for lines: the texts of the y axis. */
const BESIDE = 50;

export function Card({ metric, runs: given, settings: common, title = metric, height = 260, leftOut = 0, choosing: outer, metrics = [], tools }: CardProps) {
  const stage = useStage();
  const own = useOwn(metric);
  const settings = useMemo(() => ({ ...common, ...own.settings }), [common, own]);
  const axis = axisOf(settings);
  const zoom = useZoom(axis);
  const [runs, choosing] = useChoosing(given, outer);
  const [width, setWidth] = useState(0);
  const { state, busy, retry } = useFeed(stage, { metric, runs, settings, zoom, budget: width > 0 ? budgetOf(width, runs) : null });
  const dark = useDark();
  const lines = useLines(state, runs, settings, dark);
  const { view, clipped } = useMemo(() => viewOf(lines, settings, zoom, own.y), [lines, settings, zoom, own]);
  const plot = useRef<Plot | null>(null);
  const changeX = (x: Reach | null, y: Reach | null) =>
    changeView({ zoom: x, axis, metric, own: { ...own, y: y === null ? (x === null ? null : own.y) : [y.min, y.max] } });
  const pan = (which: "x" | "y", to: Reach, done: boolean) =>
    changeView(which === "x" ? { zoom: to, axis } : { metric, own: { ...own, y: [to.min, to.max] } }, { replace: !done });
  const drawn = runs.filter((run) => run.hidden !== true);
  // The same element until something of it changes: it is not rendered anew with every answer.
  const legend = useMemo(() => runs.length > 1 && <Legend runs={runs} dark={dark} choosing={choosing} stage={stage} />, [runs, dark, choosing, stage]);
  return (
    <article class="chart-card" aria-label={title} aria-busy={busy}>
      <header>
        <h3 title={title}>{title}</h3>
        <Badges lines={lines} />
        <span class="card-tools">
          {tools}
          <CardMenu title={title} metric={metric} runs={drawn} settings={settings} own={own} view={view} plot={plot} metrics={metrics} state={state} />
        </span>
      </header>
      <div class="card-body" style={{ minHeight: `${height}px` }}>
        <Drawing view={view} ready={!state.loading || lines.length > 0} height={height} title={title} axis={axis} stage={stage} zoom={changeX} pan={pan} sized={setWidth} hold={(made) => (plot.current = made)} />
        <Over state={state} lines={lines} drawn={drawn.length} retry={retry} />
      </div>
      <p class="chart-notes">{[...notesOf(state, lines, settings, clipped), ...leftOutNote(leftOut)].join(" · ")}</p>
      {legend}
    </article>
  );
}

/** What lies over the drawing while there is nothing to see. */
function Over({ state, lines, drawn, retry }: { state: FeedState; lines: readonly Line[]; drawn: number; retry: () => void }) {
  const words = () => {
    if (state.error !== null) return <Failed error={state.error} retry={retry} />;
    if (lines.some((line) => line.x.length > 0)) return null;
    if (drawn === 0) return <Empty>No run is chosen.</Empty>;
    return state.loading ? <Loading what="points" /> : <Empty>{lines.some((line) => line.lost > 0) ? "No point has a place on this x axis." : "No points."}</Empty>;
  };
  const said = words();
  return said === null ? null : <div class="chart-over">{said}</div>;
}

/** Hiding and isolating: of runs as the page does it, of label sets in this card alone; without a page everything here. */
function useChoosing(given: readonly Shown[], outer: Choosing | undefined): [readonly Shown[], Choosing] {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const runs = useMemo(() => {
    if (hidden.size === 0 && outer !== undefined) return given;
    return given.map((run) => ({ ...run, hidden: run.hidden === true || hidden.has(keyOf(run)) }));
  }, [given, outer, hidden]);
  const choosing = useMemo((): Choosing => {
    const keys = given.map(keyOf);
    const ofPage = new Set(given.filter((run) => run.hidden === true).map(keyOf));
    const isHere = (run: Shown) => outer === undefined || hidden.has(keyOf(run)) || (run.labels !== undefined && !ofPage.has(keyOf(run)));
    return {
      toggle: (run) => (isHere(run) ? setHidden(toggled(hidden, keyOf(run))) : outer?.toggle(run)),
      isolate: (run) => (isHere(run) ? setHidden(isolated(hidden, keys, keyOf(run))) : outer?.isolate(run)),
    };
  }, [given, outer, hidden]);
  return [runs, choosing];
}

function toggled(hidden: ReadonlySet<string>, key: string): ReadonlySet<string> {
  return new Set(hidden.has(key) ? [...hidden].filter((each) => each !== key) : [...hidden, key]);
}

/** All but one; none where it is the only one that is shown. */
function isolated(hidden: ReadonlySet<string>, keys: readonly string[], key: string): ReadonlySet<string> {
  const others = keys.filter((each) => each !== key);
  return new Set(others.every((each) => hidden.has(each)) && !hidden.has(key) ? [] : others);
}

function budgetOf(width: number, runs: readonly Shown[]): number {
  const drawn = runs.reduce((count, run) => count + (run.hidden === true ? 0 : 1), 0);
  return Math.min(Math.max(100, Math.ceil((width - BESIDE) / 50) * 50), Math.max(200, Math.floor(MOST_BUCKETS / drawn / 100) * 100));
}

function useLines(state: FeedState, runs: readonly Shown[], settings: ChartSettings, dark: boolean): readonly Line[] {
  return useMemo(() => {
    const keys = runs.map(keyOf);
    const styles = stylesIn(runs);
    return state.held.flatMap(({ run, whole, detail, along }) => {
      const key = keyOf(run);
      const at = keys.indexOf(key);
      if (at < 0 || runs[at]?.hidden === true) return [];
      const style = styles[at] ?? ownStyle(run.id);
      const look = { key, name: nameOf(runs[at] ?? run), ink: inkOf(style, dark), dash: dashOf(style) };
      return [lineOf({ ...look, buckets: detail, whole, along, startTimeUs: run.startTimeUs ?? null }, settings)];
    });
  }, [state.held, runs, settings, dark]);
}

function viewOf(lines: readonly Line[], settings: ChartSettings, zoom: Reach | null, ownY: readonly [number, number] | null): { view: View; clipped: number } {
  const { logX, logY, band, clip } = settings;
  const whole = xScale(xExtent(lines, logX), logX);
  const zoomed = zoom !== null && (!logX || zoom.max > 0);
  const x = zoomed ? { min: logX && zoom.min <= 0 ? Math.min(whole.min, zoom.max / 10) : zoom.min, max: zoom.max, log: logX } : whole;
  const fitted = yScale(lines, x, { log: logY, band, clip });
  const useOwnY = ownY !== null && (!logY || ownY[0] > 0);
  const y = useOwnY ? { min: ownY[0], max: ownY[1], log: logY } : fitted.scale;
  return { view: { lines, x, y, xKind: kindOf(settings), xTitle: titleOf(settings), bands: band }, clipped: useOwnY ? 0 : fitted.clipped };
}

function kindOf({ x }: ChartSettings): Kind {
  if (x === "wall") return "time";
  if (x === "relative_time") return "duration";
  return x === "metric" ? "number" : "step";
}

export function titleOf({ x, xMetric }: ChartSettings): string {
  const titles = { step: "Step", relative_step: "Relative step", wall: "Wall time", relative_time: "Relative time", metric: xMetric };
  return titles[x];
}

// A curve for every group: middle and spread over all of its runs.

import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { distinct, firstOf, type Labels, type LabelSets } from "../../charts/apart";
import { Badges } from "../../charts/badges";
import { COLOURS, dashOf, inkOf, type Style } from "../../charts/colours";
import { useDark } from "../../charts/dark";
import { Drawing } from "../../charts/drawing";
import { RESTED, useFeed } from "../../charts/feeding";
import { counted, whole } from "../../charts/format";
import { useLabelSets } from "../../charts/labelled";
import { NOT_POSITIVE, type Line, type Marks } from "../../charts/lines";
import type { View } from "../../charts/plot";
import { ResetZoom } from "../../charts/reset";
import { xExtent, xScale, yScale } from "../../charts/scale";
import { patternOf } from "../../charts/sections";
import { DEFAULTS } from "../../charts/settings";
import { StageContext, useStage } from "../../charts/stage";
import { StyleSwatch } from "../../charts/tooltip";
import type { Buckets } from "../../charts/buckets";
import type { Held } from "../../charts/feed";
import { leftOutNote, sampledNote } from "../../charts/notes";
import { keyOf, type Shown } from "../../charts/shown";
import type { Reach } from "../../charts/window";
import { changeView, useZoom } from "../../charts/zoom";
import { useSettled } from "../../parts/picker";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import type { RunRow } from "../../state/rows";
import { useKeys } from "../charts/keys";
import { curveOf, gridOf, type Curve } from "./aggregate";
import { Near } from "./near";
import { bySets, chartsOf, fieldsOf, type Apart, type By, type Group } from "./groups";
import { FieldChoice, Flag, WordChoice } from "./controls";

/** Metrics are looked for in so many of the runs. */
const ASKED = 200;
const HEIGHT = 280;
/** Buckets of each run. */
const BUDGET = 300;

export function Curves({ runs }: { runs: readonly RunRow[] }) {
  const stage = useStage();
  const [colour, setColour] = useParam(PARAMS.colourBy);
  const [dash, setDash] = useParam(PARAMS.dashBy);
  const [charts, setCharts] = useParam(PARAMS.chartsBy);
  const [text, setText] = useParam(PARAMS.metrics);
  const fields = useMemo(() => fieldsOf(runs), [runs]);
  const [asked, running] = [runs.slice(0, ASKED).map((run) => run.id), runs.some(isRunning)];
  const keys = useKeys(asked, running);
  const labels = useLabelSets(asked, running);
  const pattern = useMemo(() => patternOf(text), [text]);
  const metrics = useMemo(() => [...keys.runsOf.keys()].filter((metric) => typeof pattern === "string" || pattern.test(metric)).sort(), [keys.runsOf, pattern]);
  const by = useMemo(() => ({ colour, dash, charts }), [colour, dash, charts]);
  return (
    <StageContext.Provider value={stage}>
      <div class="choose">
        <FieldChoice label="Colour by" fields={fields} value={colour} set={setColour} />
        <FieldChoice label="Dash by" fields={fields} value={dash} set={setDash} />
        <FieldChoice label="Charts by" fields={fields} value={charts} set={setCharts} />
        <WordChoice label="Line" param={PARAMS.middle} words={{ mean: "Mean", median: "Median" }} />
        <WordChoice label="Band" param={PARAMS.spread} words={{ range: "Lowest to highest", std: "Standard deviation", ci: "95 % confidence", none: "None" }} />
        <Flag label="Log y" param={PARAMS.logY} />
        <label>
          <span>Metrics</span>
          <input type="search" placeholder="A regular expression" value={text} onInput={(event) => setText(event.currentTarget.value, { replace: true })} />
        </label>
        <ResetZoom />
      </div>
      {typeof pattern === "string" && <p class="bad">{pattern}</p>}
      {runs.length > ASKED && <p class="faint">The metrics are those of the first {whole(ASKED)} of these runs.</p>}
      {keys.error !== null && <Failed error={keys.error} retry={keys.retry} />}
      {keys.loading && metrics.length === 0 && <Loading what="metrics" />}
      {!keys.loading && metrics.length === 0 && <Empty>{text === "" ? "These runs have no metrics yet." : "No metric matches."}</Empty>}
      {metrics.map((metric) => (
        <Near key={metric} height={HEIGHT + 98}>
          {() => <Metric metric={metric} runs={runs} by={by} labels={labels} />}
        </Near>
      ))}
    </StageContext.Provider>
  );
}

function Metric({ metric, runs, by, labels }: { metric: string; runs: readonly RunRow[]; by: By; labels: LabelSets }) {
  const zoom = useZoom("step");
  const all = useMemo(() => distinct(labels, metric), [labels, metric]);
  const sets = useMemo(() => setsFor(all, runs, by), [all, runs, by]);
  const { held, busy, error, retry } = useHeld(metric, runs, sets, zoom);
  const charts = useMemo(() => {
    if (held === null) return [];
    const buckets = new Map(held.series.map(({ run, detail }) => [keyOf(run), detail]));
    const of = (run: RunRow, set: Labels | null) => buckets.get(keyOf(shownOf(run, set)));
    const has = (run: RunRow, set: Labels | null) => (of(run, set)?.count.length ?? 0) > 0;
    const having = runs.filter((run) => held.sets.some((set) => has(run, set)));
    return chartsOf(having, by).map((chart) => ({
      ...chart,
      groups: bySets(chart.groups, held.sets, has, by).map((group) => ({ group, buckets: group.runs.flatMap((run) => of(run, group.labels) ?? []) })),
    }));
  }, [held, runs, by]);
  const [middle] = useParam(PARAMS.middle);
  const [spread] = useParam(PARAMS.spread);
  // While an axis is dragged the curves move as they are: two thousand runs are not put together anew at every move.
  const rested = useSettled(zoom, RESTED);
  const drawn = useMemo(() => {
    const grid = gridOf(charts.flatMap((chart) => chart.groups.flatMap((each) => each.buckets)), rested);
    if (grid === null) return { width: 1, charts: [] };
    const curves = charts.map((chart) => ({ name: chart.name, groups: chart.groups.map(({ group, buckets }) => ({ group, buckets, curve: curveOf(buckets, grid, middle, spread) })) }));
    return { width: grid.width, charts: curves };
  }, [charts, middle, spread, rested]);
  if (held === null) return error === null ? <Loading what={metric} /> : <Failed error={error} retry={retry} />;
  if (drawn.charts.length === 0) return <Empty>No points of {metric}.</Empty>;
  return (
    <div class="groups-of">
      {error !== null && <Failed error={error} retry={retry} />}
      {drawn.charts.map((chart) => (
        <Chart key={chart.name} title={chart.name === "" ? metric : `${metric} · ${chart.name}`} groups={chart.groups} width={drawn.width} leftOut={all.length < 2 ? 0 : all.length - sets.length} zoom={zoom} busy={busy} />
      ))}
    </div>
  );
}

const TOGETHER: readonly null[] = [null];
/** So many series of each run are drawn of twenty runs, of more runs fewer. */
const FEW = 20;

/** The label sets that are drawn of each run, one by one; null for all of them together. */
function setsFor(all: readonly Labels[], runs: readonly RunRow[], by: By): readonly (Labels | null)[] {
  if (all.length < 2) return TOGETHER;
  const groups = chartsOf(runs, by).reduce((most, chart) => Math.max(most, chart.groups.length), 1);
  return firstOf(all, Math.max(groups, Math.ceil(runs.length / FEW)));
}

/** What is drawn, and of which label sets it is. */
interface Series {
  sets: readonly (Labels | null)[];
  series: readonly Held[];
}

/** The metric of the runs, followed while they run. All of them or none: the middle of a part of a group is no middle of it. */
function useHeld(metric: string, runs: readonly RunRow[], sets: readonly (Labels | null)[], zoom: Reach | null) {
  const stage = useStage();
  const shown = useMemo(() => runs.flatMap((run) => sets.map((set) => shownOf(run, set))), [runs, sets]);
  const { state, busy, retry } = useFeed(stage, { metric, runs: shown, settings: DEFAULTS, zoom, budget: BUDGET });
  const [held, setHeld] = useState<Series | null>(null);
  const whole = state.error === null && isAll(state.held, shown);
  useLayoutEffect(() => {
    if (whole) setHeld({ sets, series: state.held });
  }, [whole, state.held]);
  return { held, busy, error: state.error, retry };
}

function isAll(held: readonly Held[], shown: readonly Shown[]): boolean {
  return shown.every((each, at) => {
    const run = held[at]?.run;
    return run !== undefined && run.id === each.id && keyOf(run) === keyOf(each);
  });
}

function shownOf(run: RunRow, labels: Labels | null): Shown {
  const { id, name, startTimeUs } = run;
  return { id, name, startTimeUs, running: isRunning(run), ...(labels === null ? {} : { labels }) };
}

function isRunning(run: RunRow): boolean {
  return run.status === "RUNNING";
}

interface Drawn {
  group: Apart<RunRow>;
  buckets: readonly Buckets[];
  curve: Curve;
}

interface ChartProps {
  title: string;
  groups: readonly Drawn[];
  /** Steps of a cell. */
  width: number;
  /** How many label sets have no curves. */
  leftOut: number;
  zoom: Reach | null;
  busy: boolean;
}

function Chart({ title, groups, width, leftOut, zoom, busy }: ChartProps) {
  const stage = useStage();
  const dark = useDark();
  const [logY] = useParam(PARAMS.logY);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => groups.filter(({ group }) => !hidden.has(group.name)).map((each) => lineOf(each, dark, logY)), [groups, dark, hidden, logY]);
  const view = useMemo((): View => {
    const x = zoom === null ? xScale(xExtent(lines, false), false) : { ...zoom, log: false };
    return { lines, x, y: yScale(lines, x, { log: logY, band: true, clip: false }).scale, xKind: "step", xTitle: "Step", bands: true };
  }, [lines, zoom, logY]);
  const toggle = (name: string) => setHidden(new Set(hidden.has(name) ? [...hidden].filter((each) => each !== name) : [...hidden, name]));
  return (
    <article class="chart-card" aria-label={title} aria-busy={busy}>
      <header>
        <h3 title={title}>{title}</h3>
        <Badges lines={lines} />
      </header>
      <Drawing
        view={view}
        ready
        height={HEIGHT}
        title={title}
        axis="step"
        stage={stage}
        zoom={(x) => changeView({ zoom: x })}
        pan={(which, to, done) => which === "x" && changeView({ zoom: to }, { replace: !done })}
        sized={() => undefined}
        hold={() => undefined}
      />
      <Notes groups={groups} width={width} leftOut={leftOut} />
      <ul class="chart-legend" aria-label="Legend">
        {groups.map(({ group, curve }) => (
          <li key={group.name}>
            <button type="button" aria-pressed={!hidden.has(group.name)} title={group.name} onClick={() => toggle(group.name)}>
              <StyleSwatch style={styleOf(group)} dark={dark} />
              <span class="group-name">{group.name}</span>
              <span>{nOf(group, curve)}</span>
            </button>
          </li>
        ))}
      </ul>
    </article>
  );
}

/** What must be said of how the runs were put together. */
function Notes({ groups, width, leftOut }: Pick<ChartProps, "groups" | "width" | "leftOut">) {
  const [spread] = useParam(PARAMS.spread);
  const bands = { range: "band: lowest to highest point", std: "band: mean ± standard deviation of the runs", ci: "band: 95 % confidence of the mean (Student's t)", none: "" };
  const uneven = groups.some(({ curve }) => curve.runs.some((count) => count < curve.most));
  const odd = groups.some(({ curve }) => curve.marks.x.length > 0);
  const notes = [
    sampledNote(groups.flatMap((each) => each.buckets)),
    width === 1 ? "runs are aligned step by step" : `runs are aligned in cells of ${whole(width)} steps`,
    "between its points a run is a straight line",
    uneven ? "a run counts from its first to its last step only, so n is less at some steps" : "",
    odd ? "NaN and infinities are marked, and count for nothing" : "",
    bands[spread],
    ...leftOutNote(leftOut),
  ];
  return <p class="chart-notes">{notes.filter((note) => note !== "").join(" · ")}</p>;
}

function nOf(group: Group<RunRow>, curve: Curve): string {
  const least = curve.runs.reduce((fewest, count) => Math.min(fewest, count), curve.most);
  return ` · n = ${counted(group.runs.length, "run")}${least < group.runs.length ? ` (${whole(least)} at least)` : ""}`;
}

/** When the colours are used up, they come again with the next dash. */
function styleOf({ colour, dash }: Group<RunRow>): Style {
  return { colour, dash: dash + Math.floor(colour / COLOURS.length) };
}

function lineOf({ group, curve }: Drawn, dark: boolean, logY: boolean): Line {
  return {
    key: group.name,
    name: `${group.name}${nOf(group, curve)}`,
    ink: inkOf(styleOf(group), dark),
    dash: dashOf(styleOf(group)),
    x: curve.x,
    y: curve.y,
    raw: null,
    low: curve.low,
    high: curve.high,
    least: curve.x[0] ?? 0,
    greatest: curve.x.at(-1) ?? 0,
    marks: logY ? withNotPositive(curve) : curve.marks,
    source: null,
    rows: null,
    origin: 0,
    lost: 0,
  };
}

/** The marks, and where a logarithmic axis cannot show what the group has. */
function withNotPositive({ x, y, low, marks }: Curve): Marks {
  const places = x.filter((_, cell) => (y[cell] ?? NaN) <= 0 || (low?.[cell] ?? NaN) <= 0);
  const [nans, posInfs, negInfs] = marks.counts;
  const kinds = new Array<number>(places.length).fill(NOT_POSITIVE);
  return { x: Float64Array.of(...marks.x, ...places), kind: Uint8Array.of(...marks.kind, ...kinds), counts: [nans, posInfs, negInfs, places.length] };
}

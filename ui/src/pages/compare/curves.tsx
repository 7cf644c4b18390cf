// A curve for every group: middle and spread over all of its runs.

import { useMemo, useState } from "preact/hooks";
import { COLOURS } from "../../charts/colours";
import { useDark } from "../../charts/dark";
import { Drawing } from "../../charts/drawing";
import { counted, whole } from "../../charts/format";
import type { Line } from "../../charts/lines";
import type { View } from "../../charts/plot";
import { ResetZoom } from "../../charts/reset";
import { xExtent, xScale, yScale } from "../../charts/scale";
import { patternOf } from "../../charts/sections";
import { Stage, StageContext, useStage } from "../../charts/stage";
import { Swatch } from "../../charts/tooltip";
import type { Reach } from "../../charts/window";
import { changeView, useZoom } from "../../charts/zoom";
import { useSettled } from "../../parts/picker";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import type { RunRow } from "../../state/rows";
import { useKeys } from "../charts/keys";
import { curveOf, gridOf, type Curve } from "./aggregate";
import { useMetric } from "./data";
import { Near } from "./near";
import { chartsOf, fieldsOf, type By, type Group } from "./groups";
import { FieldChoice, Flag, WordChoice } from "./controls";

const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4]];
/** Metrics are looked for in so many of the runs. */
const ASKED = 200;
const HEIGHT = 280;
/** Milliseconds that a zoom stands still before its points are asked for. */
const RESTED = 150;

export function Curves({ runs }: { runs: readonly RunRow[] }) {
  const stage = useMemo(() => new Stage(), []);
  const [colour, setColour] = useParam(PARAMS.colourBy);
  const [dash, setDash] = useParam(PARAMS.dashBy);
  const [charts, setCharts] = useParam(PARAMS.chartsBy);
  const [text, setText] = useParam(PARAMS.metrics);
  const fields = useMemo(() => fieldsOf(runs), [runs]);
  const keys = useKeys(runs.slice(0, ASKED).map((run) => run.id), false);
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
      {keys.error !== null && <Failed error={keys.error} retry={keys.retry} />}
      {keys.loading && metrics.length === 0 && <Loading what="metrics" />}
      {!keys.loading && metrics.length === 0 && <Empty>{text === "" ? "These runs have no metrics yet." : "No metric matches."}</Empty>}
      {metrics.map((metric) => (
        <Near key={metric} height={HEIGHT + 98}>
          {() => <Metric metric={metric} runs={runs} by={by} />}
        </Near>
      ))}
    </StageContext.Provider>
  );
}

function Metric({ metric, runs, by }: { metric: string; runs: readonly RunRow[]; by: By }) {
  const zoom = useZoom("step");
  const ids = useMemo(() => runs.map((run) => run.id), [runs]);
  const found = useMetric(metric, ids, useSettled(zoom, RESTED));
  const charts = useMemo(() => {
    if (found.data === null) return [];
    const buckets = found.data;
    const places = new Map(ids.map((id, at) => [id, at]));
    const having = runs.filter((run) => (buckets[places.get(run.id) ?? -1]?.count.length ?? 0) > 0);
    return chartsOf(having, by).map((chart) => ({
      ...chart,
      groups: chart.groups.map((group) => ({ group, buckets: group.runs.flatMap((run) => buckets[places.get(run.id) ?? -1] ?? []) })),
    }));
  }, [found.data, runs, ids, by]);
  const [middle] = useParam(PARAMS.middle);
  const [spread] = useParam(PARAMS.spread);
  const drawn = useMemo(() => {
    const grid = gridOf(charts.flatMap((chart) => chart.groups.flatMap((each) => each.buckets)));
    if (grid === null) return { width: 1, charts: [] };
    const curves = charts.map((chart) => ({ name: chart.name, groups: chart.groups.map(({ group, buckets }) => ({ group, curve: curveOf(buckets, grid, middle, spread) })) }));
    return { width: grid.width, charts: curves };
  }, [charts, middle, spread]);
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what={metric} />;
  if (drawn.charts.length === 0) return <Empty>No points of {metric}.</Empty>;
  return (
    <div class="groups-of">
      {drawn.charts.map((chart) => (
        <Chart key={chart.name} title={chart.name === "" ? metric : `${metric} · ${chart.name}`} groups={chart.groups} width={drawn.width} zoom={zoom} />
      ))}
    </div>
  );
}

interface Drawn {
  group: Group<RunRow>;
  curve: Curve;
}

function Chart({ title, groups, width, zoom }: { title: string; groups: readonly Drawn[]; width: number; zoom: Reach | null }) {
  const stage = useStage();
  const dark = useDark();
  const [logY] = useParam(PARAMS.logY);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => groups.filter(({ group }) => !hidden.has(group.name)).map((each) => lineOf(each, dark)), [groups, dark, hidden]);
  const view = useMemo((): View => {
    const x = zoom === null ? xScale(xExtent(lines, false), false) : { ...zoom, log: false };
    return { lines, x, y: yScale(lines, x, { log: logY, band: true, clip: false }).scale, xKind: "step", xTitle: "Step", bands: true };
  }, [lines, zoom, logY]);
  const toggle = (name: string) => setHidden(new Set(hidden.has(name) ? [...hidden].filter((each) => each !== name) : [...hidden, name]));
  return (
    <article class="chart-card" aria-label={title}>
      <header>
        <h3 title={title}>{title}</h3>
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
      <Notes groups={groups} width={width} />
      <ul class="chart-legend" aria-label="Legend">
        {groups.map(({ group, curve }) => (
          <li key={group.name}>
            <button type="button" aria-pressed={!hidden.has(group.name)} title={group.name} onClick={() => toggle(group.name)}>
              <Swatch ink={inkOfGroup(group, dark)} dash={DASHES[group.dash % DASHES.length] ?? []} />
              <span>{nOf(group, curve)}</span>
            </button>
          </li>
        ))}
      </ul>
    </article>
  );
}

/** What must be said of how the runs were put together. */
function Notes({ groups, width }: { groups: readonly Drawn[]; width: number }) {
  const [spread] = useParam(PARAMS.spread);
  const bands = { range: "band: lowest to highest point", std: "band: mean ± standard deviation of the runs", ci: "band: 95 % confidence of the mean (Student's t)", none: "" };
  const uneven = groups.some(({ curve }) => curve.runs.some((count) => count < curve.most));
  const notes = [
    width === 1 ? "runs are aligned step by step" : `runs are aligned in cells of ${whole(width)} steps`,
    "between its points a run is a straight line",
    uneven ? "a run counts from its first to its last step only, so n is less at some steps" : "",
    bands[spread],
  ];
  return <p class="chart-notes">{notes.filter((note) => note !== "").join(" · ")}</p>;
}

function nOf(group: Group<RunRow>, curve: Curve): string {
  const least = curve.runs.reduce((fewest, count) => Math.min(fewest, count), curve.most);
  return `${group.name} · n = ${counted(group.runs.length, "run")}${least < group.runs.length ? ` (${whole(least)} at least)` : ""}`;
}

function inkOfGroup(group: Group<RunRow>, dark: boolean): string {
  return COLOURS[group.colour % COLOURS.length]?.[dark ? 1 : 0] ?? "#888888";
}

function lineOf({ group, curve }: Drawn, dark: boolean): Line {
  return {
    key: group.name,
    name: nOf(group, curve),
    ink: inkOfGroup(group, dark),
    dash: DASHES[group.dash % DASHES.length] ?? [],
    x: curve.x,
    y: curve.y,
    raw: null,
    low: curve.low,
    high: curve.high,
    least: curve.x[0] ?? 0,
    greatest: curve.x.at(-1) ?? 0,
    marks: { x: new Float64Array(0), kind: new Uint8Array(0), counts: [0, 0, 0, 0] },
    source: null,
    rows: null,
    origin: 0,
    lost: 0,
  };
}

// Parallel coordinates: an axis for each chosen field, a line for each run.

import { useMemo, useState } from "preact/hooks";
import { colourOf, dashOf, ownStyle, type Style } from "../../charts/colours";
import { whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import type { RunRow } from "../../state/rows";
import { axisOf, metricOf, textOfField, type Axis } from "./axes";
import { FieldChoice } from "./controls";
import { useCompared } from "./data";
import { ASKED, useFields } from "./fields";
import { fieldOf } from "./groups";
import { cut } from "./scatter";

const [WIDTH, HEIGHT] = [1200, 480];
const BOX = { left: 70, top: 40, width: WIDTH - 190, height: HEIGHT - 70 };
/** Lines that are drawn. */
const MOST = 1000;

export function Parallel({ runs }: { runs: readonly RunRow[] }) {
  const fields = useFields(runs);
  const [chosen, setChosen] = useParam(PARAMS.axes);
  const axes = useMemo(() => (chosen.length > 0 ? [...chosen] : usual(runs, fields)), [chosen, runs, fields]);
  const found = useCompared(axes.flatMap((field) => metricOf(field)?.metric ?? []));
  return (
    <>
      <div class="choose">
        <FieldChoice label="Add an axis" fields={fields.filter((field) => !axes.includes(field))} value="" set={(field) => field !== "" && setChosen([...axes, field])} none="Choose" />
        {axes.map((field) => (
          <button key={field} type="button" aria-label={`Remove the axis ${field}`} onClick={() => setChosen(axes.filter((each) => each !== field))}>
            {cut(field, 40)} ×
          </button>
        ))}
      </div>
      {runs.length > ASKED && <p class="faint">The metrics to choose from are those of the first {ASKED} of these runs.</p>}
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {axes.length < 2 && <Empty>Choose two axes or more.</Empty>}
      {found.data === null ? <Loading what="lines" /> : axes.length >= 2 && <Lines runs={found.data.runs.slice(0, MOST)} styles={found.data.styles} fields={axes} all={found.data.runs.length} />}
    </>
  );
}

/** Params that differ, and the last value of the first metric. */
function usual(runs: readonly RunRow[], fields: readonly string[]): string[] {
  const params = fields.filter((field) => field.startsWith("params.") && new Set(runs.map((run) => fieldOf(run, field))).size > 1);
  return [...params.slice(0, 5), ...fields.filter((field) => metricOf(field)?.aggregate === "last").slice(0, 1)];
}

function Lines({ runs, styles, fields, all }: { runs: readonly RunRow[]; styles: ReadonlyMap<string, Style>; fields: readonly string[]; all: number }) {
  const [pointed, setPointed] = useState<string | null>(null);
  const named = runs.find((run) => run.id === pointed) ?? null;
  const axes = useMemo(() => fields.map((field) => axisOf(runs, field, false, 7)), [runs, fields]);
  const across = (nth: number) => BOX.left + (nth / (axes.length - 1)) * BOX.width;
  const up = (place: number) => BOX.top + (1 - place) * BOX.height;
  const lines = useMemo(
    () =>
      runs
        .map((run) => ({ run, style: styles.get(run.id) ?? ownStyle(run.id), path: pathOf(axes, run, across, up) }))
        .filter(({ path }) => path !== ""),
    [runs, styles, axes],
  );
  return (
    <>
      <div class="drawing">
        <svg class="points lines" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Lines of ${lines.length} runs over ${fields.join(", ")}`} onPointerLeave={() => setPointed(null)}>
          {lines.map(({ run, style, path }) => (
            <path key={run.id} d={path} class={named === null ? undefined : named.id === run.id ? "on" : "off"} style={{ stroke: colourOf(style), strokeDasharray: dashOf(style).join(" ") }} onPointerEnter={() => setPointed(run.id)}>
              <title>{run.name}</title>
            </path>
          ))}
          {axes.map((axis, nth) => (
            <g key={axis.field}>
              <line x1={across(nth)} x2={across(nth)} y1={BOX.top} y2={BOX.top + BOX.height} />
              <text class="title" x={across(nth)} y={20} text-anchor="middle">
                {cut(axis.field, Math.max(8, Math.floor(150 / axes.length)))}
              </text>
              {axis.ticks.map((tick) => (
                <text key={tick.place} x={across(nth) + 6} y={up(tick.place) + 4}>
                  {cut(tick.text, 14)}
                </text>
              ))}
            </g>
          ))}
        </svg>
      </div>
      <p class="named" aria-live="polite">
        {named === null ? "Point at a line to see its run." : `${named.name}: ${fields.map((field) => `${field} = ${textOfField(named, field)}`).join(", ")}`}
      </p>
      {all > runs.length && <p class="faint">The first {whole(runs.length)} runs are drawn.</p>}
      {lines.length < runs.length && <p class="faint">{whole(runs.length - lines.length)} runs have none of these, or only one that is finite.</p>}
    </>
  );
}

/** A line with a gap wherever the run has no value; "" where no two neighbours have one. */
function pathOf(axes: readonly Axis[], run: RunRow, across: (nth: number) => number, up: (place: number) => number): string {
  let path = "";
  let pen = false;
  let drawn = 0;
  axes.forEach((axis, nth) => {
    const place = axis.place(run);
    if (Number.isNaN(place)) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${across(nth)} ${up(place)}`;
    if (pen) drawn++;
    pen = true;
  });
  return drawn === 0 ? "" : path;
}

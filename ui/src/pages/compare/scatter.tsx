// Every run as a point between two fields. Hovering or focusing a point names its run.

import { useMemo, useState } from "preact/hooks";
import { colourOf, ownStyle, type Style } from "../../charts/colours";
import { whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { go, link } from "../../state/route";
import type { RunRow } from "../../state/rows";
import { axisOf, metricOf, textOfField } from "./axes";
import { FieldChoice, Flag } from "./controls";
import { useCompared } from "./data";
import { ASKED, useFields } from "./fields";

const [WIDTH, HEIGHT] = [960, 520];
const BOX = { left: 90, top: 14, width: WIDTH - 110, height: HEIGHT - 64 };

export function Scatter({ runs }: { runs: readonly RunRow[] }) {
  const fields = useFields(runs);
  const [chosenX, setX] = useParam(PARAMS.scatterX);
  const [chosenY, setY] = useParam(PARAMS.scatterY);
  const x = chosenX === "" ? (fields[0] ?? "") : chosenX;
  const y = chosenY === "" ? (fields.find((field) => metricOf(field) !== null) ?? fields[1] ?? "") : chosenY;
  const metrics = [x, y].flatMap((field) => metricOf(field)?.metric ?? []);
  const found = useCompared(metrics);
  return (
    <>
      <div class="choose">
        <FieldChoice label="X" fields={fields} value={chosenX} set={setX} none={`${x} (first)`} />
        <FieldChoice label="Y" fields={fields} value={chosenY} set={setY} none={`${y} (first)`} />
        <Flag label="Log x" param={PARAMS.logX} />
        <Flag label="Log y" param={PARAMS.logY} />
      </div>
      {runs.length > ASKED && <p class="faint">The metrics to choose from are those of the first {ASKED} of these runs.</p>}
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null ? <Loading what="points" /> : <Points runs={found.data.runs} styles={found.data.styles} x={x} y={y} />}
    </>
  );
}

function Points({ runs, styles, x, y }: { runs: readonly RunRow[]; styles: ReadonlyMap<string, Style>; x: string; y: string }) {
  const [logX] = useParam(PARAMS.logX);
  const [logY] = useParam(PARAMS.logY);
  const [pointed, setPointed] = useState<string | null>(null);
  const named = runs.find((run) => run.id === pointed) ?? null;
  const across = useMemo(() => axisOf(runs, x, logX, 9), [runs, x, logX]);
  const up = useMemo(() => axisOf(runs, y, logY, 8), [runs, y, logY]);
  const points = useMemo(() => runs.map((run) => ({ run, at: [across.place(run), up.place(run)] as const })).filter(({ at }) => at.every((place) => !Number.isNaN(place))), [runs, across, up]);
  if (points.length === 0) return <Empty>No run has both of these.</Empty>;
  const left = (place: number) => BOX.left + place * BOX.width;
  const top = (place: number) => BOX.top + (1 - place) * BOX.height;
  return (
    <>
      <div class="drawing">
        <svg class="points" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={`${y} over ${x}`}>
          {across.ticks.map((tick) => (
            <g key={tick.place}>
              <line x1={left(tick.place)} x2={left(tick.place)} y1={BOX.top} y2={BOX.top + BOX.height} />
              <text x={left(tick.place)} y={BOX.top + BOX.height + 18} text-anchor="middle">
                {cut(tick.text, 14)}
              </text>
            </g>
          ))}
          {up.ticks.map((tick) => (
            <g key={tick.place}>
              <line x1={BOX.left} x2={BOX.left + BOX.width} y1={top(tick.place)} y2={top(tick.place)} />
              <text x={BOX.left - 8} y={top(tick.place) + 4} text-anchor="end">
                {cut(tick.text, 12)}
              </text>
            </g>
          ))}
          <text class="title" x={BOX.left + BOX.width / 2} y={HEIGHT - 10} text-anchor="middle">
            {cut(x, 90)}
          </text>
          <text class="title" transform={`translate(14 ${BOX.top + BOX.height / 2}) rotate(-90)`} text-anchor="middle">
            {cut(y, 60)}
          </text>
          {points.map(({ run, at: [px, py] }) => (
            <a key={run.id} href={link(["runs", run.id])} aria-label={`${run.name}: ${x} ${textOfField(run, x)}, ${y} ${textOfField(run, y)}`}
              onPointerEnter={() => setPointed(run.id)} onFocus={() => setPointed(run.id)} onClick={(event) => open(event, run)}>
              <circle cx={left(px)} cy={top(py)} r={named?.id === run.id ? 8 : 5} style={{ fill: colourOf(styles.get(run.id) ?? ownStyle(run.id)) }}>
                <title>{run.name}</title>
              </circle>
            </a>
          ))}
        </svg>
      </div>
      <p class="named" aria-live="polite">
        {named === null ? "Point at a run to see its name." : `${named.name}: ${x} = ${textOfField(named, x)}, ${y} = ${textOfField(named, y)}`}
      </p>
      {points.length < runs.length && <p class="faint">{whole(runs.length - points.length)} runs have no place here: one of the two is missing{logX || logY ? ", not finite or not above 0" : " or not finite"}.</p>}
    </>
  );
}

/** Links within a drawing belong to the drawing's own document: go there by hand. */
function open(event: MouseEvent, run: RunRow): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go({ path: ["runs", run.id], query: new URLSearchParams(link([]).split("?")[1] ?? "") });
}

export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

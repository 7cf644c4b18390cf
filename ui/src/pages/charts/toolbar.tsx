// What belongs to all cards: settings, which metrics, how they stand, and how running runs are followed.

import { Controls } from "../../charts/controls";
import { ResetZoom } from "../../charts/reset";
import { setChartSettings, type ChartSettings } from "../../charts/settings";
import { PARAMS, useParam } from "../../state/params";

interface ToolbarProps {
  settings: ChartSettings;
  metrics: readonly string[];
  /** Why the pattern is no regular expression. */
  broken: string | null;
  found: number;
}

export function Toolbar({ settings, metrics, broken, found }: ToolbarProps) {
  const [pattern, setPattern] = useParam(PARAMS.metrics);
  return (
    <div class="chart-toolbar" role="toolbar" aria-label="Charts">
      <label class="chart-control">
        Metrics
        <input
          type="search"
          value={pattern}
          placeholder="loss|accuracy"
          title="A regular expression; capitals do not matter"
          aria-invalid={broken !== null}
          onInput={(event) => setPattern(event.currentTarget.value, { replace: true })}
        />
        <output>{broken === null ? `${found} of ${metrics.length}` : <span class="bad">{broken}</span>}</output>
      </label>
      <Controls settings={settings} change={setChartSettings} metrics={metrics} id="all" />
      <ResetZoom />
      <span class="space" />
      <Layout />
    </div>
  );
}

const PACES = [0, 1, 2, 5, 15, 60];

function Layout() {
  const [columns, setColumns] = useParam(PARAMS.columns);
  const [height, setHeight] = useParam(PARAMS.height);
  const [live, setLive] = useParam(PARAMS.live);
  return (
    <>
      <label class="chart-control">
        Columns
        <select value={columns} onChange={(event) => setColumns(Number(event.currentTarget.value))}>
          {[1, 2, 3, 4].map((count) => (
            <option key={count}>{count}</option>
          ))}
        </select>
      </label>
      <label class="chart-control">
        Height
        <input
          type="range"
          min="160"
          max="720"
          step="20"
          value={height}
          onInput={(event) => setHeight(Number(event.currentTarget.value), { replace: true })}
        />
      </label>
      <label class="chart-control">
        Live
        <select value={live} onChange={(event) => setLive(Number(event.currentTarget.value))}>
          {PACES.map((seconds) => (
            <option key={seconds} value={seconds}>
              {seconds === 0 ? "off" : `every ${seconds} s`}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

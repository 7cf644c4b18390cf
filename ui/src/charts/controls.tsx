// The controls of chart settings: the same for all cards and for one.

import type { ChartSettings, Method, XAxis } from "./settings";
import { AXES, METHODS } from "./settings";

interface ControlsProps {
  settings: ChartSettings;
  change: (some: Partial<ChartSettings>, options?: { replace?: boolean }) => void;
  /** The metrics that may run along the bottom. */
  metrics: readonly string[];
  /** Tells the controls of several cards apart. */
  id: string;
}

export function Controls({ settings, change, metrics, id }: ControlsProps) {
  const { x, xMetric, logX, logY, method, smoothing, line, band, clip } = settings;
  return (
    <>
      <label class="chart-control">
        X axis
        <select value={x} onChange={(event) => change({ x: event.currentTarget.value as XAxis })}>
          {AXES.map(([word, title]) => (
            <option key={word} value={word}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {x === "metric" && (
        <label class="chart-control">
          Metric
          <input list={`${id}-metrics`} value={xMetric} placeholder="epoch" onChange={(event) => change({ xMetric: event.currentTarget.value })} />
          <datalist id={`${id}-metrics`}>
            {metrics.slice(0, 500).map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </label>
      )}
      <Toggle on={logX} set={(on) => change({ logX: on })} title="Logarithmic x axis" text="Log x" />
      <Toggle on={logY} set={(on) => change({ logY: on })} title="Logarithmic y axis" text="Log y" />
      <label class="chart-control">
        Smoothing
        <select aria-label="Kind of smoothing" value={method} onChange={(event) => change({ method: event.currentTarget.value as Method })}>
          {METHODS.map(([word, title]) => (
            <option key={word} value={word}>
              {title}
            </option>
          ))}
        </select>
        <input
          type="range"
          aria-label="Smoothing"
          min="0"
          max="0.999"
          step="0.001"
          value={smoothing}
          onInput={(event) => change({ smoothing: Number(event.currentTarget.value) }, { replace: true })}
        />
        <output>{smoothing}</output>
      </label>
      <Toggle on={band} set={(on) => change({ band: on })} title="The band from the lowest to the highest value of each bucket" text="Band" />
      <Toggle on={line === "last"} set={(on) => change({ line: on ? "last" : "mean" })} title="The line goes through the last value of each bucket instead of its mean" text="Last value" />
      <Toggle on={clip} set={(on) => change({ clip: on })} title="Leave the lowest and the highest 5 % of the values out of the y axis" text="Clip outliers" />
    </>
  );
}

export function Toggle({ on, set, title, text }: { on: boolean; set: (on: boolean) => void; title: string; text: string }) {
  return (
    <button type="button" class="chart-toggle" aria-pressed={on} title={title} onClick={() => set(!on)}>
      {text}
    </button>
  );
}

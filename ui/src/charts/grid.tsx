// Cards side by side, one per metric. Only those in or near the view are mounted.

import type { ChartSettings } from "./settings";
import type { Shown } from "./shown";
import { Card } from "./card";

export interface GridProps {
  metrics: readonly string[];
  /** The runs of every metric, or what tells them. */
  runs: readonly Shown[] | ((metric: string) => readonly Shown[]);
  settings: ChartSettings;
  columns?: number;
  height?: number;
}

export function ChartGrid({ metrics, runs, settings, columns = 3, height = 260 }: GridProps) {
  return (
    <div class="grid" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
      {metrics.map((metric) => (
        <Card key={metric} metric={metric} runs={typeof runs === "function" ? runs(metric) : runs} settings={settings} height={height} />
      ))}
    </div>
  );
}

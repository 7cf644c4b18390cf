// Cards side by side, one per metric. Only those in or near the view are mounted and ask the server.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Apart } from "./apart";
import { Card } from "./card";
import type { ChartSettings } from "./settings";
import type { Choosing } from "./shown";
import { StageContext, useStage } from "./stage";

export interface GridProps {
  metrics: readonly string[];
  /** What a card of a metric draws. */
  linesOf: (metric: string) => Apart;
  settings: ChartSettings;
  columns?: number;
  height?: number;
  choosing?: Choosing;
  /** Offered as x axis; all of these where absent. */
  allMetrics?: readonly string[];
  /** More buttons for a card's head. */
  tools?: (metric: string) => ComponentChildren;
  /** A card was dropped before another. */
  move?: (metric: string, before: string) => void;
}

/** What a card has besides its drawing: head, notes and legend. */
export const AROUND = 98;
/** As in the style sheet. */
const GAP = 8;
/** CSS pixels: where there is no room for so many cards of this width beside each other, there are fewer. */
const LEAST = 200;
const DRAGGED = "application/x-stepwell-metric";

/** So many cards are looked after together: in a section of thousands, what is far away is one empty box for each. */
const BLOCK = 24;

export function ChartGrid(props: GridProps) {
  const { metrics, columns: wanted = 3, height = 260 } = props;
  const stage = useStage();
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(wanted);
  useLayoutEffect(
    () => (box.current === null ? undefined : stage.widths.of(box.current, (width) => setRoom(Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)))))),
    [stage],
  );
  const columns = Math.min(wanted, room);
  const blocks = Array.from({ length: Math.ceil(metrics.length / BLOCK) }, (_, n) => metrics.slice(n * BLOCK, (n + 1) * BLOCK));
  return (
    <StageContext.Provider value={stage}>
      <div class="chart-blocks" ref={box}>
        {blocks.map((some, n) => (
          <Near key={n} height={Math.ceil(some.length / columns) * (height + AROUND + GAP) - GAP}>
            {() => <Block {...props} columns={columns} metrics={some} allMetrics={props.allMetrics ?? metrics} />}
          </Near>
        ))}
      </div>
    </StageContext.Provider>
  );
}

function Block({ metrics, linesOf, settings, columns = 3, height = 260, choosing, allMetrics, tools, move }: GridProps) {
  return (
    <div class="chart-grid" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
      {metrics.map((metric) => (
        <Near key={metric} height={height + AROUND} drop={move && ((other) => move(other, metric))}>
          {() => (
            <Card
              metric={metric}
              runs={linesOf(metric).lines}
              leftOut={linesOf(metric).leftOut}
              settings={settings}
              height={height}
              metrics={allMetrics ?? metrics}
              {...(choosing === undefined ? {} : { choosing })}
              tools={tools?.(metric)}
            />
          )}
        </Near>
      ))}
    </div>
  );
}

/** What a handle must do for its card to be dragged. */
export function dragged(event: DragEvent, metric: string): void {
  event.dataTransfer?.setData(DRAGGED, metric);
  event.dataTransfer?.setData("text/plain", metric);
}

interface NearProps {
  height: number;
  drop?: ((metric: string) => void) | undefined;
  children: () => ComponentChildren;
}

/** Mounts its child while it is in view or not far from it. */
export function Near({ height, drop, children }: NearProps) {
  const box = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(false);
  const [over, setOver] = useState(false);
  const { nearness } = useStage();
  useLayoutEffect(() => (box.current === null ? undefined : nearness.of(box.current, setNear)), [nearness]);
  const dropping = drop && {
    onDragOver: (event: DragEvent) => {
      if (event.dataTransfer?.types.includes(DRAGGED) !== true) return;
      event.preventDefault();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      drop(event.dataTransfer?.getData(DRAGGED) ?? "");
    },
  };
  return (
    <div ref={box} class={over ? "chart-near target" : "chart-near"} style={{ minHeight: `${height}px` }} {...dropping}>
      {near && children()}
    </div>
  );
}

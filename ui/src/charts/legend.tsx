// The runs of a card below it: click hides, click with Alt isolates, the pointer highlights the line everywhere.

import { ownStyle } from "./colours";
import { keyOf, stylesIn, type Choosing, type Shown } from "./shown";
import type { Stage } from "./stage";
import { StyleSwatch } from "./tooltip";

/** So many characters, of any script, have room. Each piece that may be cut off costs every frame of the page. */
const SHORT = 16;

interface LegendProps {
  runs: readonly Shown[];
  dark: boolean;
  choosing: Choosing;
  stage: Stage;
}

export function Legend({ runs, dark, choosing, stage }: LegendProps) {
  const keys = runs.map(keyOf);
  const styles = stylesIn(runs);
  return (
    <ul class="chart-legend" aria-label="Legend">
      {runs.map((run, at) => (
        <li key={keys[at]}>
          <button
            type="button"
            aria-pressed={run.hidden !== true}
            title={`${nameOf(run)}\nClick: hide or show. Alt and click: this one alone.`}
            onClick={(event) => (event.altKey ? choosing.isolate(run) : choosing.toggle(run))}
            onPointerEnter={() => stage.highlighted.tell(keys[at] ?? null)}
            onPointerLeave={() => stage.highlighted.tell(null)}
            onFocus={() => stage.highlighted.tell(keys[at] ?? null)}
            onBlur={() => stage.highlighted.tell(null)}
          >
            <StyleSwatch style={styles[at] ?? ownStyle(run.id)} dark={dark} />
            <span class={nameOf(run).length > SHORT ? "long" : undefined}>{nameOf(run)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function nameOf(run: Shown): string {
  return run.group === undefined ? run.name : `${run.group} · ${run.name}`;
}

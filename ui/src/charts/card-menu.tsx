// What a card offers behind its button: settings of its own, and files.

import { useState } from "preact/hooks";
import { Controls } from "./controls";
import { png, save, svg, type Sheet } from "./export";
import type { FeedState } from "./feed";
import { Menu } from "./menu";
import type { Plot, View } from "./plot";
import { csv } from "./points-csv";
import type { ChartSettings, Override } from "./settings";
import { keyOf, type Shown } from "./shown";
import type { Window } from "./source";
import { changeView } from "./zoom";
import { exactWindow } from "./window";

interface CardMenuProps {
  title: string;
  metric: string;
  runs: readonly Shown[];
  settings: ChartSettings;
  own: Override;
  view: View;
  plot: { current: Plot | null };
  metrics: readonly string[];
  state: FeedState;
}

export function CardMenu(props: CardMenuProps) {
  const { title, metric, runs, settings, own, view, plot, metrics, state } = props;
  const [doing, setDoing] = useState("");
  const change = (some: Partial<ChartSettings>, options?: { replace?: boolean }) =>
    changeView({ metric, own: { ...own, settings: { ...own.settings, ...some } } }, options);
  const bring = async (kind: "PNG" | "SVG" | "CSV") => {
    setDoing(`Making the ${kind}…`);
    const made = await file(kind, { title, metric, view, plot: plot.current, state, runs, settings });
    if (made instanceof Blob) save(made, `${title}.${kind.toLowerCase()}`);
    setDoing(made instanceof Blob ? "" : made);
  };
  const special = Object.keys(own.settings).length > 0 || own.y !== null;
  return (
    <Menu label={`More about ${title}`} text="⋯">
      <div class="chart-menu-row" role="group" aria-label="Save">
        Save as
        {(["PNG", "SVG", "CSV"] as const).map((kind) => (
          <button key={kind} type="button" onClick={() => void bring(kind)} title={kind === "CSV" ? "Every point of the visible window" : undefined}>
            {kind}
          </button>
        ))}
        <span role="status">{doing}</span>
      </div>
      <div class="chart-menu-controls" role="group" aria-label="Settings of this card">
        <Controls settings={settings} change={change} metrics={metrics} id={metric} />
      </div>
      <button type="button" disabled={!special} onClick={() => changeView({ metric, own: { settings: {}, y: null } })}>
        As all cards
      </button>
    </Menu>
  );
}

interface Asked {
  title: string;
  metric: string;
  view: View;
  plot: Plot | null;
  state: FeedState;
  runs: readonly Shown[];
  settings: ChartSettings;
}

/** The file, or what went wrong in words. */
async function file(kind: "PNG" | "SVG" | "CSV", asked: Asked): Promise<Blob | string> {
  const { title, metric, view, plot, state, runs, settings } = asked;
  if (kind === "CSV") {
    const drawn = new Set(runs.map(keyOf));
    const wanted = state.held.flatMap(({ run, whole }): { run: Shown; window: Window }[] =>
      drawn.has(keyOf(run)) ? [{ run, window: exactWindow(whole, run, settings, view.x) }] : [],
    );
    const made = await csv(metric, wanted, new AbortController().signal);
    return made instanceof Blob ? made : made.message;
  }
  if (plot === null) return "The chart is not drawn.";
  const sheet = sheetOf(title, view, plot);
  if (kind === "SVG") return new Blob([svg(sheet)], { type: "image/svg+xml" });
  return (await png(sheet, plot.canvas(), plot.ratio())) ?? "The browser cannot make the picture.";
}

function sheetOf(title: string, view: View, plot: Plot): Sheet {
  const ratio = plot.ratio();
  const { box, x, y } = plot.frame();
  const small = { left: box.left / ratio, top: box.top / ratio, width: box.width / ratio, height: box.height / ratio };
  const canvas = plot.canvas();
  return {
    title,
    width: canvas.width / ratio,
    height: canvas.height / ratio,
    frame: { box: small, x, y },
    lines: view.lines,
    bands: view.bands,
    ticks: plot.labels(),
    xTitle: view.xTitle,
    ...plot.inksNow(),
  };
}

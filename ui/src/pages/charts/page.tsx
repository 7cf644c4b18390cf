// The workspace of charts: runs at the left, sections of cards at the right.

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Apart } from "../../charts/apart";
import { ChartGrid, dragged } from "../../charts/grid";
import { Card } from "../../charts/card";
import { useDark } from "../../charts/dark";
import { useApart, useLabelSets } from "../../charts/labelled";
import { moved, patternOf, sectionsOf, stepped, withMove, type Section } from "../../charts/sections";
import { useChartSettings, type ChartSettings } from "../../charts/settings";
import type { Choosing, Shown } from "../../charts/shown";
import { Stage, StageContext } from "../../charts/stage";
import { alone } from "../../parts/alone";
import { Empty, Failed, Loading } from "../../parts/states";
import { candidatesOf, useChosenRuns, type Chosen } from "../../state/chosen";
import { PARAMS, useParam } from "../../state/params";
import { link } from "../../state/route";
import "./page.css";
import { useKeys } from "./keys";
import { RunList } from "./runlist";
import { Toolbar } from "./toolbar";

export function ChartsPage() {
  const stage = useMemo(() => new Stage(), []);
  const [live] = useParam(PARAMS.live);
  useEffect(() => stage.live.start(), [stage]);
  useEffect(() => stage.live.every(live), [stage, live]);
  const chosen = useChosenRuns();
  const dark = useDark();
  return (
    <StageContext.Provider value={stage}>
      <div class="workspace">
        <RunList chosen={chosen} stage={stage} dark={dark} />
        <Cards chosen={chosen} />
      </div>
    </StageContext.Provider>
  );
}

function Cards({ chosen }: { chosen: Chosen }) {
  const settings = useChartSettings();
  const runs = useShown(chosen);
  const [shown] = useParam(PARAMS.shown);
  const [from] = useParam(PARAMS.from);
  const named = useMemo(() => candidatesOf({ shown, hidden: [], from }, []), [shown, from]);
  // Runs that the address names need not be found first.
  const ids = named.length > 0 ? named : runs.map((run) => run.id);
  const running = runs.some((run) => run.running);
  const keys = useKeys(ids, running);
  const sets = useLabelSets(ids, running);
  const [text] = useParam(PARAMS.metrics);
  const [moves] = useParam(PARAMS.cardOrder);
  const [pinned] = useParam(PARAMS.pinned);
  const pattern = useMemo(() => patternOf(text), [text]);
  // Metrics may be known before their runs are: a card without runs would say that none is chosen.
  const metrics = useMemo(() => [...keys.runsOf].filter(([, having]) => runs.some((run) => having.has(run.id))).map(([metric]) => metric), [runs, keys.runsOf]);
  const sections = useMemo(() => {
    const matching = typeof pattern === "string" ? metrics : metrics.filter((metric) => pattern.test(metric));
    const free = sectionsOf(matching.filter((metric) => !pinned.includes(metric)), moves);
    const first = moved(pinned.filter((metric) => matching.includes(metric)), moves);
    return { free, first, count: matching.length };
  }, [metrics, pattern, moves, pinned]);
  const linesOf = useApart(useRunsOf(runs, keys.runsOf), sets);
  const choosing = useMemo((): Choosing => ({ toggle: (run) => chosen.toggle(run.id), isolate: (run) => chosen.isolate(run.id) }), [chosen]);
  const common = { settings, linesOf, choosing, metrics };
  return (
    <div class="chart-cards">
      <Toolbar settings={settings} metrics={metrics} broken={typeof pattern === "string" ? pattern : null} found={sections.count} />
      <State chosen={chosen} keys={keys} found={sections.count} all={metrics.length} />
      {sections.first.length > 0 && <Part name="Pinned" id="*" section={{ name: "*", metrics: sections.first }} {...common} />}
      {sections.free.map((section) => (
        <Part key={section.name} name={section.name === "" ? "General" : section.name} id={section.name} section={section} {...common} />
      ))}
      <Full {...common} />
    </div>
  );
}

/** Loading, failed and empty. */
function State({ chosen, keys, found, all }: { chosen: Chosen; keys: ReturnType<typeof useKeys>; found: number; all: number }) {
  const error = chosen.error ?? keys.error;
  if (error !== null) return <Failed error={error} retry={chosen.error === null ? keys.retry : chosen.retry} />;
  if (all === 0 && (chosen.loading || keys.loading)) return <Loading what="charts" />;
  if (chosen.candidates.length === 0) {
    return (
      <Empty>
        No runs to draw. <a href={link(["runs"])}>Choose some</a>, or log the first one.
      </Empty>
    );
  }
  if (all === 0) return <Empty>These runs have no metrics yet.</Empty>;
  return found === 0 ? <Empty>No metric matches.</Empty> : null;
}

/** The chosen runs as charts want them; the same list until something of it changes. */
function useShown(chosen: Chosen): readonly Shown[] {
  const drawn = new Set(chosen.runs.map((row) => row.id));
  const said = JSON.stringify(
    chosen.candidates.map((row) => ({
      id: row.id,
      name: row.name,
      startTimeUs: row.startTimeUs,
      running: row.status === "RUNNING",
      hidden: !drawn.has(row.id),
      style: chosen.styles.get(row.id),
    })),
  );
  return useMemo(() => JSON.parse(said) as Shown[], [said]);
}

/** The runs that have a metric. */
function useRunsOf(runs: readonly Shown[], having: ReadonlyMap<string, ReadonlySet<string>>): (metric: string) => readonly Shown[] {
  return useCallback((metric) => runs.filter((run) => having.get(metric)?.has(run.id) === true), [runs, having]);
}

interface Common {
  settings: ChartSettings;
  linesOf: (metric: string) => Apart;
  choosing: Choosing;
  metrics: readonly string[];
}

function Part({ name, id, section, settings, linesOf, choosing, metrics }: Common & { name: string; id: string; section: Section }) {
  const [closed, setClosed] = useParam(PARAMS.closed);
  const [columns] = useParam(PARAMS.columns);
  const [height] = useParam(PARAMS.height);
  const [moves, setMoves] = useParam(PARAMS.cardOrder);
  const open = !closed.includes(id === "" ? "-" : id);
  const mark = id === "" ? "-" : id;
  const step = (metric: string, by: -1 | 1) => setMoves(stepped(moves, section.metrics, metric, by));
  return (
    <section class="chart-part" aria-label={name}>
      <h2>
        <button type="button" aria-expanded={open} onClick={() => setClosed(open ? [...closed, mark] : closed.filter((each) => each !== mark))}>
          <span aria-hidden="true">{open ? "▾" : "▸"}</span> {name} <span class="faint">{section.metrics.length}</span>
        </button>
      </h2>
      {open && (
        <ChartGrid
          metrics={section.metrics}
          linesOf={linesOf}
          settings={settings}
          columns={columns}
          height={height}
          choosing={choosing}
          allMetrics={metrics}
          tools={(metric) => <Tools metric={metric} step={(by) => step(metric, by)} />}
          move={(metric, before) => metric !== "" && metric !== before && setMoves(withMove(moves, metric, before))}
        />
      )}
    </section>
  );
}

/** The button of every card that shows it on the full screen, or no more. */
const FULL = "button[data-full]";

/** `step` moves the card among the others; without it it stands alone. */
function Tools({ metric, step }: { metric: string; step?: (by: -1 | 1) => void }) {
  const [pinned, setPinned] = useParam(PARAMS.pinned);
  const [full, setFull] = useParam(PARAMS.full);
  const isPinned = pinned.includes(metric);
  return (
    <>
      {step !== undefined && (
        <button
          type="button"
          class="chart-icon handle"
          draggable
          aria-label={`Move ${metric}: drag, or arrow keys`}
          title="Drag to another place, or press the left and right arrow keys"
          onDragStart={(event) => dragged(event, metric)}
          onKeyDown={(event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            event.preventDefault();
            step(event.key === "ArrowLeft" ? -1 : 1);
          }}
        >
          ⠿
        </button>
      )}
      <button
        type="button"
        class="chart-icon"
        aria-pressed={isPinned}
        aria-label={`Pin ${metric}`}
        title={isPinned ? "Let it go back to its section" : "Keep it at the top"}
        onClick={() => setPinned(isPinned ? pinned.filter((each) => each !== metric) : [...pinned, metric])}
      >
        {isPinned ? "★" : "☆"}
      </button>
      <button
        type="button"
        class="chart-icon"
        data-full={metric}
        aria-label={full === metric ? "Close full screen" : `Show ${metric} on the full screen`}
        title="Full screen"
        onClick={() => setFull(full === metric ? "" : metric)}
      >
        {full === metric ? "×" : "⤢"}
      </button>
    </>
  );
}

/** One card over everything. */
function Full(common: Common) {
  const [full] = useParam(PARAMS.full);
  return full === "" ? null : <FullCard key={full} metric={full} {...common} />;
}

function FullCard({ metric, settings, linesOf, choosing, metrics }: Common & { metric: string }) {
  const [, setFull] = useParam(PARAMS.full);
  const box = useRef<HTMLDivElement>(null);
  // Before the next paint: who sees the card can close it.
  useLayoutEffect(() => {
    const escape = (event: KeyboardEvent) => {
      if (event.key === "Escape") setFull("");
    };
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, [setFull]);
  // The focus goes along, and comes back to the button that leads here.
  useLayoutEffect(() => {
    if (box.current === null) return;
    const free = alone(box.current);
    box.current.querySelector<HTMLElement>(FULL)?.focus();
    return () => {
      free();
      [...document.querySelectorAll<HTMLElement>(FULL)].find((each) => each.dataset.full === metric)?.focus();
    };
  }, [metric]);
  return (
    <div class="chart-full" role="dialog" aria-modal="true" aria-label={metric} ref={box}>
      <Card
        metric={metric}
        runs={linesOf(metric).lines}
        leftOut={linesOf(metric).leftOut}
        settings={settings}
        height={Math.max(200, innerHeight - 150)}
        choosing={choosing}
        metrics={metrics}
        tools={<Tools metric={metric} />}
      />
    </div>
  );
}

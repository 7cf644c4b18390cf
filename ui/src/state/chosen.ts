// Which runs are drawn: those named in the address, else the first of the search; less those hidden with the eye.

import { useCallback, useMemo } from "preact/hooks";
import type { Problem } from "../api/client";
import { post } from "../api/client";
import { stylesOf, type Style } from "../charts/colours";
import { useFetching } from "../api/fetching";
import { idsFilter } from "./filter";
import { PARAMS, textOf, useParam } from "./params";
import { change } from "./route";
import { rowsOf, type RunRow } from "./rows";
import { useQuestion } from "./search";
import { useAgain, useTick } from "./tick";

/** More runs than these are never drawn at once. Of more that are named, a page of so many is drawn. */
export const MOST = 200;

/** More runs than these are never named: their ids stand in the address. */
export const NAMED = 1000;

/** How many of the search are drawn when the address names none. */
export const FIRST = 10;

/** Seconds between two looks for new runs while none of those found is running. */
const IDLE = 10;

export interface Choice {
  /** Empty: the first of the search. */
  shown: readonly string[];
  hidden: readonly string[];
  /** Where in `shown` the page begins that is drawn. */
  from: number;
}

/** What comes along with each run; metrics bring their last, min, max, mean and count. */
export interface Columns {
  metrics?: readonly string[];
  params?: readonly string[];
  tags?: readonly string[];
}

export interface Chosen {
  /** The runs to draw, in the order of the search or of the address. */
  runs: RunRow[];
  /** These and the hidden ones. */
  candidates: RunRow[];
  /** How each of the candidates is drawn, wherever it is. */
  styles: ReadonlyMap<string, Style>;
  /** Which of the runs that the address names may be drawn; null where all may. */
  page: Page | null;
  loading: boolean;
  error: Problem | null;
  retry: () => void;
  isDrawn: (id: string) => boolean;
  /** Draw a run, or draw it no more. */
  toggle: (id: string) => void;
  /** Draw this one alone; once more: all of them again. */
  isolate: (id: string) => void;
  /** Draw exactly these; none: the first of the search. */
  choose: (ids: readonly string[]) => void;
}

/** The runs from `begin` up to `end`, counted from 0, of `of`. */
export interface Page {
  begin: number;
  end: number;
  of: number;
}

/** The page of the named runs that is drawn; null where there is but one. */
export function pageOf({ shown, from }: Pick<Choice, "shown" | "from">): Page | null {
  if (shown.length <= MOST) return null;
  const begin = beginOf({ shown, from });
  return { begin, end: Math.min(shown.length, begin + MOST), of: shown.length };
}

/** A page that begins behind the end is the first. */
function beginOf({ shown, from }: Pick<Choice, "shown" | "from">): number {
  return from < shown.length ? Math.floor(from) : 0;
}

export function drawnOf(choice: Choice, first: readonly string[]): string[] {
  const hidden = new Set(choice.hidden);
  return candidatesOf(choice, first).filter((id) => !hidden.has(id));
}

export function candidatesOf(choice: Choice, first: readonly string[]): readonly string[] {
  const begin = beginOf(choice);
  return choice.shown.length > 0 ? choice.shown.slice(begin, begin + MOST) : first;
}

export function toggled(choice: Choice, first: readonly string[], id: string): Choice {
  const { hidden } = choice;
  const others = hidden.filter((each) => each !== id);
  if (!candidatesOf(choice, first).includes(id)) return { ...choice, shown: joined(choice, first, id), hidden: others };
  return { ...choice, hidden: hidden.includes(id) ? others : [...hidden, id] };
}

/** The named runs with one more, or with one from another page: it is the last of the page that is drawn. */
function joined(choice: Choice, first: readonly string[], id: string): readonly string[] {
  const others = (choice.shown.length > 0 ? choice.shown : first).filter((each) => each !== id);
  return others.toSpliced(beginOf(choice) + MOST - 1, 0, id);
}

export function isolated(choice: Choice, first: readonly string[], id: string): Choice {
  const candidates = candidatesOf(choice, first);
  const drawn = drawnOf(choice, first);
  if (drawn.length === 1 && drawn[0] === id) return { ...choice, hidden: [] };
  const shown = candidates.includes(id) ? choice.shown : joined(choice, first, id);
  return { ...choice, shown, hidden: candidates.filter((each) => each !== id) };
}

/** Who chooses a colour first: of named runs as they are named, of a search the oldest that is drawn, so that a new run takes none of them. */
export function dealtTo(shown: readonly string[], found: readonly string[]): readonly string[] {
  return shown.length > 0 ? found : [...found.slice(0, FIRST).reverse(), ...found.slice(FIRST)];
}

/** The runs that the address chooses, followed while they run. */
export function useChosenRuns(columns: Columns = {}): Chosen {
  const question = useQuestion();
  const [shown] = useParam(PARAMS.shown);
  const [hidden] = useParam(PARAMS.hidden);
  const [from] = useParam(PARAMS.from);
  const choice = useMemo((): Choice => ({ shown, hidden, from }), [shown, hidden, from]);
  const body = useMemo(() => {
    const wanted = {
      metrics: [...(columns.metrics ?? [])],
      params: [...(columns.params ?? [])],
      tags: [...(columns.tags ?? [])],
    };
    if (shown.length === 0) return { ...question, limit: FIRST, columns: wanted };
    const ids = candidatesOf({ shown, hidden: [], from }, []);
    return { filter: idsFilter(ids), visibility: "all" as const, limit: ids.length, columns: wanted };
  }, [question, shown, from, JSON.stringify(columns)]);
  const found = useFetching(JSON.stringify(body), (signal) => post("/api/v1/runs/search", { body, signal }));
  const running = found.data?.runs.status.includes("RUNNING") === true;
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(live === 0 || running ? live : Math.max(live, IDLE)), found);
  const { candidates, runs } = useMemo(() => {
    const rows = found.data === null ? [] : rowsOf(found.data);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const pick = (ids: readonly string[]) => ids.flatMap((id) => byId.get(id) ?? []);
    const first = rows.map((row) => row.id);
    return { candidates: pick(candidatesOf(choice, first)), runs: pick(drawnOf(choice, first)) };
  }, [found.data, choice]);
  const order = JSON.stringify(dealtTo(shown, candidates.map((row) => row.id)));
  const styles = useMemo(() => stylesOf(JSON.parse(order) as string[]), [order]);
  const { old, loading, error, retry } = found;
  return { runs, candidates, styles, page: pageOf(choice), loading: loading && old, error, retry, ...useChanges(choice, candidates, runs) };
}

type Changes = Pick<Chosen, "isDrawn" | "toggle" | "isolate" | "choose">;

function useChanges(choice: Choice, candidates: readonly RunRow[], runs: readonly RunRow[]): Changes {
  const first = candidates.map((row) => row.id);
  const drawn = useMemo(() => new Set(runs.map((row) => row.id)), [runs]);
  return {
    isDrawn: useCallback((id) => drawn.has(id), [drawn]),
    toggle: (id) => store(toggled(choice, first, id)),
    isolate: (id) => store(isolated(choice, first, id)),
    choose: (ids) => store({ shown: ids.slice(0, NAMED), hidden: [], from: 0 }),
  };
}

function store(choice: Choice): void {
  const kept = choice.shown.length > 0 ? choice.hidden.filter((id) => choice.shown.includes(id)) : choice.hidden;
  change({ shown: textOf(PARAMS.shown, choice.shown), hidden: textOf(PARAMS.hidden, kept), from: textOf(PARAMS.from, choice.from) });
}

// Which runs are drawn: those named in the address, else the first of the search; less those hidden with the eye.

import { useCallback, useMemo } from "preact/hooks";
import type { Problem } from "../api/client";
import { post } from "../api/client";
import { useFetching } from "../api/fetching";
import { idsFilter } from "./filter";
import { PARAMS, textOf, useParam } from "./params";
import { change } from "./route";
import { rowsOf, type RunRow } from "./rows";
import { useQuestion } from "./search";
import { useAgain, useTick } from "./tick";

/** More runs than these are never drawn at once: their ids stand in the address. */
export const MOST = 200;

/** How many of the search are drawn when the address names none. */
export const FIRST = 10;

/** Seconds between two looks for new runs while none of those found is running. */
const IDLE = 10;

export interface Choice {
  /** Empty: the first of the search. */
  shown: readonly string[];
  hidden: readonly string[];
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

export function drawnOf(choice: Choice, first: readonly string[]): string[] {
  const hidden = new Set(choice.hidden);
  return candidatesOf(choice, first).filter((id) => !hidden.has(id));
}

export function candidatesOf(choice: Choice, first: readonly string[]): readonly string[] {
  return choice.shown.length > 0 ? choice.shown : first;
}

export function toggled(choice: Choice, first: readonly string[], id: string): Choice {
  const { shown, hidden } = choice;
  if (hidden.includes(id)) {
    const rest = { shown, hidden: hidden.filter((each) => each !== id) };
    return candidatesOf(choice, first).includes(id) ? rest : toggled(rest, first, id);
  }
  const candidates = candidatesOf(choice, first);
  if (candidates.includes(id)) return { shown, hidden: [...hidden, id] };
  return { shown: [...candidates, id], hidden };
}

export function isolated(choice: Choice, first: readonly string[], id: string): Choice {
  const candidates = candidatesOf(choice, first);
  const drawn = drawnOf(choice, first);
  if (drawn.length === 1 && drawn[0] === id) return { shown: choice.shown, hidden: [] };
  if (!candidates.includes(id)) return { shown: [...candidates, id], hidden: [...candidates] };
  return { shown: choice.shown, hidden: candidates.filter((each) => each !== id) };
}

/** The runs that the address chooses, followed while they run. */
export function useChosenRuns(columns: Columns = {}): Chosen {
  const question = useQuestion();
  const [shown] = useParam(PARAMS.shown);
  const [hidden] = useParam(PARAMS.hidden);
  const body = useMemo(() => {
    const wanted = {
      metrics: [...(columns.metrics ?? [])],
      params: [...(columns.params ?? [])],
      tags: [...(columns.tags ?? [])],
    };
    if (shown.length === 0) return { ...question, limit: FIRST, columns: wanted };
    const ids = shown.slice(0, MOST);
    return { filter: idsFilter(ids), visibility: "all" as const, limit: ids.length, columns: wanted };
  }, [question, shown, JSON.stringify(columns)]);
  const found = useFetching(JSON.stringify(body), (signal) => post("/api/v1/runs/search", { body, signal }));
  const running = found.data?.runs.status.includes("RUNNING") === true;
  const [live] = useParam(PARAMS.live);
  useAgain(useTick(live === 0 || running ? live : Math.max(live, IDLE)), found);
  const { candidates, runs } = useMemo(() => {
    const rows = found.data === null ? [] : rowsOf(found.data);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const pick = (ids: readonly string[]) => ids.flatMap((id) => byId.get(id) ?? []);
    const choice = { shown, hidden };
    const first = rows.map((row) => row.id);
    return { candidates: pick(candidatesOf(choice, first)), runs: pick(drawnOf(choice, first)) };
  }, [found.data, shown, hidden]);
  const { old, loading, error, retry } = found;
  return { runs, candidates, loading: loading && old, error, retry, ...useChanges({ shown, hidden }, candidates, runs) };
}

type Changes = Pick<Chosen, "isDrawn" | "toggle" | "isolate" | "choose">;

function useChanges(choice: Choice, candidates: readonly RunRow[], runs: readonly RunRow[]): Changes {
  const first = candidates.map((row) => row.id);
  const drawn = useMemo(() => new Set(runs.map((row) => row.id)), [runs]);
  return {
    isDrawn: useCallback((id) => drawn.has(id), [drawn]),
    toggle: (id) => store(toggled(choice, first, id)),
    isolate: (id) => store(isolated(choice, first, id)),
    choose: (ids) => store({ shown: ids.slice(0, MOST), hidden: [] }),
  };
}

function store(choice: Choice): void {
  const kept = choice.shown.length > 0 ? choice.hidden.filter((id) => choice.shown.includes(id)) : choice.hidden;
  change({ shown: textOf(PARAMS.shown, choice.shown), hidden: textOf(PARAMS.hidden, kept) });
}

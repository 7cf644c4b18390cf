// The rows of the search that the address asks for, kept as the server has them.

import { useEffect, useMemo, useReducer, useRef } from "preact/hooks";
import type { Span } from "../../parts/windowing";
import type { Columns } from "../../state/chosen";
import type { RunRow } from "../../state/rows";
import type { Question } from "../../state/search";
import { useLiveTick } from "../../state/tick";
import { asking, runsOf } from "./asking";
import { Rows } from "./rows";

export interface Followed {
  rows: Rows;
  onSpan: (span: Span, top: number) => void;
  /** The rows that are drawn now. */
  visible: RunRow[];
  /** Ask again: runs were changed. It is meant for the search of that moment, whenever it was handed out. */
  renew: () => void;
}

export function useRows(question: Question, columns: Columns): Followed {
  const [round, redraw] = useReducer((count: number) => count + 1, 0);
  const last = useRef<Rows | null>(null);
  const view = useRef({ span: { from: 0, to: 0 }, top: 0 });
  const renewing = useRef(false);
  const tick = useLiveTick();
  const key = JSON.stringify([question, columns]);
  const rows = useMemo(() => new Rows(asking(question, columns), () => redraw(0), last.current), [key]);
  last.current = rows;
  useEffect(() => () => rows.stop(), [rows]);
  useEffect(() => {
    // At the top new runs appear. Further down the rows stay where they are, and those that run are renewed.
    if (tick === 0 || rows.waiting) return;
    if (view.current.top === 0) return rows.refresh();
    const ids = shown(rows, view.current.span).filter(isOpen).map((row) => row.id);
    if (ids.length === 0 || renewing.current) return;
    renewing.current = true;
    void runsOf(ids, columns, new AbortController().signal).then((result) => {
      renewing.current = false;
      if (result.ok && last.current === rows) rows.update(result.data);
    });
  }, [tick]);
  const onSpan = (span: Span, top: number) => {
    const moved = view.current.span.from !== span.from || view.current.span.to !== span.to;
    view.current = { span, top };
    rows.show(span);
    if (moved) redraw(0);
  };
  const { span } = view.current;
  const visible = useMemo(() => shown(rows, span), [rows, round, span.from, span.to]);
  return { rows, onSpan, visible, renew: () => last.current?.renew() };
}

function shown(rows: Rows, { from, to }: Span): RunRow[] {
  const found: RunRow[] = [];
  for (let at = from; at < to; at++) {
    const row = rows.at(at);
    if (row !== null) found.push(row);
  }
  return found;
}

function isOpen(row: RunRow): boolean {
  return row.status === "RUNNING" || row.status === "SCHEDULED";
}

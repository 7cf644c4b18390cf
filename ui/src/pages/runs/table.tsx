// The table: only the rows in view are drawn. Keys and clicks become changes of the selection; what they are about is
// the page's.

import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { RunRow } from "../../state/rows";
import { scrollFor, spanOf, type Span } from "../../parts/windowing";
import { type Column, isNumeric, textOfColumn, widthOf } from "./columns";
import { Head } from "./head";
import type { Rows } from "./rows";
import { clicked, flipped, moved, type IdAt, type Selection } from "./selection";

export const ROW = 32;
const OVER = 12;

export interface TableProps {
  rows: Rows;
  /** The view goes to the top when this changes. */
  question: string;
  columns: readonly Column[];
  widths: ReadonlyMap<string, number>;
  order: readonly string[];
  selection: Selection;
  onSelect: (selection: Selection) => void;
  onSpan: (span: Span, top: number) => void;
  onOpen: (row: RunRow) => void;
  onEye: (row: RunRow, alone: boolean) => void;
  cell: (column: Column, row: RunRow) => ComponentChildren;
  onOrder: (order: string[]) => void;
  onWidth: (column: Column, width: number) => void;
  onMove: (column: Column, before: Column) => void;
  onDrop: (column: Column) => void;
}

export function Table(props: TableProps) {
  const { rows, columns, widths, selection, onSelect, onSpan } = props;
  const view = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ top: 0, height: 600 });
  const span = spanOf(place.top, place.height, ROW, rows.length, OVER);
  useLayoutEffect(() => {
    const element = view.current;
    if (element === null) return;
    const measure = () => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  useEffect(() => view.current?.scrollTo({ top: 0 }), [props.question]);
  useEffect(() => onSpan(span, place.top), [span.from, span.to, place.top === 0, rows]);
  const idAt: IdAt = (at) => rows.at(at)?.id ?? null;
  const go = (next: Selection) => {
    onSelect(next);
    const element = view.current;
    const to = element === null ? null : scrollFor(next.at, element.scrollTop, element.clientHeight, ROW, ROW);
    if (to !== null) element?.scrollTo({ top: to });
  };
  const total = columns.reduce((sum, column) => sum + widthOf(column, widths), 0);
  const grid = columns.map((column) => `${widthOf(column, widths)}px`).join(" ");
  const places = Array.from({ length: span.to - span.from }, (_, nth) => span.from + nth);
  return (
    <div
      class={rows.waiting || rows.error !== null ? "run-table old" : "run-table"}
      role="grid"
      aria-label="Runs"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-multiselectable="true"
      aria-busy={rows.waiting}
      aria-activedescendant={places.includes(selection.at) ? `row-${selection.at}` : undefined}
      tabIndex={0}
      ref={view}
      onKeyDown={(event) => onKey(event, props, go, Math.max(1, Math.floor(place.height / ROW) - 2))}
    >
      <Head {...props} total={total} grid={grid} />
      <div class="rows" role="rowgroup" style={{ height: `${rows.length * ROW}px`, width: `${total}px` }}>
        {places.map((at) => (
          <Row
            key={at}
            at={at}
            row={rows.at(at)}
            grid={grid}
            table={props}
            onClick={(event) => {
              if (event.target instanceof Element && event.target.closest("a, button") !== null) return;
              onSelect(clicked(selection, at, idAt, { ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey }));
            }}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  at: number;
  row: RunRow | null;
  grid: string;
  table: TableProps;
  onClick: (event: MouseEvent) => void;
}

function Row({ at, row, grid, table, onClick }: RowProps) {
  const { selection, columns, cell } = table;
  const selected = row !== null && selection.ids.has(row.id);
  const name = ["row", selected && "selected", selection.at === at && "at", row?.deleted === true && "deleted"].filter(Boolean).join(" ");
  return (
    <div
      id={`row-${at}`}
      class={name}
      role="row"
      aria-rowindex={at + 2}
      aria-selected={selected}
      style={{ translate: `0 ${at * ROW}px`, gridTemplateColumns: grid }}
      onClick={onClick}
    >
      {columns.map((column, nth) => (
        <div key={textOfColumn(column)} role={nth === 0 ? "rowheader" : "gridcell"} class={isNumeric(column) ? "cell number" : "cell"}>
          {row === null ? <span class="coming" aria-label="Loading" role="img" /> : cell(column, row)}
        </div>
      ))}
    </div>
  );
}

function onKey(event: TargetedKeyboardEvent<HTMLElement>, table: TableProps, go: (next: Selection) => void, page: number): void {
  if (event.target !== event.currentTarget) return;
  const { rows, selection, onSelect } = table;
  const idAt: IdAt = (at) => rows.at(at)?.id ?? null;
  const steps: Record<string, number> = {
    ArrowDown: selection.at + 1,
    ArrowUp: selection.at - 1,
    PageDown: selection.at + page,
    PageUp: selection.at - page,
    Home: 0,
    End: rows.length - 1,
  };
  const to = steps[event.key];
  const row = rows.at(selection.at);
  const control = event.ctrlKey || event.metaKey;
  const acts: Record<string, (() => void) | undefined> = {
    " ": () => onSelect(flipped(selection, selection.at, idAt)),
    Escape: () => onSelect({ ...selection, ids: new Set() }),
    "Control+a": () => onSelect({ ...selection, ids: new Set(rows.loaded().map((each) => each.id)) }),
    Enter: row === null ? undefined : () => table.onOpen(row),
    e: row === null ? undefined : () => table.onEye(row, false),
    E: row === null ? undefined : () => table.onEye(row, true),
  };
  const act = to === undefined ? acts[control ? `Control+${event.key}` : event.key] : () => go(moved(selection, to, rows.length, idAt, event.shiftKey));
  if (act === undefined) return;
  act();
  event.preventDefault();
}

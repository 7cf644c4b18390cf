// What stands at the cursor: every visible run, greatest first. Pinned, it stays, scrolls and can be copied.

import { useLayoutEffect, useRef } from "preact/hooks";
import { tabbed } from "../parts/cells";
import { copy } from "../parts/copying";
import { placeFor } from "./beside";
import { dashOf, inkOf, type Style } from "./colours";
import { duration, moment, value, whole } from "./format";
import type { Told } from "./nearest";
import type { Kind } from "./ticks";

export interface TooltipProps {
  rows: readonly Told[];
  x: number;
  xKind: Kind;
  xTitle: string;
  /** Where the cursor is on the screen, and the chart that it is in. */
  left: number;
  chart: DOMRect;
  pinned: boolean;
  unpin: () => void;
  /** The run whose line stands out: it is always among the rows. */
  lit: string | null;
}

/** More are not told while the pointer moves: nobody can scroll to them. Pinned, all are there. */
const MOVING = 24;

export function Tooltip({ rows, x, xKind, xTitle, left, chart, pinned, unpin, lit }: TooltipProps) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const place = placeFor({ width: element.offsetWidth, height: element.offsetHeight }, left, chart, { width: innerWidth, height: innerHeight });
    element.style.transform = `translate(${place.left}px, ${place.top}px)`;
  });
  const days = new Set(rows.flatMap((row) => (Number.isNaN(row.time) ? [] : [moment(row.time / 1e6).slice(0, 10)])));
  const [day] = days.size === 1 ? days : [""];
  const shown = pinned ? rows : around(rows, lit);
  const smooth = rows.some((row) => row.smooth !== null);
  const banded = rows.some((row) => row.points > 1);
  return (
    <div
      ref={box}
      class={pinned ? "tip pinned" : "tip"}
      role={pinned ? "dialog" : "tooltip"}
      aria-label={pinned ? "Values at the pinned place" : undefined}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        unpin();
      }}
    >
      <Head text={`${xTitle} ${xText(x, xKind)}`} rows={rows} pinned={pinned} unpin={unpin} />
      <table>
        <thead>
          <tr>
            <th>Run</th>
            <th>{smooth ? "Smoothed" : "Value"}</th>
            {smooth && <th>Raw</th>}
            {banded && <th>Lowest – highest</th>}
            <th>Step</th>
            {banded && <th>Points</th>}
            <th>{day === "" ? "Time" : day}</th>
            <th>Relative</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <Row key={row.key} row={row} smooth={smooth} banded={banded} dated={day === ""} lit={row.key === lit} />
          ))}
        </tbody>
      </table>
      {shown.length < rows.length && <p class="faint">{rows.length - shown.length} more: click to pin and see all.</p>}
    </div>
  );
}

function Head({ text, rows, pinned, unpin }: Pick<TooltipProps, "rows" | "pinned" | "unpin"> & { text: string }) {
  return (
    <div class="tip-head">
      <span>{text}</span>
      {pinned && (
        <span class="tip-buttons">
          <button type="button" onClick={() => void copy(tsvOf(rows))}>
            Copy
          </button>
          <button type="button" onClick={unpin} aria-label="Close">
            ×
          </button>
        </span>
      )}
    </div>
  );
}

/** As many rows as are told while the pointer moves: the greatest, or those around the one that stands out. */
export function around(rows: readonly Told[], lit: string | null): readonly Told[] {
  const at = rows.findIndex((row) => row.key === lit);
  const begin = Math.max(0, Math.min(at - MOVING / 2, rows.length - MOVING));
  return rows.slice(begin, begin + MOVING);
}

interface RowProps {
  lit: boolean;
  row: Told;
  smooth: boolean;
  banded: boolean;
  /** The times are of several days. */
  dated: boolean;
}

function Row({ row, smooth, banded, dated, lit }: RowProps) {
  return (
    <tr class={lit ? "lit" : undefined}>
      <th scope="row">
        <Swatch ink={row.ink} dash={row.dash} />
        {row.name}
      </th>
      {smooth && <td>{number(row.smooth ?? NaN)}</td>}
      <td>{[number(row.raw), row.others].filter((word) => word !== "").join(" + ")}</td>
      {banded && <td>{row.points > 1 && !Number.isNaN(row.low) ? `${value(row.low, 4)} – ${value(row.high, 4)}` : ""}</td>}
      <td>{stepText(row)}</td>
      {banded && <td>{whole(row.points)}</td>}
      <td>{Number.isNaN(row.time) ? "" : moment(row.time / 1e6).slice(dated ? 0 : 11)}</td>
      <td>{Number.isNaN(row.relative) ? "" : duration(row.relative / 1e6)}</td>
    </tr>
  );
}

function number(given: number): string {
  return Number.isNaN(given) ? "" : value(given);
}

/**
 * A short piece of the line: a box, since hundreds of small drawings would be the dearest part of a page. Only one with dashes is
 * drawn: of the background of a box, browsers print no more than the colour.
 */
export function Swatch({ ink, dash }: { ink: string; dash: readonly number[] }) {
  if (dash.length === 0) return <i class="swatch" aria-hidden="true" style={{ backgroundColor: ink }} />;
  return (
    <svg class="swatch" aria-hidden="true" viewBox="0 0 16 3">
      <path d="M0 1.5H16" stroke={ink} stroke-width="3" stroke-dasharray={dash.join(" ")} />
    </svg>
  );
}

export function StyleSwatch({ style, dark }: { style: Style; dark: boolean }) {
  return <Swatch ink={inkOf(style, dark)} dash={dashOf(style)} />;
}

export function xText(x: number, kind: Kind): string {
  if (kind === "time") return moment(x);
  if (kind === "duration") return duration(x);
  return kind === "step" ? whole(x) : value(x);
}

function stepText(row: Told): string {
  if (Number.isNaN(row.firstStep)) return "";
  return row.points > 1 ? `${whole(row.firstStep)} – ${whole(row.lastStep)}` : whole(row.lastStep);
}

/** Tab-separated, numbers in full. */
export function tsvOf(rows: readonly Told[]): string {
  const head = ["run", "smoothed", "raw", "lowest", "highest", "points", "first_step", "last_step", "time_us", "relative_s", "not_finite"];
  const number = (given: number) => (Number.isNaN(given) ? "" : String(given));
  const lines = rows.map((row) => [
    tabbed(row.name),
    row.smooth === null ? "" : number(row.smooth),
    number(row.raw),
    number(row.low),
    number(row.high),
    number(row.points),
    number(row.firstStep),
    number(row.lastStep),
    number(row.time),
    number(row.relative / 1e6),
    row.others,
  ]);
  return [head, ...lines].map((line) => line.join("\t")).join("\n");
}

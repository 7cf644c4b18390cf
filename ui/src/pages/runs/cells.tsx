// What stands in a cell: the eye, the name, the status, a curve or a text.

import { colourOf, type Style } from "../../charts/colours";
import { moment } from "../../charts/format";
import { isArchived } from "../../state/archive";
import type { RunRow } from "../../state/rows";
import { link } from "../../state/route";
import { type Column, textOfCell } from "./columns";
import type { Heard } from "./silence";
import { Sparkline } from "./sparklines";
import type { Spark } from "./sparkline";
import { ageOf, signOf, type StatusSign } from "./status";

interface CellProps {
  column: Column;
  row: RunRow;
  nowUs: number;
  heard: Heard;
  drawn: boolean;
  /** As charts draw it, where they do. */
  style: Style;
  onEye: (row: RunRow, alone: boolean) => void;
  spark: (runId: string, metric: string) => Spark | null;
  experimentOf: (id: number) => string;
}

export function Cell({ column, row, nowUs, heard, drawn, style, onEye, spark, experimentOf }: CellProps) {
  if (column.kind === "run" && column.key === "name") return <Name row={row} drawn={drawn} style={style} onEye={onEye} />;
  if (column.kind === "run" && column.key === "status") return <Status row={row} sign={signOf(row.status, heard(row), nowUs)} />;
  if (column.kind === "run" && column.key === "heard") return <Age row={row} heardUs={heard(row)} nowUs={nowUs} />;
  const text = column.kind === "run" && column.key === "experiment" ? experimentOf(row.experimentId) : textOfCell(column, row, nowUs);
  if (column.kind === "spark") return text === "" ? null : <Sparkline spark={spark(row.id, column.key)} colour={drawn ? colourOf(style) : "var(--faint)"} text={text} />;
  return <span title={text}>{text}</span>;
}

function Name({ row, drawn, style, onEye }: { row: RunRow; drawn: boolean; style: Style; onEye: (row: RunRow, alone: boolean) => void }) {
  const colour = colourOf(style);
  return (
    <>
      <button
        type="button"
        class="eye"
        tabIndex={-1}
        aria-pressed={drawn}
        aria-label={`Draw ${row.name}`}
        title={drawn ? "Drawn in charts. Press to hide; with Alt, draw it alone" : "Press to draw it in charts; with Alt, alone"}
        style={drawn ? { borderColor: colour, backgroundColor: colour } : {}}
        onClick={(event) => onEye(row, event.altKey)}
      />
      <a href={link(["runs", row.id])} tabIndex={-1} title={row.name}>
        {row.name === "" ? row.id : row.name}
      </a>
      {isArchived(row) && <span class="badge">archived</span>}
      {row.deleted && <span class="badge">deleted</span>}
    </>
  );
}

function Age({ row, heardUs, nowUs }: { row: RunRow; heardUs: number | null; nowUs: number }) {
  const at = heardUs === null || row.status !== "RUNNING" ? undefined : moment(Math.floor(heardUs / 1e6));
  return <span title={at}>{ageOf(row.status, heardUs, nowUs)}</span>;
}

function Status({ row, sign }: { row: RunRow; sign: StatusSign }) {
  return (
    <span class={`state-word ${sign.tone}`} title={row.statusReason === "" ? sign.word : `${sign.word}: ${row.statusReason}`}>
      <span aria-hidden="true">{sign.shape}</span> {sign.word}
    </span>
  );
}

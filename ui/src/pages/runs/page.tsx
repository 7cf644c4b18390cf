// The table of runs: search, columns, selection and what is done with it.

import { useState } from "preact/hooks";
import { ownStyle } from "../../charts/colours";
import { whole } from "../../charts/format";
import { FilterBox } from "../../parts/filterbox";
import { Empty, Failed, Loading } from "../../parts/states";
import { ARCHIVED } from "../../state/archive";
import { useChosenRuns } from "../../state/chosen";
import { useExperimentNames } from "../../state/experiments";
import { useKey } from "../../state/keyboard";
import { PARAMS, useParam } from "../../state/params";
import { current, go } from "../../state/route";
import type { RunRow } from "../../state/rows";
import { useQuestion } from "../../state/search";
import { mayWrite } from "../../state/session";
import { useWho } from "../../state/who";
import { keysOf } from "./asking";
import { Bulk } from "./bulk";
import { Cell } from "./cells";
import { ColumnChooser } from "./choosing";
import { type Column, columnsOf, DEFAULT, neededBy, textOfColumn, textsOfWidths, widthsOf } from "./columns";
import { Download } from "./download";
import { useRows } from "./following";
import { NOTHING, type Selection } from "./selection";
import { useHeard } from "./silence";
import { useSparklines } from "./sparklines";
import { Table } from "./table";
import "./runs.css";

export function RunsPage() {
  const question = useQuestion();
  const [named, setNamed] = useParam(PARAMS.tableColumns);
  const [widthTexts, setWidths] = useParam(PARAMS.widths);
  const [, setOrder] = useParam(PARAMS.order);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const texts = named.length === 0 ? DEFAULT : named;
  const columns = columnsOf(texts);
  const widths = widthsOf(widthTexts);
  const { rows, onSpan, visible, renew } = useRows(question, shownBy(columns));
  const chosen = useChosenRuns();
  const writes = mayWrite(useWho());
  const spark = useSparklines(visible, columns.filter(({ kind }) => kind === "spark").map(({ key }) => key));
  const onEye = (row: RunRow, alone: boolean) => (alone ? chosen.isolate(row.id) : chosen.toggle(row.id));
  const nowUs = Date.now() * 1000;
  const heard = useHeard(visible, nowUs, columns.some(({ kind, key }) => kind === "run" && key === "heard"));
  const experimentOf = useExperimentNames(experimentsIn(visible, columns));
  useKey("Escape", () => {
    // The first Escape closes what is open.
    if (document.querySelector(".panel") === null) setSelection({ ...selection, ids: new Set() });
  });
  const refresh = () => {
    renew();
    chosen.retry();
  };
  return (
    <section class="page runs">
      <h1 class="unseen">Runs</h1>
      <Tools columns={texts} setColumns={setNamed} shown={columns} total={rows.total} rowsError={rows.error?.field === "filter" ? rows.error : null} />
      {selection.ids.size > 0 && (
        <Bulk
          ids={[...selection.ids]}
          rows={loaded(rows, selection.ids)}
          writes={writes}
          onDraw={() => chosen.choose([...selection.ids])}
          onClear={() => setSelection({ ...selection, ids: new Set() })}
          onChanged={refresh}
        />
      )}
      {rows.error !== null && rows.error.field !== "filter" && <Failed error={rows.error} retry={() => rows.retry()} />}
      {rows.waiting && rows.length === 0 && <Loading what="runs" />}
      {rows.total === 0 && rows.error === null && <NoRuns />}
      <Table
        rows={rows}
        question={JSON.stringify(question)}
        columns={columns}
        widths={widths}
        order={question.order_by ?? []}
        selection={selection}
        onSelect={setSelection}
        onSpan={onSpan}
        onOpen={(row) => go({ path: ["runs", row.id], query: current().query })}
        onEye={onEye}
        onOrder={setOrder}
        onWidth={(column, width) => setWidths(textsOfWidths(new Map(widths).set(textOfColumn(column), width)), { replace: true })}
        onMove={(column, before) => setNamed(movedBefore(texts, textOfColumn(column), textOfColumn(before)))}
        onDrop={(column) => setNamed(texts.filter((each) => each !== textOfColumn(column)))}
        cell={(column, row) => (
          <Cell column={column} row={row} nowUs={nowUs} heard={heard} drawn={chosen.isDrawn(row.id)} style={chosen.styles.get(row.id) ?? ownStyle(row.id)} onEye={onEye} spark={spark} experimentOf={experimentOf} />
        )}
      />
    </section>
  );
}

interface ToolsProps {
  columns: readonly string[];
  setColumns: (columns: string[]) => void;
  shown: readonly Column[];
  total: number | null;
  rowsError: Parameters<typeof FilterBox>[0]["error"];
}

function Tools({ columns, setColumns, shown, total, rowsError }: ToolsProps) {
  const question = useQuestion();
  const [filter, setFilter] = useParam(PARAMS.filter);
  const [visibility, setVisibility] = useParam(PARAMS.visibility);
  return (
    <div class="tools">
      <FilterBox
        value={filter}
        onChange={(text, typing) => setFilter(text, { replace: typing })}
        error={rowsError}
        keys={(kind, typed, signal) => keysOf(kind, typed, question, signal)}
      />
      <select
        aria-label="Which runs"
        value={visibility}
        onChange={(event) => setVisibility(event.currentTarget.value as typeof visibility)}
      >
        <option value="active">Active</option>
        <option value="archived">Archived</option>
        <option value="deleted">Deleted</option>
        <option value="all">All, archived and deleted too</option>
      </select>
      <ColumnChooser columns={columns} onChange={setColumns} question={question} />
      <Download question={question} columns={shown} />
      <span class="faint count" role="status">
        {total === null ? "" : `${whole(total)} ${total === 1 ? "run" : "runs"}`}
      </span>
    </div>
  );
}

function NoRuns() {
  const [filter, setFilter] = useParam(PARAMS.filter);
  if (filter === "") return <Empty>No runs here. Point a client at this server, and its runs appear. Archived and deleted ones are behind the choice above.</Empty>;
  return (
    <Empty>
      <p>No runs match this search.</p>
      <button type="button" onClick={() => setFilter("")}>
        Clear the search
      </button>
    </Empty>
  );
}

/** The experiments that the table names. */
function experimentsIn(rows: readonly RunRow[], columns: readonly Column[]): number[] {
  return columns.some(({ kind, key }) => kind === "run" && key === "experiment") ? rows.map((row) => row.experimentId) : [];
}

/** What the columns need, and whether a run is archived. */
function shownBy(columns: readonly Column[]): ReturnType<typeof neededBy> {
  const needed = neededBy(columns);
  return { ...needed, tags: [...new Set([...needed.tags, ARCHIVED])] };
}

function loaded(rows: ReturnType<typeof useRows>["rows"], ids: ReadonlySet<string>): RunRow[] {
  return rows.loaded().filter((row) => ids.has(row.id));
}

function movedBefore(texts: readonly string[], moved: string, before: string): string[] {
  const rest = texts.filter((each) => each !== moved);
  const at = rest.indexOf(before);
  return [...rest.slice(0, at), moved, ...rest.slice(at)];
}

// The heads of the columns: sort, make wider, move, take away.

import type { TargetedPointerEvent } from "preact";
import { Popover } from "../../parts/popover";
import { type Column, directionOf, hintOf, orderField, pressed, textOfColumn, titleOf, widthOf } from "./columns";
import type { TableProps } from "./table";

type HeadProps = Pick<TableProps, "columns" | "widths" | "order" | "onOrder" | "onWidth" | "onMove" | "onDrop"> & {
  total: number;
  grid: string;
};

export function Head(props: HeadProps) {
  const { columns, total, grid } = props;
  return (
    <div class="head" role="rowgroup" style={{ width: `${total}px` }}>
      <div class="row" role="row" aria-rowindex={1} style={{ gridTemplateColumns: grid }}>
        {columns.map((column, at) => (
          <ColumnHead key={textOfColumn(column)} column={column} at={at} {...props} />
        ))}
      </div>
    </div>
  );
}

function ColumnHead({ column, at, columns, widths, order, onOrder, onWidth, onMove, onDrop }: HeadProps & { column: Column; at: number }) {
  const field = orderField(column);
  const direction = field === null ? null : directionOf(order, field);
  const sign = direction === null ? "" : direction === "ASC" ? "▲ " : "▼ ";
  const title = titleOf(column);
  const hint = hintOf(column);
  const before = columns[at - 1];
  const after = columns[at + 1];
  return (
    <div
      class="cell"
      role="columnheader"
      aria-sort={direction === null ? "none" : direction === "ASC" ? "ascending" : "descending"}
      draggable={at > 0}
      onDragStart={(event) => event.dataTransfer?.setData("text/plain", String(at))}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        const from = columns[Number(event.dataTransfer?.getData("text/plain"))];
        event.preventDefault();
        if (from !== undefined && from !== column && at > 0) onMove(from, column);
      }}
    >
      <button
        type="button"
        class="sort"
        disabled={field === null}
        title={`${title}${hint === "" ? "" : `, ${hint}`}${field === null ? ". The server cannot sort by it" : ". Press to sort; with Shift, too"}`}
        onClick={(event) => field !== null && onOrder(pressed(order, field, event.shiftKey))}
      >
        {sign}
        {hint !== "" && <span class="faint">{hint} </span>}
        {title}
      </button>
      {at > 0 && (
        <Popover class="more" button="⋮" label={`Column ${title}`}>
          {(close) => (
            <div class="menu">
              {field !== null && <Item text="Sort ascending" act={() => onOrder([`${field} ASC`])} close={close} />}
              {field !== null && <Item text="Sort descending" act={() => onOrder([`${field} DESC`])} close={close} />}
              {before !== undefined && at > 1 && <Item text="Move left" act={() => onMove(column, before)} close={close} />}
              {after !== undefined && <Item text="Move right" act={() => onMove(after, column)} close={close} />}
              <Item text="Wider" act={() => onWidth(column, widthOf(column, widths) + 60)} close={close} />
              <Item text="Narrower" act={() => onWidth(column, widthOf(column, widths) - 60)} close={close} />
              <Item text="Take the column away" act={() => onDrop(column)} close={close} />
            </div>
          )}
        </Popover>
      )}
      <span class="edge" aria-hidden="true" onPointerDown={(event) => pull(event, widthOf(column, widths), (width) => onWidth(column, width))} />
    </div>
  );
}

function Item({ text, act, close }: { text: string; act: () => void; close: () => void }) {
  return (
    <button
      type="button"
      onClick={() => {
        close();
        act();
      }}
    >
      {text}
    </button>
  );
}

/** Follow the pointer from the edge of a column until it is let go. */
function pull(event: TargetedPointerEvent<HTMLElement>, width: number, set: (width: number) => void): void {
  event.preventDefault();
  const edge = event.currentTarget;
  const start = event.clientX;
  const follow = (moved: PointerEvent) => set(width + moved.clientX - start);
  edge.setPointerCapture(event.pointerId);
  edge.addEventListener("pointermove", follow);
  edge.addEventListener("lostpointercapture", () => edge.removeEventListener("pointermove", follow), { once: true });
}

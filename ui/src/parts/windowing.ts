// Which rows of a long list are in view, and where. Rows are equally high; nothing else is drawn.

export interface Span {
  /** The first row to draw, and the one behind the last. */
  from: number;
  to: number;
}

/** The rows in view and `over` more on both sides, so that a scroll shows rows before the next frame is made. */
export function spanOf(top: number, height: number, rowHeight: number, total: number, over: number): Span {
  const first = Math.floor(Math.max(0, top) / rowHeight);
  const last = Math.ceil((Math.max(0, top) + height) / rowHeight);
  const from = Math.max(0, Math.min(total, first - over));
  return { from, to: Math.max(from, Math.min(total, last + over)) };
}

/** Where to scroll so that a row is wholly in view; `head` covers the upper part of the view. Null: it is. */
export function scrollFor(row: number, top: number, height: number, rowHeight: number, head: number): number | null {
  const above = row * rowHeight;
  if (above < top) return above;
  const below = above + rowHeight + head - height;
  return below > top ? below : null;
}

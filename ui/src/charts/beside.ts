// Where a tooltip stands: beside the chart that it tells of rather than on it.

export interface Size {
  width: number;
  height: number;
}

type Rect = Pick<DOMRect, "left" | "right" | "top" | "bottom">;

const GAP = 16;
/** Of the edges of the screen. */
const EDGE = 4;

/**
 * The corner of a tooltip of this size, for a cursor at `x` in `chart`, on a screen: below the chart, or else above it; where
 * neither has room for it, on the side of the cursor that has more.
 */
export function placeFor(tip: Size, x: number, chart: Rect, screen: Size): { left: number; top: number } {
  const within = (at: number, size: number, room: number) => Math.max(EDGE, Math.min(at, room - size - EDGE));
  const along = within(x - tip.width / 2, tip.width, screen.width);
  if (chart.bottom + tip.height + EDGE <= screen.height) return { left: along, top: chart.bottom };
  if (chart.top - tip.height >= EDGE) return { left: along, top: chart.top - tip.height };
  const right = screen.width - x;
  const left = right >= x ? x + GAP : x - GAP - tip.width;
  return { left: within(left, tip.width, screen.width), top: within(chart.top, tip.height, screen.height) };
}

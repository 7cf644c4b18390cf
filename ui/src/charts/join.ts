// Another metric along the bottom: its value at the steps of the drawn series. The API reads series one by one, so they
// are joined here.

import { at, lowerBound, type Buckets } from "./buckets";

/**
 * For each bucket of `drawn` the x metric's value, NaN where it has none. Where both are whole points: at equal steps
 * only, if any step is equal. Otherwise (buckets, or steps that never meet) between its neighbours on a straight line.
 */
export function joinedX(drawn: Buckets, along: Buckets): Float64Array {
  const found = new Float64Array(drawn.count.length).fill(NaN);
  if (along.count.length === 0) return found;
  const apart = isWhole(drawn) && isWhole(along) && meets(drawn, along);
  for (let row = 0; row < found.length; row++) {
    const step = ((drawn.firstStep[row] ?? 0) + (drawn.lastStep[row] ?? 0)) / 2;
    found[row] = apart ? equal(along, step) : between(along, step);
  }
  return found;
}

/** Whether x is between points rather than at points: the card says so. */
export function isInterpolated(drawn: Buckets, along: Buckets): boolean {
  return drawn.count.length > 0 && along.count.length > 0 && !(isWhole(drawn) && isWhole(along) && meets(drawn, along));
}

function isWhole(buckets: Buckets): boolean {
  return buckets.count.every((count) => count === 1);
}

function meets(drawn: Buckets, along: Buckets): boolean {
  return drawn.lastStep.some((step) => !Number.isNaN(equal(along, step)));
}

/** The last value of a step: the one that was logged latest. */
function equal(along: Buckets, step: number): number {
  let row = lowerBound(along.lastStep, step);
  if (along.lastStep[row] !== step) return NaN;
  while (along.lastStep[row + 1] === step) row++;
  return along.last[row] ?? NaN;
}

function between(along: Buckets, step: number): number {
  const last = along.count.length - 1;
  if (step < at(along.firstStep, 0) || step > at(along.lastStep, last)) return NaN;
  const middle = (row: number) => (at(along.firstStep, row) + at(along.lastStep, row)) / 2;
  const near = lowerBound(along.lastStep, step);
  const right = middle(near) < step && near < last ? near + 1 : near;
  const left = right > 0 && middle(right) > step ? right - 1 : right;
  const gap = middle(right) - middle(left);
  const part = gap > 0 ? Math.min(1, Math.max(0, (step - middle(left)) / gap)) : 0;
  return at(along.mean, left) + part * (at(along.mean, right) - at(along.mean, left));
}

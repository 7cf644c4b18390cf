// The colours of runs: the same run has the same colour in every list and chart of a view, on every machine that opens it.
//
// 24 pairs (on light ground, on dark ground), each at least 3:1 against its ground. They were chosen so that the least
// distance of any two of the first twelve in OKLab is greatest: 0.15 with normal vision, 0.08 with the simulated lack of any
// of the three cones (Machado, Oliveira, Fernandes 2009). Of these the first six are those that have names of their own and
// are 0.17 and 0.09 apart. The others are 0.05 from these and from each other.

export const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#0102ef", "#6b86be"],
  ["#989906", "#e0e361"],
  ["#be0767", "#ffabc6"],
  ["#2a9bc1", "#71d7fe"],
  ["#1f4900", "#64cb1a"],
  ["#cb56ff", "#c848ff"],
  ["#8156c3", "#bb96ff"],
  ["#70004d", "#b12f81"],
  ["#795e01", "#8c6f19"],
  ["#b76c65", "#df6f66"],
  ["#5507a0", "#7c46ce"],
  ["#fd48ad", "#fe1ca7"],
  ["#9d68d9", "#9a21f3"],
  ["#d15638", "#945546"],
  ["#435619", "#79914a"],
  ["#7512b9", "#b979fe"],
  ["#43861c", "#a8d696"],
  ["#681f6d", "#da9ddd"],
  ["#169176", "#109f81"],
  ["#1c5942", "#48b88e"],
  ["#386855", "#acf0d3"],
  ["#ad7c99", "#d0029f"],
  ["#65529f", "#7f64cb"],
  ["#8d608b", "#da60d9"],
];

/** So many of the colours, the first ones, are furthest apart, and so many far apart; the rest fill up between them. */
export const FURTHEST = 6;
export const APART = 12;

const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4]];

/** How a run is drawn: its places among the colours and the dashes. */
export interface Style {
  colour: number;
  dash: number;
}

/** Where a run looks for its colour first, among `count`: FNV-1a of its id. */
function homeOf(id: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 15;
  return (hash >>> 0) % count;
}

/**
 * A style for each id, the first ones first: six get the colours that are furthest apart, twelve those that are far apart, then
 * as many as there are colours one each, and then those of one colour differ by their dash. Each takes the colour of its own where that is free, and keeps it when
 * others come behind it.
 */
export function stylesOf(ids: readonly string[]): ReadonlyMap<string, Style> {
  const found = new Map<string, Style>();
  let taken = new Set<number>();
  let lap = 0;
  for (const id of ids) {
    if (found.has(id)) continue;
    if (taken.size === COLOURS.length) [taken, lap] = [new Set(), lap + 1];
    const used = taken.size;
    const [begin, end] = used < FURTHEST ? [0, FURTHEST] : used < APART ? [FURTHEST, APART] : [APART, COLOURS.length];
    let place = homeOf(id, end - begin);
    while (taken.has(begin + place)) place = (place + 1) % (end - begin);
    taken.add(begin + place);
    found.set(id, { colour: begin + place, dash: lap % DASHES.length });
  }
  return found;
}

/** The style of a run that stands by itself. */
export function ownStyle(id: string): Style {
  return { colour: homeOf(id, FURTHEST), dash: 0 };
}

function pairOf({ colour }: Style): readonly [light: string, dark: string] {
  return COLOURS[colour % COLOURS.length] ?? ["#000000", "#ffffff"];
}

/** A colour for style sheets: right in both themes. */
export function colourOf(style: Style): string {
  const [light, dark] = pairOf(style);
  return `light-dark(${light}, ${dark})`;
}

/** A colour for canvas and files, which know no themes. */
export function inkOf(style: Style, dark: boolean): string {
  return pairOf(style)[dark ? 1 : 0];
}

export function dashOf({ dash }: Style): readonly number[] {
  return DASHES[dash % DASHES.length] ?? [];
}

// The colours of runs: the same run has the same colour in every list and chart, on every machine.
//
// 24 pairs (on light ground, on dark ground), each at least 3:1 against its ground. They were chosen so that the least
// distance of any two in OKLab is greatest, with normal vision and with the simulated lack of each of the three cones
// (Machado, Oliveira, Fernandes 2009): at least 0.038 for people without green cones.

export const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#2f37b2", "#5b71f0"],
  ["#51a20e", "#87de56"],
  ["#a41a01", "#ea543a"],
  ["#bf6feb", "#e6bfff"],
  ["#2e716f", "#4aaca9"],
  ["#7f057f", "#b94db8"],
  ["#93690d", "#d89b07"],
  ["#7e50d1", "#b191fd"],
  ["#c64399", "#fe85d0"],
  ["#33581f", "#579236"],
  ["#f5642b", "#fdc1ac"],
  ["#83224a", "#c5537c"],
  ["#b94352", "#ef838b"],
  ["#72447d", "#a978b5"],
  ["#3883c4", "#83bbf0"],
  ["#7b9659", "#afd086"],
  ["#22565d", "#3c8e99"],
  ["#9b2d9a", "#d668d5"],
  ["#429d91", "#60dbcb"],
  ["#66693f", "#9ba063"],
  ["#864235", "#c47464"],
  ["#573395", "#8a69cf"],
  ["#b1684e", "#dfa692"],
  ["#3a5693", "#6d8ccd"],
];

/** Which of the colours a run has: FNV-1a of its id. */
export function slotOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 15;
  return (hash >>> 0) % COLOURS.length;
}

/** A run's colour for style sheets: right in both themes. */
export function colourOf(id: string): string {
  const [light, dark] = COLOURS[slotOf(id)] ?? ["#000000", "#ffffff"];
  return `light-dark(${light}, ${dark})`;
}

/** A run's colour for canvas and files, which know no themes. */
export function inkOf(id: string, dark: boolean): string {
  return COLOURS[slotOf(id)]?.[dark ? 1 : 0] ?? (dark ? "#ffffff" : "#000000");
}

const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4]];

/** Dashes for the ids of one chart: the second of those that share a colour is dashed, the third dotted. */
export function dashesOf(ids: readonly string[]): (readonly number[])[] {
  const seen = new Map<number, number>();
  return ids.map((id) => {
    const slot = slotOf(id);
    const before = seen.get(slot) ?? 0;
    seen.set(slot, before + 1);
    return DASHES[before % DASHES.length] ?? [];
  });
}

// A flat list read two by two.

export function pairsOf(list: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < list.length; at += 2) found.push([list[at] ?? "", list[at + 1] ?? ""]);
  return found;
}

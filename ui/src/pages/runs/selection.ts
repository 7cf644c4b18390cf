// Which runs are selected, and which one the keyboard is at: by place in the list, as every list of files does it.

export interface Selection {
  ids: ReadonlySet<string>;
  /** The place the keyboard is at; -1 before the first move. */
  at: number;
  /** Where a stretch began. */
  anchor: number;
}

export const NOTHING: Selection = { ids: new Set(), at: -1, anchor: -1 };

/** The id of the run at a place; null where it is not loaded. */
export type IdAt = (place: number) => string | null;

/** A click: alone, with Ctrl one more or less, with Shift everything from the anchor on. */
export function clicked(before: Selection, place: number, idAt: IdAt, keys: { ctrl: boolean; shift: boolean }): Selection {
  const id = idAt(place);
  if (id === null) return before;
  if (keys.shift && before.anchor >= 0) {
    const kept = keys.ctrl ? before.ids : new Set<string>();
    return { ids: union(kept, between(before.anchor, place, idAt)), at: place, anchor: before.anchor };
  }
  if (keys.ctrl) return flipped(before, place, idAt);
  return { ids: new Set([id]), at: place, anchor: place };
}

/** The run at a place joins, or leaves. */
export function flipped(before: Selection, place: number, idAt: IdAt): Selection {
  const id = idAt(place);
  if (id === null) return before;
  const ids = new Set(before.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, at: place, anchor: place };
}

/** The keyboard moves; with Shift it selects from the anchor on. */
export function moved(before: Selection, place: number, total: number, idAt: IdAt, shift: boolean): Selection {
  if (total === 0) return before;
  const at = Math.max(0, Math.min(total - 1, place));
  if (!shift) return { ids: before.ids, at, anchor: at };
  const anchor = before.anchor >= 0 ? before.anchor : Math.max(0, before.at);
  return { ids: between(anchor, at, idAt), at, anchor };
}

function between(one: number, other: number, idAt: IdAt): Set<string> {
  const ids = new Set<string>();
  for (let place = Math.min(one, other); place <= Math.max(one, other); place++) {
    const id = idAt(place);
    if (id !== null) ids.add(id);
  }
  return ids;
}

function union(one: ReadonlySet<string>, other: ReadonlySet<string>): Set<string> {
  return new Set([...one, ...other]);
}

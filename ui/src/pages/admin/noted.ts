// What the audit log can be narrowed by. The server knows the actions; these are their kinds.

export const KINDS = ["workspace", "experiment", "run", "files", "credential", "alias", "retention", "quota", "points", "store"] as const;

/** The beginning of so many days before a moment (milliseconds), in microseconds; undefined for any time. */
export function since(days: string, now: number): number | undefined {
  return days === "" ? undefined : (now - Number(days) * 86_400_000) * 1000;
}

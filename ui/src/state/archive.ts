// Archived runs are those with a tag of ours: set aside, and kept for good. The lists of this page leave them out unless
// they are asked for; to clients they are runs like all others.

import { fieldOf } from "./filter";

export const ARCHIVED = "stepwell.archived";

/** Known where the tag was asked for. */
export function isArchived({ tags }: { tags: Readonly<Record<string, string>> }): boolean {
  return Object.hasOwn(tags, ARCHIVED);
}

/** The filter, and besides only the archived runs, or only the others. */
export function withArchive(filter: string, archived: boolean): string {
  const wanted = `${fieldOf("tags", ARCHIVED)} IS ${archived ? "NOT " : ""}NULL`;
  return filter.trim() === "" ? wanted : `${filter} AND ${wanted}`;
}

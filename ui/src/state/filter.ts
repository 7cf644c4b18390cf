// What stands in the search box: a filter, or else a part of a run's name.

const NAME = String.raw`(?:[\w./:\-]|"[^"]*"|${"`"}[^${"`"}]*${"`"})+`;
const FIELD = String.raw`(?:\w+\s*\(\s*${NAME}\s*\)|${NAME}|run name)`;
const OPERATOR = String.raw`(?:[<>=!]|(?:not\s+)?i?like\s*['"]|(?:not\s+)?in\s*\(|is\s+(?:not\s+)?null)`;
const COMPARISON = new RegExp(String.raw`^\s*${FIELD}\s*${OPERATOR}`, "i");
const PREFIXED = /^\s*(?:\w+\s*\(\s*)?(?:metrics?|params?|parameters?|tags?|datasets?|attributes?|attr|run)\./i;

/** Whether a text is meant as a filter: it begins with a comparison, or with a field such as `params.`. */
export function isFilter(text: string): boolean {
  return COMPARISON.test(text) || PREFIXED.test(text);
}

/** The server's filter for what was typed. A plain text is a part of the run's name, in any case of letters. */
export function filterOf(text: string): string {
  if (text.trim() === "" || isFilter(text)) return text;
  return filterOfName(text.trim());
}

/** The runs with this part in their name, in any case of letters. */
export function filterOfName(part: string): string {
  return `run_name ILIKE ${quoted(`%${part}%`)}`;
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A field as a filter or an order names it. A key in backticks can hold everything but backticks. */
export function fieldOf(prefix: "metrics" | "params" | "tags", key: string, aggregate?: string): string {
  const bare = /^[A-Za-z_][\w./:-]*$/.test(key);
  const named = `${prefix}.${bare ? key : key.includes("`") ? `"${key}"` : `\`${key}\``}`;
  return aggregate === undefined ? named : `${aggregate}(${named})`;
}

/** The runs with these ids. */
export function idsFilter(ids: readonly string[]): string {
  return `run_id IN (${ids.map(quoted).join(", ")})`;
}

// Texts of others as cells of a table that leaves the page: for spreadsheets, which must never run what a run is called.

/** What makes a spreadsheet take a cell for a formula: its signs, as wide letters too, also behind what it skips. */
const FORMULA = /^[\s\0]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

/** A text with a quote before it where a spreadsheet would take it for a formula. Numbers stay numbers. */
function harmless(text: string): string {
  const number = text.trim() !== "" && !Number.isNaN(Number(text));
  return !number && FORMULA.test(text) ? `'${text}` : text;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** A field of CSV (RFC 4180). */
export function field(text: string): string {
  const safe = harmless(text);
  return /[",\r\n]/.test(safe) ? quoted(safe) : safe;
}

/** A cell of tab-separated text: without tabs and line ends. A quote at its beginning would join it to the next cells. */
export function tabbed(text: string): string {
  const safe = harmless(text.replace(/[\t\r\n]+/g, " "));
  return safe.startsWith('"') ? quoted(safe) : safe;
}

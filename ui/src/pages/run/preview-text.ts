// What a file's content is taken for, and texts as tables. Pure; nothing of a user's file is ever run.

/** How much of a file a preview fetches: bytes. */
export const MOST_TEXT = 1 << 20;
export const MOST_PICTURE = 16 << 20;
/** Rows and columns of a table that are shown. */
export const MOST_ROWS = 200;
export const MOST_COLUMNS = 50;

export type Kind = "text" | "table" | "json" | "picture" | "none";

const PICTURES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  svg: "image/svg+xml",
};
const TABLES = new Set(["csv", "tsv"]);
const TEXTS = new Set(
  "txt md log json jsonl yaml yml toml ini cfg conf py js ts sh html htm xml css sql r ipynb env diff patch rst tex out err mlmodel".split(" "),
);

export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1).toLowerCase();
}

export function kindOf(path: string): Kind {
  const extension = extensionOf(path);
  if (extension in PICTURES) return "picture";
  if (TABLES.has(extension)) return "table";
  if (extension === "json") return "json";
  return TEXTS.has(extension) || extension === "" || /\/?(MLmodel|Dockerfile|Makefile|README)$/.test(path) ? "text" : "none";
}

/** The type under which a picture is shown, by its name alone: never what the server or the file says. */
export function pictureType(path: string): string {
  return PICTURES[extensionOf(path)] ?? "application/octet-stream";
}

export interface Table {
  head: string[];
  rows: string[][];
  /** How many rows there are beside the head; those shown are the first of them. */
  all: number;
}

/** Text with separators, RFC 4180: quotes around cells, doubled within, line breaks allowed inside. */
export function separated(text: string, separator: "," | "\t"): Table {
  const cell = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"?)?([^${separator}\\r\\n]*)(${separator}|\\r?\\n|\\r|$)`, "y");
  const rows: string[][] = [];
  let row: string[] = [];
  while (cell.lastIndex < text.length) {
    const [, quoted = "", bare = "", end = ""] = cell.exec(text) ?? [];
    row.push(quoted.replaceAll('""', '"') + bare);
    if (end === separator && cell.lastIndex < text.length) continue;
    if (end === separator) row.push("");
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  const [head = [], ...body] = rows;
  return cut(head, body);
}

/** JSON that is a table: {columns, data}, {columns, rows}, or a list of objects; null for any other. */
export function jsonTable(text: string): Table | null {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return null;
  }
  if (Array.isArray(told)) return ofObjects(told);
  if (typeof told !== "object" || told === null || !("columns" in told) || !Array.isArray(told.columns)) return null;
  const rows: unknown = "data" in told ? told.data : "rows" in told ? told.rows : null;
  if (!Array.isArray(rows) || !rows.every(Array.isArray)) return null;
  return cut(
    told.columns.map(shown),
    rows.map((row: unknown[]) => row.map(shown)),
  );
}

function ofObjects(told: unknown[]): Table | null {
  const plain = (each: unknown): each is Record<string, unknown> => typeof each === "object" && each !== null && !Array.isArray(each);
  if (told.length === 0 || !told.every(plain)) return null;
  const head = [...new Set(told.flatMap(Object.keys))];
  return cut(
    head,
    told.map((each) => head.map((name) => shown(each[name]))),
  );
}

function shown(given: unknown): string {
  return typeof given === "string" ? given : given === undefined ? "" : JSON.stringify(given);
}

function cut(head: string[], rows: string[][]): Table {
  return { head: head.slice(0, MOST_COLUMNS), rows: rows.slice(0, MOST_ROWS).map((row) => row.slice(0, MOST_COLUMNS)), all: rows.length };
}

/** Bytes as people read them. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10) - 1);
  return `${Number((bytes / 1024 ** (at + 1)).toPrecision(3))} ${units[at] ?? ""}`;
}

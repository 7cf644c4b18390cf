// What could stand at the caret of a filter. The grammar is docs/reference/filters.md; the server judges, this proposes.

export type Keyed = "metrics" | "params" | "tags";

/** What may replace the text between `from` and `to`. With `keys`, names of that kind are asked of the server. */
export interface Context {
  from: number;
  to: number;
  /** What of the replaced text is looked for. */
  typed: string;
  words: readonly Proposal[];
  keys: Keyed | null;
}

export interface Proposal {
  text: string;
  hint: string;
}

const FIELDS: readonly Proposal[] = [
  { text: "metrics.", hint: "a metric's latest value" },
  { text: "min(metrics.", hint: "the least of a metric" },
  { text: "max(metrics.", hint: "the greatest of a metric" },
  { text: "mean(metrics.", hint: "the mean of a metric" },
  { text: "last(metrics.", hint: "the latest of a metric" },
  { text: "count(metrics.", hint: "how many points" },
  { text: "params.", hint: "a param" },
  { text: "tags.", hint: "a tag" },
  { text: "datasets.name", hint: "a dataset that was used" },
  { text: "status", hint: "attribute" },
  { text: "run_name", hint: "attribute" },
  { text: "run_id", hint: "attribute" },
  { text: "user_id", hint: "attribute" },
  { text: "start_time", hint: "microseconds" },
  { text: "end_time", hint: "microseconds" },
  { text: "duration", hint: "microseconds, of runs that ended" },
];
const COMPARING: readonly Proposal[] = [
  { text: "<", hint: "less" },
  { text: "<=", hint: "less or equal" },
  { text: ">", hint: "greater" },
  { text: ">=", hint: "greater or equal" },
  { text: "=", hint: "equal" },
  { text: "!=", hint: "not equal" },
];
const MATCHING: readonly Proposal[] = [
  { text: "=", hint: "equal" },
  { text: "!=", hint: "not equal" },
  { text: "LIKE", hint: "% is any text" },
  { text: "ILIKE", hint: "% is any text, in any case" },
];
const NULLS: readonly Proposal[] = [
  { text: "IS NULL", hint: "the run has none" },
  { text: "IS NOT NULL", hint: "the run has one" },
];
const LISTS: readonly Proposal[] = [
  { text: "IN (", hint: "one of" },
  { text: "NOT IN (", hint: "none of" },
];
const STATUSES = ["RUNNING", "FINISHED", "FAILED", "KILLED", "SCHEDULED"].map((word) => ({ text: `'${word}'`, hint: "status" }));
const AND: readonly Proposal[] = [{ text: "AND ", hint: "one more comparison" }];

const TOKEN = /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`[^`]*`?|[<>!=]+|[(),]|[^\s<>!=(),'"`]+(?:`[^`]*`?|"[^"]*"?)?/g;

interface Token {
  text: string;
  from: number;
  to: number;
}

type Expected = "field" | "operator" | "value" | "list" | "and" | "nothing";

/** What is proposed at the caret, or null where nothing can be said. */
export function contextAt(text: string, caret: number): Context | null {
  const before = [...text.slice(0, caret).matchAll(TOKEN)].map((m) => ({ text: m[0], from: m.index, to: m.index + m[0].length }));
  const last = before.at(-1);
  const touching = last?.to === caret && !/^[(),]$/.test(last.text) ? last : null;
  const done = touching === null ? before : before.slice(0, -1);
  const from = touching?.from ?? caret;
  const typed = text.slice(from, caret);
  const { expected, field } = walk(done);
  const to = caret + (/^[\w./:-]*/.exec(text.slice(caret))?.[0].length ?? 0);
  if (expected === "field") return fieldContext(text, from, to, typed, done);
  const words: Partial<Record<Expected, readonly Proposal[]>> = {
    operator: operatorsFor(field),
    value: /(^|\.)status$/i.test(field) ? STATUSES : [],
    and: AND,
  };
  const proposals = words[expected];
  return proposals === undefined ? null : { from, to, typed, words: matching(proposals, typed), keys: null };
}

function fieldContext(text: string, from: number, to: number, typed: string, done: readonly Token[]): Context {
  const keyed = /^(metrics?|params?|parameters?|tags?)\.(.*)$/is.exec(typed);
  if (keyed === null) {
    const inside = done.at(-1)?.text === "(";
    const words = inside ? FIELDS.filter((field) => field.text === "metrics.") : FIELDS;
    return { from, to, typed, words: matching(words, typed), keys: null };
  }
  const [, prefix = "", key = ""] = keyed;
  const kind = prefix.toLowerCase().startsWith("m") ? "metrics" : prefix.toLowerCase().startsWith("p") ? "params" : "tags";
  const keyFrom = from + prefix.length + 1;
  return { from: keyFrom, to: key.startsWith("`") && text[to] === "`" ? to + 1 : to, typed: key.replace(/^[`"]/, ""), words: [], keys: kind };
}

/** What comes next after whole tokens, and the field of the comparison that is being written. */
function walk(tokens: readonly Token[]): { expected: Expected; field: string } {
  let expected: Expected = "field";
  let field = "";
  for (const { text } of tokens) {
    const next: Expected = AFTER[expected](text);
    if (expected === "field" && next === "operator") field = text;
    expected = next;
  }
  return { expected, field };
}

/** What is expected after a token, by what was expected of it. */
const AFTER: Record<Expected, (token: string) => Expected> = {
  field: (token) => (/^(\(|last|min|max|mean|count)$/i.test(token) ? "field" : "operator"),
  operator: (token) => {
    if (/^(\)|not|is)$/i.test(token)) return "operator";
    return /^in$/i.test(token) ? "list" : /^null$/i.test(token) ? "and" : "value";
  },
  list: (token) => (token === ")" ? "and" : "list"),
  value: () => "and",
  and: (token) => (/^and$/i.test(token) ? "field" : "nothing"),
  nothing: () => "nothing",
};

function operatorsFor(field: string): readonly Proposal[] {
  if (/^metrics?\./i.test(field) || /(^|\.)(start_time|end_time|created|duration)$/i.test(field)) return COMPARING;
  if (/^(params?|parameters?|tags?)\./i.test(field)) return [...MATCHING, ...NULLS];
  if (/(^|\.)run_id$/i.test(field) || /^datasets?\./i.test(field)) return [...MATCHING, ...LISTS];
  return MATCHING;
}

function matching(words: readonly Proposal[], typed: string): Proposal[] {
  const wanted = typed.toLowerCase();
  return words.filter(({ text }) => text.toLowerCase().startsWith(wanted) && text.toLowerCase() !== wanted);
}

/** A key as it is written into a filter. */
export function written(key: string): string {
  if (/^[A-Za-z_][\w./:-]*$/.test(key)) return key;
  return key.includes("`") ? `"${key}"` : `\`${key}\``;
}

/** The text and the caret after a proposal was taken. */
export function taken(text: string, context: Context, proposal: string): { text: string; caret: number } {
  const open = proposal.endsWith(".") || proposal.endsWith("(") || proposal.endsWith(" ");
  const inCall = context.keys === "metrics" && /\b(last|min|max|mean|count)\s*\(\s*metrics?\.$/i.test(text.slice(0, context.from));
  const closing = inCall && text[context.to] !== ")" ? ")" : "";
  const space = open || /^[\s)]/.test(text.slice(context.to)) ? "" : " ";
  const put = `${context.keys === null ? proposal : written(proposal)}${closing}${space}`;
  return { text: text.slice(0, context.from) + put + text.slice(context.to), caret: context.from + put.length };
}

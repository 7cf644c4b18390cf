// The search box: a part of a name, or a filter with proposals at the caret; the server's error stands at its place.

import type { TargetedKeyboardEvent } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Problem, Result } from "../api/client";
import { useFetching } from "../api/fetching";
import { isFilter } from "../state/filter";
import { useKey } from "../state/keyboard";
import { contextAt, taken, type Context, type Keyed, type Proposal } from "./completion";
import { useSettled } from "./picker";
import "./parts.css";

export type AskKeys = (kind: Keyed, typed: string, signal: AbortSignal) => Promise<Result<string[]>>;

interface FilterBoxProps {
  value: string;
  /** `typing`: the person has not said that this is all. */
  onChange: (value: string, typing: boolean) => void;
  error: Problem | null;
  keys: AskKeys;
}

export function FilterBox({ value, onChange, error, keys }: FilterBoxProps) {
  const [text, setText] = useState(value);
  const [caret, setCaret] = useState<number | null>(null);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const { context, proposals } = useProposals(text, caret, keys);
  const told = useRef(value);
  useLayoutEffect(() => {
    // What comes back from the address is older than what was written meanwhile.
    if (value !== told.current) setText(value);
    told.current = value;
  }, [value]);
  useKey("/", () => input.current?.focus());
  const settled = useSettled(text, 400);
  const tell = (whole: string, typing: boolean) => {
    told.current = whole;
    onChange(whole, typing);
  };
  useEffect(() => {
    // A name is searched while it is written; a filter that is not finished would only be an error.
    if (settled === text && settled !== value && !isFilter(settled)) tell(settled, true);
  }, [settled]);
  const follow = () => {
    setAt(-1);
    setCaret(input.current?.selectionStart ?? null);
  };
  const take = (proposal: Proposal) => {
    if (context === null || input.current === null) return;
    const next = taken(text, context, proposal.text);
    setText(next.text);
    input.current.value = next.text;
    input.current.setSelectionRange(next.caret, next.caret);
    follow();
  };
  const commit = (whole: string) => {
    setText(whole);
    setCaret(null);
    tell(whole, false);
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLInputElement>) => {
    const act = keyOf(event.key, proposals, at, { move: setAt, take, close: () => setCaret(null), commit: () => commit(text), clear: () => commit("") });
    if (act === null) return;
    act();
    event.preventDefault();
  };
  return (
    <div class="filter-box">
      <input
        type="text"
        role="combobox"
        ref={input}
        aria-label="Search runs by name or filter"
        aria-expanded={proposals.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
        aria-invalid={error !== null}
        placeholder="Part of a name, or a filter: metrics.loss < 0.3 AND params.lr = '0.1'"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          follow();
        }}
        onClick={follow}
        onKeyUp={(event) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && follow()}
        onBlur={() => setCaret(null)}
        onKeyDown={onKeyDown}
      />
      <Proposals id={list} proposals={proposals} at={at} take={take} />
      {error !== null && <Wrong error={error} text={value} />}
    </div>
  );
}

/** What may be taken at the caret: words of the language at once, names of keys when the server has told them. */
function useProposals(text: string, caret: number | null, keys: AskKeys): { context: Context | null; proposals: Proposal[] } {
  const context = caret === null ? null : contextAt(text, caret);
  const typed = context?.typed ?? "";
  const kind = context?.keys ?? null;
  const asked = useSettled(kind === null ? null : `${kind} ${typed}`, 120);
  const found = useFetching(asked, (signal) => keys(kind ?? "metrics", typed, signal));
  const names = kind === null ? [] : (found.data ?? []).filter((name) => name !== typed);
  const proposals = [...(context?.words ?? []), ...names.map((name) => ({ text: name, hint: "" }))].slice(0, 12);
  return { context, proposals };
}

interface Acts {
  move: (at: number) => void;
  take: (proposal: Proposal) => void;
  close: () => void;
  commit: () => void;
  clear: () => void;
}

/** What a key does. The first Escape closes the proposals, the second empties the box. */
function keyOf(key: string, proposals: readonly Proposal[], at: number, acts: Acts): (() => void) | null {
  const count = proposals.length;
  const chosen = proposals[at];
  if (key === "Enter") return chosen === undefined ? acts.commit : () => acts.take(chosen);
  if (key === "Tab") return chosen === undefined ? null : () => acts.take(chosen);
  if (key === "Escape") return count > 0 ? acts.close : acts.clear;
  if (count === 0) return null;
  if (key === "ArrowDown") return () => acts.move((at + 1) % count);
  return key === "ArrowUp" ? () => acts.move((at <= 0 ? count : at) - 1) : null;
}

interface ProposalsProps {
  id: string;
  proposals: readonly Proposal[];
  at: number;
  take: (proposal: Proposal) => void;
}

function Proposals({ id, proposals, at, take }: ProposalsProps) {
  return (
    <ul id={id} role="listbox" aria-label="Proposals" hidden={proposals.length === 0}>
      {proposals.map((proposal, nth) => (
        <li
          key={proposal.text}
          id={`${id}-${nth}`}
          role="option"
          aria-selected={nth === at}
          onPointerDown={(event) => {
            event.preventDefault();
            take(proposal);
          }}
        >
          {proposal.text} <span class="faint">{proposal.hint}</span>
        </li>
      ))}
    </ul>
  );
}

/** The error, and where in the filter it is. */
function Wrong({ error, text }: { error: Problem; text: string }) {
  const at = error.position;
  return (
    <p class="wrong" role="alert">
      {at !== null && (
        <code>
          {text.slice(Math.max(0, at - 30), at)}
          <mark>{text.slice(at, at + 1) || "␣"}</mark>
          {text.slice(at + 1, at + 30)}
        </code>
      )}
      {error.message}
    </p>
  );
}

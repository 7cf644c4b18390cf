// A list to choose from that is searched on the server: it never holds more than one page of names.

import { useEffect, useState } from "preact/hooks";
import type { Result } from "../api/client";
import { useFetching } from "../api/fetching";
import { Empty, Failed, Loading } from "./states";
import "./parts.css";

export interface Option {
  id: string;
  text: string;
  hint?: string;
}

export interface Options {
  options: Option[];
  /** There are more than these. */
  more: boolean;
}

interface PickerProps {
  /** What is looked for, in words: "experiments". */
  what: string;
  /** Tells one list from another. */
  list: string;
  ask: (text: string, signal: AbortSignal) => Promise<Result<Options>>;
  chosen: readonly string[];
  onToggle: (option: Option) => void;
}

export function Picker({ what, list, ask, chosen, onToggle }: PickerProps) {
  const [text, setText] = useState("");
  const wanted = useSettled(text, 150);
  const found = useFetching(`${list} ${wanted}`, (signal) => ask(wanted, signal));
  const options = found.data?.options ?? [];
  return (
    <div class="picker">
      <input
        type="search"
        aria-label={`Search ${what}`}
        placeholder={`Search ${what}`}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what={what} />}
      {found.data !== null && options.length === 0 && <Empty>No {what} match.</Empty>}
      <ul>
        {options.map((option) => (
          <li key={option.id}>
            <label>
              <input type="checkbox" checked={chosen.includes(option.id)} onChange={() => onToggle(option)} />
              <span>{option.text}</span>
              {option.hint !== undefined && <span class="faint">{option.hint}</span>}
            </label>
          </li>
        ))}
      </ul>
      {found.data?.more === true && <p class="faint">There are more: search to find them.</p>}
    </div>
  );
}

/** A value once it has stood still for so many milliseconds. */
export function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

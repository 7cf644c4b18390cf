// Asking from a component: loading, ready and failed are distinct states, and what was shown stays while the next comes.

import { useCallback, useEffect, useState } from "preact/hooks";
import { useAway } from "../state/tick";
import type { Problem, Result } from "./client";

export interface Fetching<T> {
  /** The last good answer. */
  data: T | null;
  /** The answer belongs to a question before. */
  old: boolean;
  error: Problem | null;
  loading: boolean;
  retry: () => void;
}

/** `asked` and `answered` are keys. */
interface State<T> {
  data: T | null;
  error: Problem | null;
  loading: boolean;
  asked: string | null;
  answered: string | null;
}

/** Ask when `key` changes; null asks nothing. An answer to an older question is dropped. */
export function useFetching<T>(key: string | null, ask: (signal: AbortSignal) => Promise<Result<T>>): Fetching<T> {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<State<T>>({ data: null, error: null, loading: key !== null, asked: key, answered: null });
  useEffect(() => {
    if (key === null) {
      setState({ data: null, error: null, loading: false, asked: null, answered: null });
      return;
    }
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true, asked: key }));
    ask(stop.signal)
      .then((result) => {
        if (stop.signal.aborted) return;
        if (result.ok) setState({ data: result.data, error: null, loading: false, asked: key, answered: key });
        else setState((before) => ({ ...before, error: result.error, loading: false }));
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    return () => {
      stop.abort();
    };
    // `ask` is a new closure at every render; `key` says what it asks.
  }, [key, round]);
  const retry = useCallback(() => {
    setRound((n) => n + 1);
  }, []);
  const { data, error, loading, asked, answered } = state;
  useAway({ error, loading, retry });
  // A new question leaves after the paint: until then, too, nobody may say that there is nothing.
  return { data, old: answered !== key, error, loading: loading || asked !== key, retry };
}

// Asking from a component: loading, ready and failed are distinct states, and what was shown stays while the next comes.

import { useCallback, useEffect, useState } from "preact/hooks";
import type { Problem, Result } from "./client";

export interface Fetching<T> {
  /** The last good answer, which may belong to the question before while `loading`. */
  data: T | null;
  error: Problem | null;
  loading: boolean;
  retry: () => void;
}

/** Ask when `key` changes; null asks nothing. An answer to an older question is dropped. */
export function useFetching<T>(key: string | null, ask: (signal: AbortSignal) => Promise<Result<T>>): Fetching<T> {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<Omit<Fetching<T>, "retry">>({ data: null, error: null, loading: key !== null });
  useEffect(() => {
    if (key === null) {
      setState({ data: null, error: null, loading: false });
      return;
    }
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    ask(stop.signal)
      .then((result) => {
        if (stop.signal.aborted) return;
        if (result.ok) setState({ data: result.data, error: null, loading: false });
        else setState((before) => ({ data: before.data, error: result.error, loading: false }));
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
  return { ...state, retry };
}

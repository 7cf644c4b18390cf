// A clock for what follows running runs: it stands still while nobody sees the page.

import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../api/client";
import { PARAMS, useParam } from "./params";

/** A count that grows every so many seconds while the page can be seen, and at once when it comes back; 0: never. */
export function useTick(seconds: number): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (seconds <= 0) return;
    const beat = () => {
      if (!document.hidden) setCount((before) => before + 1);
    };
    const timer = setInterval(beat, seconds * 1000);
    document.addEventListener("visibilitychange", beat);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", beat);
    };
  }, [seconds]);
  return count;
}

/** Ask again at every beat, unless the last answer is still on its way: a slow server is not asked faster than it answers. */
export function useAgain(beat: number, { loading, retry }: { loading: boolean; retry: () => void }): void {
  useEffect(() => {
    if (beat > 0 && !loading) retry();
  }, [beat]);
}

/** Seconds between two questions to a server that is away. */
const AWAY = 5;
/** What passes by itself: no answer at all, too many questions, a proxy whose server restarts, a server that is busy. */
const PASSING = new Set([0, 429, 502, 503, 504]);

/** Ask again, unless following is off, until a server that was away is back. */
export function useAway({ error, loading, retry }: { error: Problem | null; loading: boolean; retry: () => void }): void {
  const [live] = useParam(PARAMS.live);
  const away = error !== null && PASSING.has(error.status) && live > 0;
  useAgain(useTick(away ? Math.max(live, AWAY) : 0), { loading, retry });
}

/** As useTick, with the pace that the address names. */
export function useLiveTick(): number {
  const [live] = useParam(PARAMS.live);
  return useTick(live);
}

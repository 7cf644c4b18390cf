// A clock for what follows running runs: it stands still while nobody sees the page.

import { useEffect, useState } from "preact/hooks";
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

/** As useTick, with the pace that the address names. */
export function useLiveTick(): number {
  const [live] = useParam(PARAMS.live);
  return useTick(live);
}

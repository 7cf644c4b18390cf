// The data of a chart for a component: asked for when what is wanted changes, a zoom only when it has come to rest.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useAway } from "../state/tick";
import { Feed, type FeedState, type Wish } from "./feed";
import type { Stage } from "./stage";

export interface Fed {
  state: FeedState;
  /** What is drawn is not all: more was asked for, or will be once the zoom has come to rest. */
  busy: boolean;
  retry: () => void;
}

const NOTHING_YET: FeedState = { held: [], loading: true, error: null };
/** Milliseconds that a zoom stands still before its points are asked for. */
export const RESTED = 150;

/** Without a budget nothing is asked for yet; of hidden runs never. */
export function useFeed(stage: Stage, wish: Omit<Wish, "budget"> & { budget: number | null }): Fed {
  const { metric, runs, settings, zoom, budget } = wish;
  const [state, setState] = useState(NOTHING_YET);
  const feed = useRef<Feed | null>(null);
  const rested = useRested(zoom, RESTED);
  const identity = JSON.stringify(runs.map((run) => [run.id, run.labels, run.running, run.hidden, run.startTimeUs]));
  // Before the paint: the question leaves a frame earlier.
  useLayoutEffect(() => {
    const made = new Feed(stage.source, stage.live, (now) => setState((before) => (waits(before) && waits(now) ? before : now)));
    feed.current = made;
    return () => made.close();
  }, [stage]);
  const { x, xMetric, logX, line } = settings;
  useLayoutEffect(() => {
    if (budget !== null) feed.current?.want({ metric, runs: runs.filter((run) => run.hidden !== true), settings, zoom: zoom && rested, budget });
  }, [stage, metric, identity, x, xMetric, logX, line, zoom && rested, budget]);
  const busy = state.loading || rested !== zoom;
  const retry = () => feed.current?.retry();
  useAway({ error: state.error, loading: busy, retry });
  return { state, busy, retry };
}

/** Nothing to draw yet: to say so again would render the chart again. */
function waits({ held, loading, error }: FeedState): boolean {
  return held.length === 0 && loading && error === null;
}

function useRested<T>(value: T, milliseconds: number): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(() => value), milliseconds);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

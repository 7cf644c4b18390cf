// What the cards of one page share: the server's data, the cursor's place, and which run is highlighted.

import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { PARAMS, valueOf } from "../state/params";
import { current } from "../state/route";
import { Live } from "./live";
import { Nearness } from "./nearness";
import { Source } from "./source";
import { Widths } from "./widths";

/** A value that several watch. Telling the same again tells nobody. */
export class Topic<T> {
  private readonly watchers = new Set<(value: T) => void>();

  constructor(private held: T) {}

  get value(): T {
    return this.held;
  }

  tell(value: T): void {
    if (Object.is(value, this.held)) return;
    this.held = value;
    for (const watcher of this.watchers) watcher(value);
  }

  watch(watcher: (value: T) => void): () => void {
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
    };
  }
}

/** Where the cursor is on the x axis, which axis that is, and the chart under the pointer. */
export interface Pointing {
  x: number;
  axis: string;
  by: object;
}

export class Stage {
  readonly source = new Source();
  readonly live = new Live();
  readonly nearness = new Nearness();
  readonly widths = new Widths();
  readonly cursor = new Topic<Pointing | null>(null);
  /** The key of the run whose line stands out. */
  readonly highlighted = new Topic<string | null>(null);
}

export const StageContext = createContext<Stage | null>(null);

/** The stage of the page, or one of this component's own. */
export function useStage(): Stage {
  const outer = useContext(StageContext);
  const own = useMemo(() => (outer === null ? new Stage() : null), [outer]);
  useEffect(() => own?.live.start(), [own]);
  useLayoutEffect(() => {
    if (own === null) return;
    const pace = () => own.live.every(valueOf(current().query, PARAMS.live));
    pace();
    addEventListener("hashchange", pace);
    return () => removeEventListener("hashchange", pace);
  }, [own]);
  const stage = outer ?? own;
  if (stage === null) throw new Error("There is always a stage.");
  return stage;
}

export function useTopic<T>(topic: Topic<T>): T {
  const [value, setValue] = useState(topic.value);
  useLayoutEffect(() => {
    setValue(() => topic.value);
    return topic.watch((next) => setValue(() => next));
  }, [topic]);
  return value;
}

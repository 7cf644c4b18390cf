// A long list of console lines. Only those in view are mounted; all are equally high, and none is wrapped.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { moment } from "../../charts/format";
import { spanOf } from "../../parts/windowing";

export interface Line {
  /** Microseconds. */
  at: number;
  level: string;
  /** Without a line break. */
  text: string;
}

/** As in the style sheet. */
const ROW = 18;
const OVER = 20;

interface LinesProps {
  lines: readonly Line[];
  /** The place of the first line. When lines before it go or come, who reads in the middle goes on reading the same. */
  first: number;
  /** The list opens at its end. */
  atEnd: boolean;
  /** What the list is called. */
  label: string;
}

/** Whoever looks at the end goes on looking at the end when lines come. */
export function Lines({ lines, first, atEnd: opens, label }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(opens);
  const was = useRef(first);
  const [place, setPlace] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = () => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const follow = () => {
      const { scrollTop, clientHeight, scrollHeight } = element;
      atEnd.current = scrollTop + clientHeight >= scrollHeight - ROW;
      measure();
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    element.addEventListener("scroll", follow, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", follow);
    };
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (atEnd.current) element.scrollTo({ top: element.scrollHeight });
    else if (first !== was.current) element.scrollTo({ top: element.scrollTop - (first - was.current) * ROW });
    was.current = first;
  }, [lines, first]);
  const { from, to } = spanOf(place.top, place.height, ROW, lines.length, OVER);
  // Lines that are scrolled into view are no news: nothing is read aloud.
  return (
    <div class="log" ref={box} tabIndex={0} role="log" aria-live="off" aria-label={label}>
      <div style={{ paddingTop: `${from * ROW}px`, paddingBottom: `${(lines.length - to) * ROW}px` }}>
        {lines.slice(from, to).map((line, nth) => (
          <p key={from + nth} class={/error|critical|fatal/i.test(line.level) ? "error" : undefined}>
            <span class="at">{moment(line.at / 1e6)} </span>
            {line.text}
          </p>
        ))}
      </div>
    </div>
  );
}

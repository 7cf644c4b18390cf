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

/** `label` names the list. Whoever looks at the end goes on looking at the end when lines come. */
export function Lines({ lines, label }: { lines: readonly Line[]; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [place, setPlace] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = () => {
      const { scrollTop, clientHeight, scrollHeight } = element;
      atEnd.current = scrollTop + clientHeight >= scrollHeight - ROW;
      setPlace({ top: scrollTop, height: clientHeight });
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  useLayoutEffect(() => {
    if (atEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [lines]);
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

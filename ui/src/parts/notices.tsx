// Short messages at the edge of the page: what was done, with the way back, or what went wrong.

import { useLayoutEffect, useState } from "preact/hooks";
import "./parts.css";

export interface Notice {
  text: string;
  bad?: boolean;
  undo?: () => void;
}

const EVENT = "stepwell-notice";
/** Milliseconds: long enough to read it, and where there is a way back to reach the button. */
const STAYS = 10_000;
const STAYS_WITH_UNDO = 30_000;

/** Tell the person; any part of the page may. */
export function notify(notice: Notice): void {
  dispatchEvent(new CustomEvent<Notice>(EVENT, { detail: notice }));
}

export function Notices() {
  const [notices, setNotices] = useState<readonly Notice[]>([]);
  const drop = (notice: Notice) => setNotices((before) => before.filter((each) => each !== notice));
  useLayoutEffect(() => {
    const add = (event: Event) => {
      const notice = (event as CustomEvent<Notice>).detail;
      setNotices((before) => [...before.slice(-3), notice]);
      if (notice.bad !== true) setTimeout(() => drop(notice), notice.undo === undefined ? STAYS : STAYS_WITH_UNDO);
    };
    addEventListener(EVENT, add);
    return () => removeEventListener(EVENT, add);
  }, []);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map((notice) => (
        <p class={notice.bad === true ? "notice bad" : "notice"}>
          <span>{notice.text}</span>
          {notice.undo !== undefined && (
            <button
              type="button"
              onClick={() => {
                drop(notice);
                notice.undo?.();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" aria-label="Close this message" onClick={() => drop(notice)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}

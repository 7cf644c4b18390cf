// The keys of the page, in words.

import { Fragment } from "preact";
import { Dialog } from "./dialog";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["/", "Go to the search"],
  ["Esc", "Close what is open, clear the selection"],
  ["?", "Show these keys"],
  ["↑ ↓ Page ↑ Page ↓ Home End", "Move in the table of runs"],
  ["Space", "Select the run"],
  ["Shift + ↑ ↓", "Select from here on"],
  ["Ctrl + A", "Select all runs that are loaded"],
  ["Enter", "Open the run"],
  ["E", "Draw the run, or draw it no more"],
  ["Shift + E", "Draw this run alone"],
  ["← →", "In a chart: move the cursor from point to point"],
  ["Enter", "In a chart: keep what stands at the cursor, or let it go"],
  ["0", "In a chart: show the whole x axis"],
  ["← →", "On the handle of a card: move the card"],
];

export function KeysDialog({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <Fragment key={what}>
            <dt>{keys}</dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
      <div class="choices">
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

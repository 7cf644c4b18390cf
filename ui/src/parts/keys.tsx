// The keys of the page, in words.

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
];

export function KeysDialog({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <>
            <dt>{keys}</dt>
            <dd>{what}</dd>
          </>
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

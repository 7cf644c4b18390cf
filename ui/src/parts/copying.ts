// To the clipboard, also where the page came without TLS: there browsers hide the newer way from it.

import { notify } from "./notices";

/** Puts the text there and says so, or why not; whether it is there. */
export async function copy(text: string): Promise<boolean> {
  const done = (await written(text)) || selected(text);
  notify(done ? { text: "Copied." } : { text: "The browser does not let this page copy. Mark the lines and copy them.", bad: true });
  return done;
}

async function written(text: string): Promise<boolean> {
  if (!isSecureContext) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** As a person would: mark it and copy what is marked. */
function selected(text: string): boolean {
  const before = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "unseen";
  // Nothing outside an open dialog can be marked.
  (document.querySelector("dialog[open]") ?? document.body).append(box);
  box.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way without TLS
  const done = document.execCommand("copy");
  box.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

// What changes while the page is printed that no style sheet can say: canvases are drawn anew, light and as wide as paper.

import { apply, stored } from "./theme";

/** Charts measure and draw themselves anew at once: a printer waits for no frame. */
export const PAPER = "stepwell-paper";

/** From now on the page goes onto paper, and comes back from it. */
export function heedPrinting(): void {
  const paper = matchMedia("print");
  // Browsers differ in which of these they tell, and in which order.
  paper.addEventListener("change", () => print(paper.matches));
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
}

function print(printing: boolean): void {
  const { dataset } = document.documentElement;
  if (printing === (dataset.paper !== undefined)) return;
  if (printing) dataset.paper = "";
  else delete dataset.paper;
  apply(printing ? "light" : stored());
  dispatchEvent(new Event("stepwell-theme"));
  dispatchEvent(new Event(PAPER));
}

// One element over the whole page: while it is there nothing else can be reached, with the keyboard or by a screen reader.

/** Puts everything out of reach but `element` and the page's messages. What comes back ends that. */
export function alone(element: Element): () => void {
  const others: Element[] = [];
  for (let at: Element | null = element; at !== null && at !== document.body; at = at.parentElement) {
    for (const each of at.parentElement?.children ?? []) {
      if (each !== at && !each.classList.contains("notices") && !each.hasAttribute("inert")) others.push(each);
    }
  }
  for (const each of others) each.setAttribute("inert", "");
  return () => {
    for (const each of others) each.removeAttribute("inert");
  };
}

// How wide elements are.

/**
 * One observer for all cards of a page: it tells all of them before the next paint and in one go, so that what they ask
 * the server can go in few requests. Asking the elements would lay out the page for each of them.
 */
export class Widths {
  private readonly told = new WeakMap<Element, (width: number) => void>();
  private readonly watch = new ResizeObserver((changed) => {
    for (const { target, contentRect } of changed) {
      if (contentRect.width > 0) this.told.get(target)?.(Math.round(contentRect.width));
    }
  });

  /** Tells CSS pixels, at first and after changes; nothing while the element is not shown. */
  of(element: Element, tell: (width: number) => void): () => void {
    this.told.set(element, tell);
    this.watch.observe(element);
    return () => this.watch.unobserve(element);
  }
}

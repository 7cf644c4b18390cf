// Which elements are in view or not far from it.

/** One observer for all cards of a page: thousands of them are slow. */
export class Nearness {
  private readonly told = new WeakMap<Element, (near: boolean) => void>();
  private readonly watch = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) this.told.get(target)?.(isIntersecting);
    },
    { rootMargin: "250px" },
  );

  of(element: Element, tell: (near: boolean) => void): () => void {
    this.told.set(element, tell);
    this.watch.observe(element);
    return () => this.watch.unobserve(element);
  }

  close(): void {
    this.watch.disconnect();
  }
}

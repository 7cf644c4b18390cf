// Mounts its child once it comes near the view, and keeps it.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Near({ height, children }: { height: number; children: () => ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const watch = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && setNear(true), { rootMargin: "300px" });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return (
    <div ref={box} class="compare-near" style={{ minHeight: `${height}px` }}>
      {near && children()}
    </div>
  );
}

// A button with a panel below it. It closes with Escape, and when the focus or the pointer goes elsewhere.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export function Menu({ label, text, children }: { label: string; text: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && box.current?.contains(event.target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  return (
    <div class="chart-menu" ref={box} onKeyDown={escape}>
      <button type="button" class="chart-icon" aria-label={label} title={label} aria-expanded={open} onClick={() => setOpen(!open)}>
        {text}
      </button>
      {open && <div class="chart-menu-panel">{children}</div>}
    </div>
  );
}

// A button that opens a panel below itself. Escape, a press elsewhere and the button close it; the focus comes back.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import "./parts.css";

interface PopoverProps {
  /** What stands on the button. */
  button: ComponentChildren;
  /** What the button and the panel are for, in words. */
  label: string;
  class?: string;
  disabled?: boolean;
  children: (close: () => void) => ComponentChildren;
}

const INSIDE = "input, button, select, textarea, a[href], [tabindex='0']";

export function Popover({ button, label, class: name, disabled = false, children }: PopoverProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLSpanElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  useLayoutEffect(() => {
    if (!open) return;
    const leave = (event: PointerEvent) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false);
    };
    // On the page, too: what had the focus may be gone.
    const escape = (event: KeyboardEvent) => {
      if (event.key === "Escape" && document.querySelector("dialog[open]") === null) close();
    };
    addEventListener("pointerdown", leave);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("pointerdown", leave);
      removeEventListener("keydown", escape);
    };
  }, [open]);
  return (
    <span class="popover" ref={root}>
      <button
        type="button"
        ref={opener}
        class={name}
        aria-label={label}
        title={label}
        aria-expanded={open}
        aria-haspopup="dialog"
        disabled={disabled}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && <Panel label={label}>{children(close)}</Panel>}
    </span>
  );
}

function Panel({ label, children }: { label: string; children: ComponentChildren }) {
  const panel = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = panel.current;
    if (element === null) return;
    const over = element.getBoundingClientRect().right - (document.documentElement.clientWidth - 8);
    if (over > 0) element.style.translate = `${-over}px`;
    element.querySelector<HTMLElement>(INSIDE)?.focus();
  }, []);
  return (
    <div class="panel" role="dialog" aria-label={label} ref={panel}>
      {children}
    </div>
  );
}

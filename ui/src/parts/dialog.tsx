// A dialog before the page: the browser holds the focus inside, Escape closes it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useId, useRef } from "preact/hooks";
import "./parts.css";

export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={heading} onClose={close} onKeyDown={(event) => event.stopPropagation()}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What the button that does it says. */
  action: string;
  children: ComponentChildren;
  onConfirm: () => void;
  close: () => void;
}

/** A question before what cannot be taken back, or reaches far. */
export function Confirm({ title, action, children, onConfirm, close }: ConfirmProps) {
  return (
    <Dialog title={title} close={close}>
      <div class="told">{children}</div>
      <div class="choices">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            close();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}

// The three things that may stand where data should be. They never look alike.

import type { ComponentChildren } from "preact";
import type { Problem } from "../api/client";

export function Loading({ what }: { what: string }) {
  return (
    <p class="state loading" role="status">
      Loading {what}…
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="state empty">{children}</div>;
}

export function Failed({ error, retry }: { error: Problem; retry?: () => void }) {
  return (
    <div class="state failed" role="alert">
      <p>{error.message}</p>
      {error.requestId !== null && <p class="faint">Request {error.requestId}</p>}
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

// The form for the secret, in place of the page while the server wants one, or another one than it had.

import { useState } from "preact/hooks";
import { signIn } from "../state/session";
import "./parts.css";

/** `ended`: the server took the secret of this tab before. */
export function SignIn({ ended }: { ended: boolean }) {
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);
  const submit = async () => {
    setAsking(true);
    setProblem(await signIn(secret.trim()));
    setAsking(false);
  };
  return (
    <form
      class="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <h1>{ended ? "Sign in again" : "Sign in"}</h1>
      {ended && (
        <p class="ended" role="alert">
          The server does not take the credential of this tab any more: it has expired, or somebody revoked it. Nothing on this page is
          asked for or followed until you sign in again; then it shows what it showed before.
        </p>
      )}
      <p class="faint">This server wants a credential. The secret stays in this tab, and is forgotten when you close it.</p>
      <label class="field">
        <span>Secret</span>
        <input
          type="password"
          autocomplete="current-password"
          autofocus
          value={secret}
          aria-invalid={problem !== null}
          onInput={(event) => setSecret(event.currentTarget.value)}
        />
      </label>
      {problem !== null && (
        <p class="state failed" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" disabled={asking || secret.trim() === ""}>
        {asking ? "Asking…" : "Sign in"}
      </button>
    </form>
  );
}

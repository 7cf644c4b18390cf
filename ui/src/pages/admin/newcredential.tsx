// The form for a new credential, and its secret, which is shown this once.

import { useState } from "preact/hooks";
import { post } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { copy } from "../../parts/copying";
import { notify } from "../../parts/notices";
import type { Principal } from "../../state/session";
import { LIFETIMES } from "./lifetimes";

const ROLES = ["reader", "writer", "admin"] as const;

export function NewCredential({ session, onMade }: { session: Principal; onMade: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<(typeof ROLES)[number]>("writer");
  const [workspace, setWorkspace] = useState(session.workspace === "*" ? "default" : session.workspace);
  const [expires, setExpires] = useState("90d");
  const [secret, setSecret] = useState<string | null>(null);
  const make = async () => {
    const body = { name, role, workspace, ...(expires === "" ? {} : { expires }) };
    const made = await post("/api/v1/credentials", { body });
    if (!made.ok) return notify({ text: made.error.message, bad: true });
    setSecret(made.data.secret);
    setName("");
    onMade();
  };
  return (
    <form
      class="new-credential"
      aria-label="New credential"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <label class="field">
        <span>What it is for</span>
        <input required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Role</span>
        <select value={role} onChange={(event) => setRole(ROLES.find((each) => each === event.currentTarget.value) ?? "reader")}>
          {ROLES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Workspace{session.workspace === "*" && ", * for all"}</span>
        <input required disabled={session.workspace !== "*"} value={workspace} onInput={(event) => setWorkspace(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Ends after</span>
        <select value={expires} onChange={(event) => setExpires(event.currentTarget.value)}>
          {LIFETIMES.map(([word, title]) => (
            <option key={word} value={word}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <button type="submit">Make a credential</button>
      {secret !== null && <Secret secret={secret} close={() => setSecret(null)} />}
    </form>
  );
}

function Secret({ secret, close }: { secret: string; close: () => void }) {
  const [copied, setCopied] = useState(false);
  return (
    <Dialog title="The secret of the new credential" close={close}>
      <p>It is shown this once. Nobody can read it again, not even the server.</p>
      <input class="secret" readOnly aria-label="Secret" value={secret} onFocus={(event) => event.currentTarget.select()} />
      <div class="choices">
        <button type="button" onClick={() => void copy(secret).then(setCopied)}>
          {copied ? "Copied" : "Copy"}
        </button>
        <button type="button" onClick={close}>
          I have kept it
        </button>
      </div>
    </Dialog>
  );
}

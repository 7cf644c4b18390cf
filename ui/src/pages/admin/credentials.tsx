// Who may come in: list, make (the secret is shown once), revoke.

import { useState } from "preact/hooks";
import type { components } from "../../api/schema";
import { get, remove } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment } from "../../charts/format";
import { Confirm } from "../../parts/dialog";
import { notify } from "../../parts/notices";
import { Empty, Failed, Loading } from "../../parts/states";
import type { Principal } from "../../state/session";
import { NewCredential } from "./newcredential";
import { stateOf } from "./lifetimes";

type Credential = components["schemas"]["CredentialInfo"];

export function Credentials({ session }: { session: Principal }) {
  const found = useFetching("credentials", (signal) => get("/api/v1/credentials", { signal }));
  const [ending, setEnding] = useState<Credential | null>(null);
  const revoke = async (credential: Credential) => {
    const done = await remove("/api/v1/credentials/{credential_id}", { path: { credential_id: credential.id } });
    notify(done.ok ? { text: `Credential ${titleOf(credential)} is revoked.` } : { text: done.error.message, bad: true });
    found.retry();
  };
  const list = found.data?.credentials ?? [];
  return (
    <section aria-labelledby="credentials">
      <h2 id="credentials">Credentials</h2>
      {session.credential_id === null ? (
        <p>
          This server wants no credentials: whoever reaches it may do everything. Start it with <code>--auth required</code> to change
          that, and make the first credential with <code>stepwell credential create</code>.
        </p>
      ) : (
        <NewCredential session={session} onMade={found.retry} />
      )}
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="credentials" />}
      {found.data !== null && list.length === 0 && <Empty>No credentials yet.</Empty>}
      {list.length > 0 && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                {["Id", "For", "Workspace", "Role", "Made", "Ends", "State", ""].map((title) => (
                  <th key={title} scope="col">
                    {title === "" ? <span class="unseen">Revoke</span> : title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {list.map((credential) => (
                <Row key={credential.id} credential={credential} own={credential.id === session.credential_id} revoke={() => setEnding(credential)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {ending !== null && (
        <Confirm title={`Revoke ${titleOf(ending)}?`} action="Revoke" onConfirm={() => void revoke(ending)} close={() => setEnding(null)}>
          <p>Whoever uses it is refused within a second. This cannot be taken back.</p>
          {ending.id === session.credential_id && <p>It is the one you are signed in with.</p>}
        </Confirm>
      )}
    </section>
  );
}

function Row({ credential, own, revoke }: { credential: Credential; own: boolean; revoke: () => void }) {
  const state = stateOf(credential, Date.now() * 1000);
  const time = (us: number | null) => (us === null ? "never" : moment(Math.floor(us / 1e6)));
  return (
    <tr>
      <td>
        <code>{credential.id}</code> {own && <span class="faint">(you)</span>}
      </td>
      <td>{credential.name}</td>
      <td>{credential.workspace === "*" ? "all" : credential.workspace}</td>
      <td>{credential.role}</td>
      <td>{time(credential.created_at_us)}</td>
      <td>{time(credential.expires_at_us)}</td>
      <td class={state === "valid" ? "" : "faint"}>{state}</td>
      <td>
        {state === "valid" && (
          <button type="button" class="danger" aria-label={`Revoke ${titleOf(credential)}`} onClick={revoke}>
            Revoke…
          </button>
        )}
      </td>
    </tr>
  );
}

function titleOf(credential: Credential): string {
  return credential.name === "" ? credential.id : credential.name;
}

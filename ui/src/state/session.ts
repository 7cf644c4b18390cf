// Who asks: the secret that this tab holds, and whether the server wants one. What the secret allows is the server's.

import { useEffect, useState } from "preact/hooks";
import { get, identity } from "../api/client";

const KEY = "stepwell-secret";
const EVENT = "stepwell-session";

export type Session = "open" | "refused";

/** Take up the secret of this tab, before anything is asked. */
export function resume(): void {
  identity.secret = sessionStorage.getItem(KEY);
  identity.refused = () => tell("refused");
}

/** Why a secret is not taken; null when it is. It is kept for as long as the tab lives. */
export async function signIn(secret: string): Promise<string | null> {
  const before = identity.secret;
  identity.secret = secret;
  const asked = await get("/api/v1/workspaces", {});
  if (!asked.ok) {
    identity.secret = before;
    return asked.error.status === 401 ? `The server does not take this secret: ${asked.error.message}` : asked.error.message;
  }
  sessionStorage.setItem(KEY, secret);
  tell("open");
  return null;
}

export function signOut(): void {
  identity.secret = null;
  sessionStorage.removeItem(KEY);
  tell("refused");
}

export function useSession(): Session {
  const [session, setSession] = useState<Session>("open");
  useEffect(() => {
    const follow = (event: Event) => setSession((event as CustomEvent<Session>).detail);
    addEventListener(EVENT, follow);
    return () => removeEventListener(EVENT, follow);
  }, []);
  return session;
}

function tell(session: Session): void {
  dispatchEvent(new CustomEvent<Session>(EVENT, { detail: session }));
}

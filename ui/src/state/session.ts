// Who asks: the secret that this tab holds, whether the server wants one, and what it allows.

import { useEffect, useState } from "preact/hooks";
import type { components } from "../api/schema";
import { get, identity, type Result } from "../api/client";
import { useTick } from "./tick";

const KEY = "stepwell-secret";
const EVENT = "stepwell-session";
/** Seconds after which a server that did not say who one is, is asked again. */
const AGAIN = 5;

export type Principal = components["schemas"]["Session"];
/** `asking`: not known yet. `refused`: the server wants a secret. `ended`: it no longer takes the one that this tab has. */
export type Session = Principal | "asking" | "refused" | "ended";

/** Take up the secret of this tab, before anything is asked. */
export function resume(): void {
  identity.secret = sessionStorage.getItem(KEY);
  identity.refused = () => {
    const kept = sessionStorage.getItem(KEY);
    // Of a secret that somebody tries the form tells.
    if (identity.secret === kept) tell(kept === null ? "refused" : "ended");
  };
}

/** Why a secret is not taken; null when it is. It is kept for as long as the tab lives. */
export async function signIn(secret: string): Promise<string | null> {
  const before = identity.secret;
  identity.secret = secret;
  const asked = await who();
  if (!asked.ok) {
    identity.secret = before;
    return asked.error.status === 401 ? `The server does not take this secret: ${asked.error.message}.` : asked.error.message;
  }
  sessionStorage.setItem(KEY, secret);
  tell(asked.data);
  return null;
}

export function signOut(): void {
  identity.secret = null;
  sessionStorage.removeItem(KEY);
  tell("refused");
}

/** Asks who one is until it is known, and follows what becomes of it. For the frame alone; pages take it from `useWho`. */
export function useSession(): Session {
  const [session, setSession] = useState<Session>("asking");
  useEffect(() => {
    const follow = (event: Event) => setSession((event as CustomEvent<Session>).detail);
    addEventListener(EVENT, follow);
    return () => removeEventListener(EVENT, follow);
  }, []);
  const beat = useTick(session === "asking" ? AGAIN : 0);
  useEffect(() => {
    const { secret } = identity;
    // Somebody may have signed in or out meanwhile.
    void who().then((asked) => asked.ok && secret === identity.secret && tell(asked.data));
  }, [beat]);
  return session;
}

/** Whether nothing can be had before somebody has signed in. */
export function isOut(session: Session): session is "refused" | "ended" {
  return session === "refused" || session === "ended";
}

export function mayWrite(session: Session): boolean {
  return typeof session === "object" && session.role !== "reader";
}

export function mayAdmin(session: Session): boolean {
  return typeof session === "object" && session.role === "admin";
}

/** In the caller's own workspace: the one of the address may be another's, and that is for the page to say. */
function who(): Promise<Result<Principal>> {
  const { workspace } = identity;
  identity.workspace = null;
  const asked = get("/api/v1/session", {});
  identity.workspace = workspace;
  return asked;
}

function tell(session: Session): void {
  dispatchEvent(new CustomEvent<Session>(EVENT, { detail: session }));
}

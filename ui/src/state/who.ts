// The session, handed down to whatever shows only what one may do.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Session } from "./session";

export const Who = createContext<Session>("asking");

export function useWho(): Session {
  return useContext(Who);
}

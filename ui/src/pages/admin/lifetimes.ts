// How long credentials hold.

import type { components } from "../../api/schema";

type Credential = components["schemas"]["CredentialInfo"];

/** What is offered for a new one; the server's word, and a person's. */
export const LIFETIMES: readonly (readonly [string, string])[] = [
  ["1d", "1 day"],
  ["7d", "7 days"],
  ["30d", "30 days"],
  ["90d", "90 days"],
  ["365d", "365 days"],
  ["", "Never"],
];

export function stateOf(credential: Pick<Credential, "expires_at_us" | "revoked_at_us">, nowUs: number): "valid" | "expired" | "revoked" {
  if (credential.revoked_at_us !== null) return "revoked";
  return credential.expires_at_us !== null && credential.expires_at_us <= nowUs ? "expired" : "valid";
}

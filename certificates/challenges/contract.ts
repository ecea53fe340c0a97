// certificates/challenges/contract.ts: how a name is proven to be ours. One file per kind beside this one.
//
// The order presents all of its challenges before the authority hears of the first, and cleans all of them up
// whatever happened. Hot: no.

import { createHash } from 'node:crypto'

export type ChallengeKind = 'http-01' | 'tls-alpn-01' | 'dns-01'

export interface Challenge {
  readonly kind: ChallengeKind
  readonly name: string // host name or address; a wildcard's without its "*."
  readonly token: string // base64url: safe as a segment of a path
  readonly keyAuthorization: string
}

export interface Solver {
  readonly kind: ChallengeKind
  // Resolved once the authority may look.
  present(challenges: readonly Challenge[], signal: AbortSignal): Promise<void>
  // Never rejects: what could not be removed is reported by the solver itself.
  cleanup(challenges: readonly Challenge[]): Promise<void>
}

export function keyAuthorizationDigest(challenge: Challenge): Buffer {
  return createHash('sha256').update(challenge.keyAuthorization).digest()
}

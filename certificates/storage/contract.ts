// certificates/storage/contract.ts: where accounts and certificates are kept between two lives of the gateway, and
// shared by several. One file per kind of store beside this one; test/certificates has the suite that all pass.
//
// Only who holds the lease of a resolver talks to the authority and writes, so several gateways use one account and
// order a certificate once. A lease that is not renewed ends by itself. Hot: no.

import type { ChallengePlan } from '../../config/protocol-plans.ts'

export class StoreError extends Error {}

// What acme.json has for one resolver, in Traefik's words; unknown keys are kept.
export type Block = Readonly<Record<string, unknown>>

export interface Lease {
  readonly resolver: string
  readonly token: string // fences writes: a store refuses one whose lease is another's by now
}

export const LEASE_MS = 60_000 // renewed each third of it

// Answers to challenges that every gateway must be able to give: the authority asks whichever it reaches.
export interface SharedChallenges {
  put(resolver: string, plans: readonly ChallengePlan[]): Promise<void>
  take(resolver: string, names: readonly string[]): Promise<void>
  list(resolver: string): Promise<readonly unknown[]> // of all gateways; others wrote them: not yet checked
}

export interface CertificateStore {
  readonly name: string // for messages: without secrets
  readonly isShared: boolean // other gateways write here too, so it is read again now and then
  readonly challenges: SharedChallenges | null // null exactly when it is not shared
  read(resolver: string): Promise<Block>
  acquire(resolver: string): Promise<Lease | null> // null: another has it
  renew(lease: Lease): Promise<boolean> // false: it is lost
  write(lease: Lease, change: (block: Block) => Block): Promise<void> // rejects when the lease is lost
  release(lease: Lease): Promise<void>
  close(): Promise<void>
}

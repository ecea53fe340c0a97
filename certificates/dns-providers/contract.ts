// certificates/dns-providers/contract.ts: who can put a TXT record into a zone. One file per service beside this one;
// test/certificates/dns-providers.test.ts holds each to what its service expects on the wire.
//
// Names of services and of their variables are lego's, as users of Traefik have them. Present and cleanup of one
// provider are never called at the same time: two values of one name are two changes of one record. Hot: no.

import type { Transport } from '../http.ts'
import type { Environment } from './environment.ts'

export interface TxtRecord {
  readonly name: string // where the record must be, aliases followed; no dot at the end
  readonly value: string
  readonly domain: string // the name that is proven, for providers in RAW mode
  readonly token: string
  readonly keyAuthorization: string
}

export interface DnsProvider {
  readonly propagationTimeoutMs: number
  readonly pollIntervalMs: number
  present(record: TxtRecord, signal: AbortSignal): Promise<void>
  cleanup(record: TxtRecord, signal: AbortSignal): Promise<void>
}

export interface ProviderTools {
  readonly environment: Environment
  readonly transport: Transport
  readonly now: () => number
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

export type DnsProviderFactory = (tools: ProviderTools) => DnsProvider

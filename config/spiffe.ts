// config/spiffe.ts: words that the Workload API, the compiler and the API have in common. Hot: no.

// What the Workload API has given, ready to be used.
export interface SpiffeIdentity {
  readonly id: string // 'spiffe://example.org/gateway'
  readonly trustDomain: string
  readonly certPem: string // with its chain
  readonly keyPem: string // secret
  readonly notAfter: number // milliseconds since the epoch
  readonly bundles: readonly SpiffeBundle[] // of our own trust domain, and of those federated with it
}

export interface SpiffeBundle {
  readonly trustDomain: string
  readonly rootsPem: string
}

// Of the connection to the Workload API; in /api/overview.
export interface SpiffeStatus {
  readonly state: 'waiting' | 'current' | 'disconnected' // no identity; all well; an identity, but nobody who renews it
  readonly id: string // '' for none
  readonly notAfter: number // 0 for none
  readonly trustDomains: readonly string[] // of which there are bundles
  readonly lastError: string
}

export interface WorkloadAddress {
  readonly path: string // of a socket; '' for host and port
  readonly host: string // an address
  readonly port: number
}

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[\w.-]+)*)$/

// SPIFFE-ID, section 2. null when it is none.
export function parseSpiffeId(text: string): { trustDomain: string; path: string } | null {
  const match = text.length > 2048 ? null : ID.exec(text)
  return match === null ? null : { trustDomain: match[1]!, path: match[2]! }
}

// SPIFFE Workload Endpoint, section 4: unix:///run/agent.sock, or tcp://127.0.0.1:8081 with an address.
export function parseWorkloadAddress(text: string): WorkloadAddress | null {
  const path = /^unix:(?:\/\/)?(\/(?!\/)[^\0?#]+)$/.exec(text)?.[1]
  if (path !== undefined) return { path, host: '', port: 0 }
  const found = /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d{1,5})$/.exec(text)
  const port = Number(found?.[3] ?? 0)
  if (found === null || port < 1 || port > 65_535) return null
  return { path: '', host: (found[1] ?? found[2])!, port }
}

// core/cache/status-fields.ts: what a response says of how the cache has treated it: X-Cache-Status, as Traefik Hub has
// it, and Cache-Status of RFC 9211. Hot: yes, one or two lines per response.

import type { Head } from '../headers.ts'

export const HIT = 'HIT'
export const MISS = 'MISS'
export const BYPASS = 'BYPASS'
export type CacheStatus = typeof HIT | typeof MISS | typeof BYPASS

export interface StatusFields {
  readonly short: boolean // X-Cache-Status
  readonly long: boolean // Cache-Status
}

// Of a response that was made just now, of what is stored: it has no such line yet. `detail` as below.
export function addHit(fields: StatusFields, head: Head, ttlMs: number, detail: string): void {
  if (fields.short) head.add('X-Cache-Status', HIT)
  if (fields.long) head.add('Cache-Status', 'sluice; hit; ttl=' + Math.round(ttlMs / 1000) + detail)
}

// `detail`: parameters of RFC 9211, each with its ";": they are our own words.
export function addStatus(
  fields: StatusFields,
  head: Head,
  status: CacheStatus,
  detail: string,
): void {
  if (fields.short) head.set('X-Cache-Status', status)
  if (fields.long) head.add('Cache-Status', 'sluice' + detail) // nearest to the client comes last: section 2
}

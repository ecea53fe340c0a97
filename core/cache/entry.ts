// core/cache/entry.ts: one stored response, as it lies in the memory of a worker and as it travels to the others.
//
// Plain data that is never changed: a response that was validated becomes a new entry with the old body. All times are
// of the clock that the threads of a process share (WorkerServices.preciseNow).

import type { StoredHead } from './stored-head.ts'

// Bits of `flags`.
export const VALIDATE_ALWAYS = 1 // no-cache: never served without asking
export const NEVER_STALE = 2 // must-revalidate and the like: not served stale, whatever a client or an error says
export const FOR_AUTHORIZED = 4 // may answer requests with Authorization (RFC 9111, section 3.5)

export interface CacheEntry {
  readonly key: string // of the URL, and of the request's fields that Vary names
  readonly url: string // what the key was made from: for purges
  readonly vary: readonly string[] // names in lower case; [] for none
  readonly status: number
  readonly reason: string
  readonly head: StoredHead
  readonly body: Uint8Array
  readonly askedAt: number // its request was sent: a purge after that is about it
  readonly bornAt: number // so that its age is the time since
  readonly freshUntil: number
  readonly refreshUntil: number // stale-while-revalidate: served until then, while it is asked for
  readonly errorUntil: number // stale-if-error: served until then when the server fails
  readonly flags: number
  readonly etag: string // as the server wrote it; '' for none
  readonly lastModified: string
  readonly tags: readonly string[]
}

const OVERHEAD = 512 // objects, arrays, the place in the index
const TAG_OVERHEAD = 32 // of the string and its place in the list

export function bytesOf(entry: CacheEntry): number {
  const { body, head, key, tags } = entry
  let bytes = body.length + head.text.length + head.ids.length * 17 + key.length * 2 + OVERHEAD
  for (const tag of tags) bytes += tag.length + TAG_OVERHEAD
  return bytes
}

export function hasValidator(entry: CacheEntry): boolean {
  return entry.etag !== '' || entry.lastModified !== ''
}

export function ageSeconds(entry: CacheEntry, now: number): number {
  return Math.max(0, Math.floor((now - entry.bornAt) / 1000))
}

// core/cache/reuse.ts: what a stored response is good for, for this request at this moment (RFC 9111, section 4).
//
// Hot: yes, once per request that finds something stored; comparisons of numbers.

import { type CacheEntry, FOR_AUTHORIZED, NEVER_STALE, VALIDATE_ALWAYS } from './entry.ts'
import { ABSENT, type RequestDirectives, noRequestDirectives } from './directives.ts'

export const FRESH = 0 // serve it
export const REFRESH = 1 // serve it, and ask the server meanwhile (RFC 5861, section 3)
export const VALIDATE = 2 // ask the server first
export type Use = typeof FRESH | typeof REFRESH | typeof VALIDATE

// RFC 9111, section 3.5, and a little more: what was stored for everybody is not given to whoever has shown a name,
// unless the server has said that it is the same for them.
export function usable(entry: CacheEntry | null, authorized: boolean): CacheEntry | null {
  if (entry === null || !authorized) return entry
  return (entry.flags & FOR_AUTHORIZED) !== 0 ? entry : null
}

export function useOf(entry: CacheEntry, asked: RequestDirectives, now: number): Use {
  if ((entry.flags & VALIDATE_ALWAYS) !== 0) return VALIDATE
  if (asked === noRequestDirectives) {
    if (now < entry.freshUntil) return FRESH
    return now < entry.refreshUntil ? REFRESH : VALIDATE
  }
  return useAsAsked(entry, asked, now)
}

function useAsAsked(entry: CacheEntry, asked: RequestDirectives, now: number): Use {
  if (asked.noCache) return VALIDATE
  if (asked.maxAge !== ABSENT && now - entry.bornAt > asked.maxAge * 1000) return VALIDATE
  const neededUntil = asked.minFresh === ABSENT ? now : now + asked.minFresh * 1000
  if (neededUntil < entry.freshUntil) return FRESH
  if (asked.minFresh !== ABSENT) return VALIDATE
  if (now < entry.refreshUntil) return REFRESH
  if (asked.maxStale === ABSENT || (entry.flags & NEVER_STALE) !== 0) return VALIDATE
  return now - entry.freshUntil <= asked.maxStale * 1000 ? FRESH : VALIDATE
}

// Whether it may be served in place of an error of the server (RFC 5861, section 4).
export function mayServeOnError(entry: CacheEntry, now: number): boolean {
  return now < entry.errorUntil && (entry.flags & VALIDATE_ALWAYS) === 0
}

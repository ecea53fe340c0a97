// core/cache/freshness.ts: how old a response is when it arrives, and for how long it is fresh (RFC 9111, section 4.2).
//
// Pure: the times are given. Whatever can't be read makes a response older or shorter-lived, never the other way
// round. Hot: no; responses that might be stored.

import type { Head } from '../headers.ts'
import { ABSENT, type ResponseDirectives } from './directives.ts'
import { parseHttpDate } from './http-date.ts'

// `askedAt` and `answeredAt` are of the clock that all threads share; dates are compared with `wallMs`, the time of
// day of `answeredAt`.
export interface ExchangeTimes {
  readonly askedAt: number
  readonly answeredAt: number
  readonly wallMs: number
}

export const HEURISTIC_FRACTION = 0.1 // of the time since Last-Modified: section 4.2.2

// Section 4.2.3: corrected_initial_age. Infinity where Age is not exactly one number: RFC 9111 would have us take the
// first of several, or pass over what is malformed; but what has an age that nobody can tell is not served as fresh.
export function initialAgeMs(head: Head, times: ExchangeTimes): number {
  const ages = head.getAll('age')
  if (ages.length > 1) return Infinity
  const age = ages.length === 0 ? '0' : ages[0]!.trim()
  if (!/^\d{1,20}$/.test(age)) return Infinity
  const date = dateOf(head, times.wallMs)
  const apparent = Math.max(0, times.wallMs - date)
  const corrected = Number(age) * 1000 + (times.answeredAt - times.askedAt)
  return Math.max(apparent, corrected)
}

// When the server says that it made the response; without a date that can be read, the time at which it came.
export function dateOf(head: Head, wallMs: number): number {
  const date = parseHttpDate(head.get('date') ?? '', wallMs)
  return Number.isNaN(date) ? wallMs : date
}

// What the server says explicitly; ABSENT when it says nothing.
export function explicitLifetimeMs(
  head: Head,
  directives: ResponseDirectives,
  readsExpires: boolean,
  wallMs: number,
): number {
  if (directives.sMaxage !== ABSENT) return directives.sMaxage * 1000
  if (directives.maxAge !== ABSENT) return directives.maxAge * 1000
  if (!readsExpires) return ABSENT
  const lines = head.getAll('expires')
  if (lines.length === 0) return ABSENT
  // "0" and whatever else is no date is in the past (section 5.3).
  const expires = lines.length === 1 ? parseHttpDate(lines[0]!, wallMs) : NaN
  return Number.isNaN(expires) ? 0 : Math.max(0, expires - dateOf(head, wallMs))
}

// ABSENT without a Last-Modified that lies in the past.
export function heuristicLifetimeMs(head: Head, wallMs: number): number {
  const modified = parseHttpDate(head.get('last-modified') ?? '', wallMs)
  if (Number.isNaN(modified)) return ABSENT
  const since = dateOf(head, wallMs) - modified
  return since > 0 ? since * HEURISTIC_FRACTION : ABSENT
}

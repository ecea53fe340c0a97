// core/cache/preconditions.ts: answers conditional requests from what is stored (RFC 9110, section 13; RFC 9111,
// section 4.3.2).
//
// Hot: for requests that have such a field.

import type { CacheEntry } from './entry.ts'
import { parseHttpDate } from './http-date.ts'

// What the client itself has asked; null for a field that it did not send.
export interface Conditions {
  readonly noneMatch: string | null
  readonly modifiedSince: string | null
  readonly range: string | null
  readonly ifRange: string | null
}

// Whether the client has this response already: it gets a 304.
export function isUnchanged(entry: CacheEntry, asked: Conditions, wallMs: number): boolean {
  if (entry.status !== 200) return false
  if (asked.noneMatch !== null) return matchesAny(asked.noneMatch, entry.etag)
  if (asked.modifiedSince === null || entry.lastModified === '') return false
  const since = parseHttpDate(asked.modifiedSince, wallMs)
  const modified = parseHttpDate(entry.lastModified, wallMs)
  return modified <= since // false if either is no date
}

// Weak comparison (RFC 9110, section 8.8.3.2) with each member of the list.
export function matchesAny(list: string, etag: string): boolean {
  if (list.trim() === '*') return true
  if (etag === '') return false
  const wanted = opaque(etag)
  let at = 0
  while (at < list.length) {
    const end = endOfTag(list, at)
    if (opaque(list.slice(at, end).trim()) === wanted) return true
    at = end + 1
  }
  return false
}

// A comma within quotes is part of the tag.
function endOfTag(list: string, from: number): number {
  let quoted = false
  for (let at = from; at < list.length; at++) {
    const c = list.charCodeAt(at)
    if (c === 34) quoted = !quoted
    else if (c === 44 && !quoted) return at
  }
  return list.length
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

export function isStrong(etag: string): boolean {
  return etag.startsWith('"')
}

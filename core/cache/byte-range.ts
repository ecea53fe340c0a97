// core/cache/byte-range.ts: one range of bytes out of a response that is stored whole (RFC 9110, section 14).
//
// Several ranges, other units and what is malformed get the whole response, as section 14.2 allows. Hot: for requests
// with Range.

import type { CacheEntry } from './entry.ts'
import { type Conditions, isStrong } from './preconditions.ts'

export interface ByteRange {
  readonly from: number
  readonly to: number // exclusive
}

export const WHOLE = null
export const UNSATISFIABLE: ByteRange = { from: -1, to: -1 }

const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/i

// WHOLE: all of it is sent. UNSATISFIABLE: 416.
export function rangeOf(entry: CacheEntry, asked: Conditions): ByteRange | null {
  if (asked.range === null || entry.status !== 200) return WHOLE
  if (asked.ifRange !== null && !stillIs(entry, asked.ifRange)) return WHOLE
  const match = RANGE.exec(asked.range.replaceAll(' ', ''))
  if (match === null) return WHOLE
  const { length } = entry.body
  const [, first = '', last = ''] = match
  if (first === '') return suffix(last, length)
  const from = Number(first)
  if (last !== '' && Number(last) < from) return WHOLE // malformed: section 14.1.1
  if (from >= length) return UNSATISFIABLE
  return { from, to: last === '' ? length : Math.min(length, Number(last) + 1) }
}

function suffix(last: string, length: number): ByteRange | null {
  if (last === '') return WHOLE
  const wanted = Number(last)
  if (wanted === 0 || length === 0) return UNSATISFIABLE
  return { from: Math.max(0, length - wanted), to: length }
}

// Section 13.1.5: only a strong tag, or the very date, says that the rest belongs to what the client has.
function stillIs(entry: CacheEntry, validator: string): boolean {
  if (validator.startsWith('"')) return isStrong(entry.etag) && entry.etag === validator
  return entry.lastModified !== '' && entry.lastModified === validator
}

// core/route/values.ts: the leaves that look at header lines and query parameters.
//
// Hot: yes, for routes with such leaves. Reads the head's positions in place; a value is cut out only
// for a regular expression. Any value of a repeated header or parameter may match (as in Go).

import type { Exchange } from '../exchange.ts'
import { impliedValue } from '../forwarded.ts'
import { DROPPED, MANAGED_FIRST, MANAGED_LAST, UNKNOWN } from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { decodeQueryText, isAscii, textOfBytes } from '../percent.ts'
import type { SafeRegex } from '../regex.ts'

export interface ValueTest {
  readonly name: string // header in lower case, or query key
  readonly headerId: number
  readonly value: string // compared when regex is null
  readonly regex: SafeRegex | null
}

export function headerMatches(exchange: Exchange, test: ValueTest): boolean {
  const head = exchange.request
  const managed = test.headerId >= MANAGED_FIRST && test.headerId <= MANAGED_LAST
  if (managed && head.get(test.name) === null) {
    const implied = impliedValue(exchange, test.headerId)
    return implied !== '' && isWanted(implied, test)
  }
  for (let line = 0; line < head.count; line++) {
    if (isLine(head, line, test) && lineMatches(head, line, test)) return true
  }
  for (let i = 0; i < head.extraCount; i++) {
    if (!head.isExtra(i, test.name)) continue
    if (isWanted(head.extraValues[i]!, test)) return true
  }
  return false
}

function isWanted(value: string, test: ValueTest): boolean {
  return test.regex === null ? value === test.value : test.regex.test(readable(value))
}

function isLine(head: Head, line: number, test: ValueTest): boolean {
  const id = head.ids[line]!
  if (id === DROPPED) return false
  if (test.headerId !== UNKNOWN) return id === test.headerId
  if (id !== UNKNOWN) return false
  const start = head.offsets[line * 4]!
  return (
    head.offsets[line * 4 + 1]! - start === test.name.length &&
    isNameAt(head.text, start, test.name)
  )
}

function isNameAt(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = text.charCodeAt(start + i)
    const folded = code >= 65 && code <= 90 ? code + 32 : code
    if (folded !== name.charCodeAt(i)) return false
  }
  return true
}

function lineMatches(head: Head, line: number, test: ValueTest): boolean {
  const start = head.offsets[line * 4 + 2]!
  const end = head.offsets[line * 4 + 3]!
  if (test.regex !== null) return test.regex.test(readable(head.text.slice(start, end)))
  return end - start === test.value.length && head.text.startsWith(test.value, start)
}

function readable(value: string): string {
  return isAscii(value) ? value : textOfBytes(value)
}

// Pairs stand between "&". One with a ";" or a malformed escape is skipped, as Go does.
export function queryMatches(query: string, test: ValueTest): boolean {
  for (let start = 0; start < query.length;) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    if (end > start && pairMatches(query, start, end, test)) return true
    start = end + 1
  }
  return false
}

function pairMatches(query: string, start: number, end: number, test: ValueTest): boolean {
  const pair = query.slice(start, end)
  if (pair.includes(';')) return false
  const equals = pair.indexOf('=')
  const key = decoded(equals < 0 ? pair : pair.slice(0, equals))
  if (key !== test.name) return false
  const value = decoded(equals < 0 ? '' : pair.slice(equals + 1))
  if (value === null) return false
  return test.regex === null ? value === test.value : test.regex.test(value)
}

function decoded(raw: string): string | null {
  return raw.includes('%') || raw.includes('+') || !isAscii(raw) ? decodeQueryText(raw) : raw
}

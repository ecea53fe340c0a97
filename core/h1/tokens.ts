// core/h1/tokens.ts: header values that are lists: Connection, Upgrade, TE.
//
// Owner:  nobody; pure functions over a range of a latin1 string.
// Hot:    only for messages that carry such a header. Nothing is sliced.
//
// RFC 9110 section 5.6.1: members are separated by commas with white space around them; empty members are
// skipped.

import {
  SAW_CLOSE,
  SAW_KEEP_ALIVE,
  SAW_NOMINATED,
  SAW_TE_TRAILERS,
  SAW_UPGRADE,
} from '../exchange.ts'
import { TOKEN, byteClass, isAll, isSpace, isWord } from './text.ts'

const COMMA = 44
const SLASH = 47

// One Connection line names at most this many other headers. Without a bound, one head of 64 KiB could name
// 30,000 and cost millions of comparisons with its lines.
export const NOMINATED_MAX = 32

// Walks a list; a cursor in place of an array or a callback. start/end are valid after next() was true.
export class ListCursor {
  start = 0
  end = 0
  private text = ''
  private at = 0
  private to = 0

  begin(text: string, from: number, to: number): void {
    this.text = text
    this.at = from
    this.to = to
  }

  next(): boolean {
    const { text, to } = this
    let i = this.at
    while (i < to && (isSpace(text.charCodeAt(i)) || text.charCodeAt(i) === COMMA)) i++
    if (i >= to) return false
    this.start = i
    while (i < to && text.charCodeAt(i) !== COMMA) i++
    this.at = i
    while (isSpace(text.charCodeAt(i - 1))) i--
    this.end = i
    return true
  }
}

const cursor = new ListCursor()

// SAW_* bits of one Connection value, or -1 when a member is no token or there are too many.
// SAW_UPGRADE means here that "upgrade" is listed.
export function connectionFacts(text: string, from: number, to: number): number {
  if (isWord(text, from, to, 'keep-alive')) return SAW_KEEP_ALIVE
  if (isWord(text, from, to, 'close')) return SAW_CLOSE
  let facts = 0
  let nominated = 0
  cursor.begin(text, from, to)
  while (cursor.next()) {
    const { start, end } = cursor
    if (isWord(text, start, end, 'close')) facts |= SAW_CLOSE
    else if (isWord(text, start, end, 'keep-alive')) facts |= SAW_KEEP_ALIVE
    else if (isWord(text, start, end, 'upgrade')) facts |= SAW_UPGRADE
    else {
      if (!isAll(TOKEN, text, start, end) || ++nominated > NOMINATED_MAX) return -1
      facts |= SAW_NOMINATED
    }
  }
  return facts
}

// What one Upgrade value asks for.
export const UPGRADE_MALFORMED = -1
export const UPGRADE_IGNORED = 0 // nothing, or HTTP/2 in clear text
export const UPGRADE_WANTED = 1

// h2c anywhere in the list makes the whole of it ignored, which a server may always do (RFC 9110 section
// 7.8): passing it on would open a tunnel that no rule looks into (h2c smuggling).
export function upgradeKind(text: string, from: number, to: number): number {
  let kind = UPGRADE_IGNORED
  let clearHttp2 = false
  cursor.begin(text, from, to)
  while (cursor.next()) {
    const { start, end } = cursor
    if (!isProtocol(text, start, end)) return UPGRADE_MALFORMED
    if (isHttp2(text, start, end)) clearHttp2 = true
    kind = UPGRADE_WANTED
  }
  return clearHttp2 ? UPGRADE_IGNORED : kind
}

function isHttp2(text: string, start: number, end: number): boolean {
  return (
    isWord(text, start, end, 'h2c') ||
    isWord(text, start, end, 'h2') ||
    isWord(text, start, Math.min(end, start + 5), 'http/')
  )
}

// token ["/" token]
function isProtocol(text: string, start: number, end: number): boolean {
  let slashes = 0
  let previous = SLASH
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i)
    if (c === SLASH) {
      if (previous === SLASH || ++slashes > 1) return false
    } else if (c > 255 || (byteClass[c]! & TOKEN) === 0) return false
    previous = c
  }
  return previous !== SLASH
}

// SAW_TE_TRAILERS when a TE value lists "trailers".
export function teFacts(text: string, from: number, to: number): number {
  if (isWord(text, from, to, 'trailers')) return SAW_TE_TRAILERS
  cursor.begin(text, from, to)
  while (cursor.next()) {
    if (isWord(text, cursor.start, cursor.end, 'trailers')) return SAW_TE_TRAILERS
  }
  return 0
}

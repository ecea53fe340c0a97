// core/balance/cookie.ts: one cookie out of a request's head, without taking the head apart.
//
// Hot:    yes, where cookies decide. Only the value is made a string, and only when its name is the one that is asked for.
//
// Strict and bounded: names are compared whole and by case, a value with a byte that RFC 6265 does not allow is no
// value, quotes around one are taken off, and of several cookies of the name the first counts, as in Go.

import { COOKIE } from '../header-ids.ts'
import type { Head } from '../headers.ts'

const PAIRS_MAX = 256 // of one request; those behind are not looked at
export const VALUE_MAX = 4096 // RFC 6265, section 6.1

const SEMICOLON = 59
const EQUALS = 61
const SPACE = 32
const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92

export function cookieOf(head: Head, name: string): string | null {
  let pairs = 0
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] !== COOKIE) continue // HTTP/2 clients may send a line for each cookie
    const { text } = head
    const end = head.offsets[line * 4 + 3]!
    for (let at = head.offsets[line * 4 + 2]!; at < end;) {
      if (++pairs > PAIRS_MAX) return null
      let stop = text.indexOf(';', at)
      if (stop < 0 || stop > end) stop = end
      while (at < stop && text.charCodeAt(at) === SPACE) at++
      const value = at + name.length + 1
      if (value <= stop && text.charCodeAt(value - 1) === EQUALS && text.startsWith(name, at))
        return valueIn(text, value, stop)
      at = stop + 1
    }
  }
  return null
}

function valueIn(text: string, start: number, stop: number): string | null {
  let [from, to] = [start, stop]
  while (to > from && text.charCodeAt(to - 1) === SPACE) to--
  if (to - from >= 2 && text.charCodeAt(from) === QUOTE && text.charCodeAt(to - 1) === QUOTE) {
    from++
    to--
  }
  if (to - from > VALUE_MAX) return null
  for (let i = from; i < to; i++) if (!isOctet(text.charCodeAt(i))) return null
  return text.slice(from, to)
}

// Go lets spaces and commas pass within quotes; nothing that Sluice or Traefik writes has them.
function isOctet(c: number): boolean {
  if (c <= SPACE || c >= 127) return false
  return c !== QUOTE && c !== COMMA && c !== SEMICOLON && c !== BACKSLASH
}

// core/h1/host.ts: what may stand in a Host header and in the authority of a request target.
//
// Owner:  nobody; pure functions over a range of a latin1 string.
// Hot:    yes, once per request.
//
//   example.com   example.com:8080   10.0.0.1   [2001:db8::1]:443   my_service.
//
// Stricter than RFC 3986: no percent-encoding and none of !$&'()*+,;= in a name, no empty label, no "host:"
// with an empty port. All of those are read differently by different servers, and no real host has them
// (CVE-2026-49468: a Host with "?" or "#" changed what was matched).

import { COLON, DIGIT, HEX, NAME, byteClass } from './text.ts'

const HOST_LENGTH_MAX = 255 // RFC 1035: a domain name has 255 bytes at the most
const PORT_MAX = 65535
const DOT = 46

export function isHostPort(s: string): boolean {
  return isHostPortIn(s, 0, s.length)
}

export function isHostPortIn(text: string, from: number, to: number): boolean {
  if (from >= to) return false
  const end =
    text.charCodeAt(from) === 91 ? endOfBracket(text, from, to) : endOfName(text, from, to)
  if (end < 0) return false
  return end === to || isPort(text, end, to)
}

// Whether text[from..to) ends in a port (CONNECT must name one).
export function hasPort(text: string, from: number, to: number): boolean {
  for (let i = to - 1; i > from; i--) {
    const c = text.charCodeAt(i)
    if (c === COLON) return i < to - 1
    if (c < 48 || c > 57) return false
  }
  return false
}

function isPort(text: string, colon: number, to: number): boolean {
  const length = to - colon - 1
  if (text.charCodeAt(colon) !== COLON || length < 1 || length > 5) return false
  let port = 0
  for (let i = colon + 1; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c > 255 || (byteClass[c]! & DIGIT) === 0) return false
    port = port * 10 + c - 48
  }
  return port <= PORT_MAX
}

// Where the name ends (its ":" or `to`), or -1.
function endOfName(text: string, from: number, to: number): number {
  let previous = DOT // so that a leading dot is an empty label
  let i = from
  for (; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c === COLON) break
    if (c > 255 || (byteClass[c]! & NAME) === 0) return -1
    if (c === DOT && previous === DOT) return -1
    previous = c
  }
  return i > from && i - from <= HOST_LENGTH_MAX ? i : -1
}

// Where "[IPv6]" ends (just after the bracket), or -1.
function endOfBracket(text: string, from: number, to: number): number {
  const close = text.indexOf(']', from)
  if (close < 0 || close >= to) return -1
  return isIpv6In(text, from + 1, close) ? close + 1 : -1
}

// RFC 4291: eight groups of up to four digits, "::" once for one group or more of zeros, the last two
// groups possibly as IPv4. No zone: it means nothing to anybody but its host.
export function isIpv6In(text: string, from: number, to: number): boolean {
  let groups = 0
  let gap = false
  let i = from
  if (to - from < 2 || to - from > 45) return false
  if (text.charCodeAt(i) === COLON) {
    if (text.charCodeAt(i + 1) !== COLON) return false
    gap = true
    i += 2
  }
  while (i < to) {
    const end = endOfGroup(text, i, to)
    if (end < to && text.charCodeAt(end) === DOT) {
      groups += 2
      return isIpv4In(text, i, to) && (gap ? groups <= 7 : groups === 8)
    }
    if (end === i || end - i > 4) return false
    groups++
    if (end === to) break
    if (text.charCodeAt(end) !== COLON || end + 1 === to) return false
    i = end + 1
    if (text.charCodeAt(i) === COLON) {
      if (gap) return false
      gap = true
      i++
    }
  }
  return gap ? groups <= 7 : groups === 8
}

function endOfGroup(text: string, from: number, to: number): number {
  let i = from
  while (i < to) {
    const c = text.charCodeAt(i)
    if (c > 255 || (byteClass[c]! & HEX) === 0) break
    i++
  }
  return i
}

export function isIpv4In(text: string, from: number, to: number): boolean {
  let parts = 0
  let i = from
  for (;;) {
    let value = 0
    const start = i
    while (i < to) {
      const digit = text.charCodeAt(i) - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      if (value > 255 || (i > start && text.charCodeAt(start) === 48)) return false
      i++
    }
    if (i === start) return false
    parts++
    if (i === to) return parts === 4
    if (parts === 4 || text.charCodeAt(i) !== DOT) return false
    i++
  }
}

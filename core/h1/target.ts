// core/h1/target.ts: the request target: its form, its parts and what is odd about its path.
//
// Owner:  nobody; pure functions over an exchange and the bytes of its request line.
// Hot:    yes, once per request. Origin-form with a plain path is the fast case.
//
//   GET /where?q=now              origin     path begins at targetStart
//   GET http://host/where?q=now   absolute   exchange.authority is "host", whatever the Host header says
//   CONNECT host:443              authority  no path
//   OPTIONS *                     asterisk   the path is "*"

import {
  FORM_ABSOLUTE,
  FORM_ASTERISK,
  FORM_AUTHORITY,
  FORM_ORIGIN,
  METHOD_CONNECT,
  METHOD_OPTIONS,
  SAW_PATH_ODD,
  SAW_SEMICOLON,
} from '../exchange.ts'
import type { Exchange } from '../exchange.ts'
import { NONE, PATH_ENCODING, REQUEST_TARGET } from '../errors.ts'
import { hasPort, isHostPortIn } from './host.ts'
import { HEX, byteClass, isWord } from './text.ts'

const SLASH = 47
const DOT = 46
const PERCENT = 37
const QUESTION = 63
const SEMICOLON = 59
const BACKSLASH = 92
const ASTERISK = 42

// bytes[from..to) is the target; sets form, facts and, for the absolute form, authority. Returns NONE or
// a code.
export function readTarget(exchange: Exchange, bytes: Buffer, from: number, to: number): number {
  if (exchange.methodId === METHOD_CONNECT) return readAuthority(exchange, bytes, from, to)
  const first = bytes[from]!
  if (first === SLASH) {
    exchange.form = FORM_ORIGIN
    return readPath(exchange, bytes, from, to)
  }
  if (first === ASTERISK && to - from === 1 && exchange.methodId === METHOD_OPTIONS) {
    exchange.form = FORM_ASTERISK
    return NONE
  }
  return readAbsolute(exchange, bytes, from, to)
}

function readAuthority(exchange: Exchange, bytes: Buffer, from: number, to: number): number {
  const text = bytes.latin1Slice(from, to)
  if (!isHostPortIn(text, 0, text.length) || !hasPort(text, 0, text.length)) return REQUEST_TARGET
  exchange.form = FORM_AUTHORITY
  exchange.authority = text
  return NONE
}

// Only http and https: a gateway is no client of anything else (RFC 9112 section 3.2.2). User information
// is refused with the rest of what is no host.
function readAbsolute(exchange: Exchange, bytes: Buffer, from: number, to: number): number {
  const text = bytes.latin1Slice(from, to)
  const begin = authorityStart(text)
  if (begin < 0) return REQUEST_TARGET
  const end = authorityEnd(text, begin)
  if (!isHostPortIn(text, begin, end)) return REQUEST_TARGET
  exchange.form = FORM_ABSOLUTE
  exchange.authority = text.slice(begin, end)
  return readPath(exchange, bytes, from + end, to)
}

function authorityStart(text: string): number {
  if (isWord(text, 0, Math.min(7, text.length), 'http://')) return 7
  if (isWord(text, 0, Math.min(8, text.length), 'https://')) return 8
  return -1
}

function authorityEnd(text: string, from: number): number {
  let i = from
  while (i < text.length) {
    const c = text.charCodeAt(i)
    if (c === SLASH || c === QUESTION) break
    i++
  }
  return i
}

// Notes what normalising has to look at, so that a plain path is never walked again.
function readPath(exchange: Exchange, bytes: Buffer, from: number, to: number): number {
  let odd = false
  let previous = 0
  let p = from
  for (; p < to; p++) {
    const c = bytes[p]!
    if (c === QUESTION) break
    if (c === PERCENT) {
      if (p + 2 >= to || !isHex(bytes[p + 1]!) || !isHex(bytes[p + 2]!)) return PATH_ENCODING
      odd = true
    }
    if (previous === SLASH && (c === SLASH || c === DOT)) odd = true
    if (c === BACKSLASH) odd = true
    previous = c
  }
  if (odd) exchange.facts |= SAW_PATH_ODD
  for (; p < to; p++) {
    if (bytes[p] !== SEMICOLON) continue
    exchange.facts |= SAW_SEMICOLON
    break
  }
  return NONE
}

function isHex(c: number): boolean {
  return (byteClass[c]! & HEX) !== 0
}

// Where path and query begin in request.text: targetStart but for the absolute form, where it is the first
// "/" or "?" after the authority, and targetEnd when there is neither (the path is then "/").
export function pathStart(exchange: Exchange): number {
  if (exchange.form === FORM_AUTHORITY) return exchange.targetEnd
  if (exchange.form !== FORM_ABSOLUTE) return exchange.targetStart
  const text = exchange.request.text
  return Math.min(
    authorityEnd(text, text.indexOf('://', exchange.targetStart) + 3),
    exchange.targetEnd,
  )
}

// The path and query as they are sent to a server when nothing has changed them (RFC 9112 section 3.2.1:
// an absolute target becomes origin-form; OPTIONS without path becomes "*").
export function originTarget(exchange: Exchange): string {
  const at = pathStart(exchange)
  const rest = exchange.request.text.slice(at, exchange.targetEnd)
  if (rest === '') return exchange.methodId === METHOD_OPTIONS ? '*' : '/'
  return rest.charCodeAt(0) === QUESTION ? '/' + rest : rest
}

// core/middleware/url.ts: pieces of URLs that middlewares build from requests and from configuration.
//
// Hot: yes, for routers that rewrite or redirect.

import type { Exchange } from '../exchange.ts'
import { bytesOfText } from '../percent.ts'

// Path and query as they would be sent now, after the middlewares before this one.
export function requestUri(exchange: Exchange): string {
  return exchange.hasQuery ? exchange.path + '?' + exchange.query : exchange.path
}

// What may not stand in a URL as it is (RFC 3986, section 2), all of it legal once escaped.
const NEEDS_ESCAPE = /[\x20"<>\\^`{|}\x80-\xff]/g

// Text of configuration, or of a rewrite that it rules, as a URL. Escapes in it are kept. Control
// characters stay as well, and isLocation refuses them.
export function escapeUrl(text: string): string {
  return bytesOfText(text).replace(NEEDS_ESCAPE, escapeByte)
}

function escapeByte(byte: string): string {
  return '%' + byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')
}

// As Go's url.QueryEscape: everything but unreserved characters, and "+" for a space.
export function escapeQuery(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9\-_.~]/g, (byte) => (byte === ' ' ? '+' : escapeByte(byte)))
}

const HEX_LENGTH = 3 // "%2F"

// Where the first `length` characters of the routing path end in the path: the routing path has decoded
// some escapes ("%C3%A9" -> "é") and kept the reserved ones ("%2F"). -1 when that is inside an escape.
export function rawEndOf(exchange: Exchange, length: number): number {
  const { path, routingPath } = exchange
  let raw = 0
  let at = 0
  while (at < length) {
    if (path.charCodeAt(raw) !== 37) {
      raw++
      at++
      continue
    }
    const code = routingPath.codePointAt(at)!
    raw += HEX_LENGTH * (code === 37 ? 1 : utf8Length(code))
    at += code === 37 ? HEX_LENGTH : code > 0xffff ? 2 : 1
  }
  return at === length ? raw : -1
}

// A byte that was not legal UTF-8 stands in the routing path as U+DC00 + byte; see core/percent.ts.
function utf8Length(code: number): number {
  if (code < 0x80 || (code >= 0xdc80 && code <= 0xdcff)) return 1
  if (code < 0x800) return 2
  return code < 0x10000 ? 3 : 4
}

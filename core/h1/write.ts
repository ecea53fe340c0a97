// core/h1/write.ts: builds the heads that Sluice sends, requests to servers and responses to clients.
//
// Owner:  nobody; functions over an exchange. They may drop lines in its heads.
// Hot:    yes. A head that changes little is one or two ranges of the text it arrived in.
//
// Framing is never copied on trust: Content-Length is sent when it is the number that the exchange counts by,
// Transfer-Encoding is made here, and neither can come from a middleware's extras. So what leaves has exactly
// one framing (CVE-2026-1525: two Content-Length lines sent to a server).

import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  FORM_ABSOLUTE,
  SAW_EXPECT,
  SAW_HOP,
  SAW_TE_TRAILERS,
  SAW_UPGRADE,
} from '../exchange.ts'
import type { Exchange } from '../exchange.ts'
import { CONTENT_LENGTH, DATE, EXPECT, HOST } from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { linesOf } from '../headers.ts'
import { dropFramingExtras } from './extras.ts'
import { dropHopByHop } from './hop-by-hop.ts'
import { hasNoBody } from './response-fields.ts'
import { statusLine } from './status.ts'
import { originTarget } from './target.ts'
import { decimalOf, isFieldValue, isTarget } from './text.ts'

export { dropHopByHop } from './hop-by-hop.ts'

const CHUNKED_LINE = 'Transfer-Encoding: chunked\r\n'

// The head of the request to a server. `forwarded` is ready made lines, each with its CR LF. The result is ''
// when path, query or host hold a byte that may not be sent: REWRITE_INVALID.
export function requestHead(exchange: Exchange, forwarded: string): string {
  const head = exchange.request
  const facts = exchange.facts
  const upgrade = (facts & SAW_UPGRADE) !== 0
  if ((facts & SAW_HOP) !== 0) dropHopByHop(head, upgrade)
  if (head.extraCount > 0) dropFramingExtras(head)
  let out = ''
  let from = 0
  const asItCame =
    !exchange.pathChanged && exchange.form !== FORM_ABSOLUTE && exchange.versionMinor === 1
  if (!asItCame) {
    out = requestLine(exchange)
    if (out === '') return ''
    from = head.linesStart
  }
  if (
    exchange.forwardHost !== '' ||
    exchange.form === FORM_ABSOLUTE ||
    exchange.versionMinor === 0
  ) {
    const host = exchange.forwardHost !== '' ? exchange.forwardHost : exchange.authority
    if (!isFieldValue(host)) return ''
    if (from === 0) out = head.text.slice(0, head.linesStart)
    from = head.linesStart
    head.removeId(HOST)
    out += 'Host: ' + host + '\r\n'
  }
  const framing = requestFraming(exchange)
  out += linesOf(head, from) + forwarded + framing
  if (upgrade) out += 'Connection: Upgrade\r\n'
  if ((facts & SAW_TE_TRAILERS) !== 0) out += 'TE: trailers\r\n'
  return out + '\r\n'
}

function requestLine(exchange: Exchange): string {
  let target = ''
  if (exchange.path === '') target = originTarget(exchange)
  else target = exchange.hasQuery ? exchange.path + '?' + exchange.query : exchange.path
  return isTarget(target) ? exchange.method + ' ' + target + ' HTTP/1.1\r\n' : ''
}

// Drops what the head says about its body unless it is what will be sent; returns the line to add.
function requestFraming(exchange: Exchange): string {
  const head = exchange.request
  if ((exchange.facts & SAW_EXPECT) === 0 && (exchange.facts & SAW_HOP) !== 0) head.removeId(EXPECT)
  if (exchange.bodyKind === BODY_LENGTH) return lengthLine(head, exchange.bodyLength)
  head.removeId(CONTENT_LENGTH)
  return exchange.bodyKind === BODY_CHUNKED ? CHUNKED_LINE : ''
}

// '' when the head has a Content-Length line that says `length`; otherwise that line is made.
function lengthLine(head: Head, length: number): string {
  const line = head.lineOf(CONTENT_LENGTH)
  if (line >= 0) {
    const { text, offsets } = head
    if (decimalOf(text, offsets[line * 4 + 2]!, offsets[line * 4 + 3]!) === length) return ''
    head.removeId(CONTENT_LENGTH)
  }
  return 'Content-Length: ' + length + '\r\n'
}

// The head of the response to the client. A body of unknown length (chunked, or to the end of the server's
// connection) is sent chunked to an HTTP/1.1 client and to the end of the connection to an HTTP/1.0 one.
export function responseHead(
  exchange: Exchange,
  connection: '' | 'close' | 'keep-alive',
  date: string,
): string {
  const head = exchange.response
  if (head.extraCount > 0) dropFramingExtras(head)
  const framing = responseFraming(exchange)
  let out = ''
  let from = 0
  if (!isStatusLineKept(exchange)) {
    from = head.linesStart
    out = exchange.reason === '' ? statusLine(exchange.status) : customLine(exchange)
  }
  out += linesOf(head, from) + framing
  if (exchange.status === 101) out += 'Connection: Upgrade\r\n'
  else if (connection !== '') out += connection === 'close' ? CLOSE_LINE : KEEP_ALIVE_LINE
  if (date !== '' && exchange.status >= 200 && !hasDate(head)) out += 'Date: ' + date + '\r\n'
  return out + '\r\n'
}

const CLOSE_LINE = 'Connection: close\r\n'
const KEEP_ALIVE_LINE = 'Connection: keep-alive\r\n'

function hasDate(head: Head): boolean {
  if (head.lineOf(DATE) >= 0) return true
  for (let i = 0; i < head.extraCount; i++) {
    if (head.isExtra(i, 'date')) return true
  }
  return false
}

// Whether the status line that arrived can be sent as it is: HTTP/1.1, and nobody changed the status.
function isStatusLineKept(exchange: Exchange): boolean {
  const { text, linesStart } = exchange.response
  if (linesStart === 0 || text.charCodeAt(7) !== 49) return false
  const status = exchange.status
  return (
    text.charCodeAt(9) - 48 === ((status / 100) | 0) &&
    text.charCodeAt(10) - 48 === ((status / 10) | 0) % 10 &&
    text.charCodeAt(11) - 48 === status % 10
  )
}

function customLine(exchange: Exchange): string {
  const reason = isFieldValue(exchange.reason) ? exchange.reason : ''
  return 'HTTP/1.1 ' + exchange.status + ' ' + reason + '\r\n'
}

// As requestFraming. A response to HEAD and a 304 keep the length they had: it tells of the body that a GET
// would have brought (RFC 9110 section 8.6). 1xx and 204 must not have one.
function responseFraming(exchange: Exchange): string {
  const head = exchange.response
  const status = exchange.status
  if (hasNoBody(exchange.methodId, status)) {
    if (status < 200 || status === 204) head.removeId(CONTENT_LENGTH)
    else if (exchange.responseKind === BODY_LENGTH && head.lineOf(CONTENT_LENGTH) < 0) {
      return status === 304 ? '' : 'Content-Length: ' + exchange.responseLength + '\r\n'
    }
    return ''
  }
  if (exchange.responseKind === BODY_LENGTH) return lengthLine(head, exchange.responseLength)
  if (exchange.responseKind === BODY_NONE) return lengthLine(head, 0)
  head.removeId(CONTENT_LENGTH)
  return exchange.versionMinor === 1 ? CHUNKED_LINE : ''
}

// Chunk framing (RFC 9112 section 7.1). A body ends with lastChunk.

const SMALL_CHUNKS = 4096
const smallHeads: string[] = []
for (let n = 0; n < SMALL_CHUNKS; n++) smallHeads[n] = n.toString(16) + '\r\n'

// The size line of a chunk of n bytes; the caller appends the bytes and CR LF. n is never 0: that is the end.
export function chunkHead(n: number): string {
  return n < SMALL_CHUNKS ? smallHeads[n]! : n.toString(16) + '\r\n'
}

// The last chunk and the trailer section, if any.
export function lastChunk(trailers: Head | null): string {
  if (trailers === null) return '0\r\n\r\n'
  return '0\r\n' + linesOf(trailers, trailers.linesStart) + '\r\n'
}

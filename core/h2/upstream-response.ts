// core/h2/upstream-response.ts: reads the fields of a server's HTTP/2 response into the head of an exchange.
//
// Owner:  nobody; functions over an exchange or a head.
// Hot:    yes, once per response of a server that speaks HTTP/2.
//
// The head gets the text that the same response would have had in HTTP/1, so that middlewares, logs and both
// engines need not know where it came from. Strict as core/h1/response.ts is, by RFC 9113 section 8.2 and 8.3:
// what is refused there is refused here, whatever the HTTP/2 library has let through.

import type { Exchange } from '../exchange.ts'
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE } from '../exchange.ts'
import { NONE, UPSTREAM_HEADERS_TOO_LARGE, UPSTREAM_MALFORMED } from '../errors.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  DROPPED,
  HTTP2_SETTINGS,
  KEEP_ALIVE,
  PROXY_AUTHENTICATE,
  PROXY_AUTHORIZATION,
  PROXY_CONNECTION,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
  headerIdOf,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { hasNoBody } from '../h1/response-fields.ts'
import { statusLine } from '../h1/status.ts'
import { byteClass, decimalOf, isFieldValue, TOKEN } from '../h1/text.ts'
import { findForbidden } from '../h1/trailers.ts'
import { type HeadLimits, responseLimits, trailerLimits } from '../limits.ts'

// Connection-specific fields make a message malformed (RFC 9113, section 8.2.2).
const REFUSE = 1
const DROP = 2 // meant for one connection only, as in HTTP/1
const rule = new Uint8Array(256)
for (const id of [CONNECTION, TRANSFER_ENCODING, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION])
  rule[id] = REFUSE
for (const id of [TE, HTTP2_SETTINGS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION]) rule[id] = DROP

// `fields` is the flat list of names and values; `ended` says that no body and no trailers follow. Fills
// exchange.response, status, reason, responseKind, responseLength, endsWithConnection. Returns NONE or a code.
export function readResponse(
  exchange: Exchange,
  fields: readonly string[],
  ended: boolean,
): number {
  const head = exchange.response
  head.clear()
  const status = statusOf(fields)
  if (status === 0) return UPSTREAM_MALFORMED
  const fault = readFields(head, statusLine(status), fields, 2, responseLimits)
  if (fault !== NONE) return fault
  exchange.status = status
  exchange.reason = ''
  const length = lengthOf(head)
  if (length === LENGTH_BAD) return UPSTREAM_MALFORMED
  if (status < 200) {
    exchange.responseKind = BODY_NONE
    exchange.responseLength = 0
    return ended || length > 0 ? UPSTREAM_MALFORMED : NONE
  }
  return frame(exchange, length, ended)
}

// The 200 to an extended CONNECT for a WebSocket, as the 101 that HTTP/1.1 has for it (RFC 8441, section 5).
export function readSwitch(exchange: Exchange, fields: readonly string[], accept: string): number {
  const head = exchange.response
  head.clear()
  const fault = readFields(head, statusLine(101), fields, 2, responseLimits)
  if (fault !== NONE || lengthOf(head) !== LENGTH_NONE) return UPSTREAM_MALFORMED
  head.text = head.text.slice(0, head.linesEnd)
  addLine(head, 'upgrade', 'websocket')
  addLine(head, 'sec-websocket-accept', accept)
  head.linesEnd = head.text.length
  head.text += '\r\n'
  exchange.status = 101
  exchange.reason = ''
  exchange.responseKind = BODY_NONE
  exchange.responseLength = 0
  return NONE
}

function addLine(head: Head, name: string, value: string): void {
  record(head, head.text.length, name.length, value.length, headerIdOf(name))
  head.text += name + ': ' + value + '\r\n'
}

const LENGTH_NONE = -1
const LENGTH_BAD = -2

function frame(exchange: Exchange, length: number, ended: boolean): number {
  exchange.responseLength = 0
  exchange.endsWithConnection = false
  if (hasNoBody(exchange.methodId, exchange.status)) {
    exchange.responseKind = BODY_NONE
    return NONE
  }
  if (length === LENGTH_NONE && !ended) {
    exchange.responseKind = BODY_CHUNKED // its end is told by a frame, as a chunk tells it, and trailers may follow
    return NONE
  }
  if (ended && length > 0) return UPSTREAM_MALFORMED
  exchange.responseKind = BODY_LENGTH
  exchange.responseLength = ended ? 0 : length
  return NONE
}

// ":status" has three digits, comes first and is the only pseudo field of a response. 101 does not exist here
// (RFC 9113, section 8.6). 0 when it is anything else.
function statusOf(fields: readonly string[]): number {
  const value = fields[1]
  if (fields[0] !== ':status' || value === undefined || value.length !== 3) return 0
  const status = decimalOf(value, 0, 3)
  return status >= 100 && status <= 599 && status !== 101 ? status : 0
}

// One plain decimal number: two lines are two ends, even where they agree.
function lengthOf(head: Head): number {
  let length = LENGTH_NONE
  const { count, ids, offsets, text } = head
  for (let line = 0; line < count; line++) {
    if (ids[line] !== CONTENT_LENGTH) continue
    if (length !== LENGTH_NONE) return LENGTH_BAD
    length = decimalOf(text, offsets[line * 4 + 2]!, offsets[line * 4 + 3]!)
    if (length < 0) return LENGTH_BAD
  }
  return length
}

// Trailers into a head of their own, as the HTTP/1 codec would have read them.
export function readTrailers(head: Head, fields: readonly string[]): number {
  head.clear()
  const fault = readFields(head, '', fields, 0, trailerLimits)
  if (fault !== NONE) return fault
  return findForbidden(head) === NONE ? NONE : UPSTREAM_MALFORMED
}

// Writes fields[from..] as header lines behind `start`.
function readFields(
  head: Head,
  start: string,
  fields: readonly string[],
  from: number,
  limits: HeadLimits,
): number {
  let text = start
  head.linesStart = text.length
  for (let i = from; i + 1 < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (!isLowerToken(name) || !isFieldValue(value)) return UPSTREAM_MALFORMED
    const id = headerIdOf(name)
    if (rule[id] === REFUSE) return UPSTREAM_MALFORMED
    if (head.count >= limits.headerCountMax) return UPSTREAM_HEADERS_TOO_LARGE
    record(head, text.length, name.length, value.length, rule[id] === DROP ? DROPPED : id)
    text += name + ': ' + value + '\r\n'
    if (text.length > limits.headBytesMax) return UPSTREAM_HEADERS_TOO_LARGE
  }
  head.linesEnd = text.length
  head.text = text + '\r\n'
  return NONE
}

function record(head: Head, at: number, nameLength: number, valueLength: number, id: number): void {
  head.grow()
  const line = head.count
  const { offsets } = head
  offsets[line * 4] = at
  offsets[line * 4 + 1] = at + nameLength
  offsets[line * 4 + 2] = at + nameLength + 2
  offsets[line * 4 + 3] = at + nameLength + 2 + valueLength
  head.ids[line] = id
  head.count = line + 1
}

// A token without capitals; a pseudo field's ":" is none.
function isLowerToken(name: string): boolean {
  if (name.length === 0) return false
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    if (c > 127 || (c >= 65 && c <= 90) || (byteClass[c]! & TOKEN) === 0) return false
  }
  return true
}

// core/h1/response.ts: reads the head of a server's HTTP/1 response, whatever pieces it arrives in.
//
// Owner:  the upstream connection that is reading a head; reset for each one.
// Hot:    yes. Each byte is looked at once, in order. A head of 155 bytes and 6 lines takes 0.7 microseconds
//         (Node 22); responseHead() on it takes 0.25.
//
//   VERSION --SP--> STATUS --SP or CR--> REASON --CR LF--> LINES --blank line--> done
//
// Every fault is UPSTREAM_MALFORMED (502) but size, which is UPSTREAM_HEADERS_TOO_LARGE: what is wrong with
// a server's head is of no use to a client. Hop-by-hop lines are dropped here, where each line's id is
// looked at anyway; a middleware never sees them.

import type { Exchange } from '../exchange.ts'
import {
  HEADERS_TOO_MANY,
  NONE,
  UPSTREAM_HEADERS_TOO_LARGE,
  UPSTREAM_MALFORMED,
} from '../errors.ts'
import type { HeadLimits } from '../limits.ts'
import { LineScanner } from './lines.ts'
import { ResponseFields } from './response-fields.ts'
import { statusPhrase } from './status.ts'
import { CR, DIGIT, FIELD, LF, SP, byteClass } from './text.ts'

const VERSION = 0 // "HTTP/1.x 200": bytes with a fixed place
const REASON = 1
const REASON_LF = 2
const LINES = 3

const STATUS_START = 9
const STATUS_END = 12

export class ResponseParser {
  // Valid after parse() returned a position.
  versionMinor = 1
  keepAlive = false // the connection may be reused by what this head says
  upgrade = false // 101 with Connection: upgrade and an Upgrade header
  contentLengthSeen = false

  private stage = VERSION
  private at = 0 // bytes looked at
  private status = 0
  private reasonStart = 0
  private reasonEnd = 0
  private readonly lines = new LineScanner()
  private readonly fields = new ResponseFields()

  reset(): void {
    this.versionMinor = 1
    this.keepAlive = false
    this.upgrade = false
    this.contentLengthSeen = false
    this.stage = VERSION
    this.at = 0
    this.status = 0
    this.reasonStart = 0
    this.reasonEnd = 0
  }

  // The same contract as RequestParser.parse. Fills exchange.response, status, reason, responseKind, responseLength
  // and endsWithConnection (from exchange.methodId, the request's) and the fields above; what the head before this
  // one (1xx) left in exchange.response is forgotten.
  parse(exchange: Exchange, bytes: Buffer, start: number, end: number, limits: HeadLimits): number {
    const bound = start + limits.headBytesMax
    const to = end < bound ? end : bound
    let p = start + this.at
    if (this.at === 0) exchange.response.clear()
    if (this.stage !== LINES) {
      p = this.readLine(bytes, start, p, to)
      if (p < 0) return p
      if (p === 0) return end >= bound ? -UPSTREAM_HEADERS_TOO_LARGE : 0
      exchange.response.linesStart = p - start
      this.stage = LINES
      this.lines.reset(p - start)
    }
    const done = this.lines.scan(exchange.response, bytes, start, p, to, limits.headerCountMax)
    if (done < 0) {
      return -(done === -HEADERS_TOO_MANY ? UPSTREAM_HEADERS_TOO_LARGE : UPSTREAM_MALFORMED)
    }
    if (done === 0) {
      if (end >= bound) return -UPSTREAM_HEADERS_TOO_LARGE
      this.at = this.lines.pos - start
      return 0
    }
    exchange.response.text = bytes.latin1Slice(start, done)
    return this.conclude(exchange) ? done : -UPSTREAM_MALFORMED
  }

  // The status line. Returns the position after it, 0 (more), or -code.
  private readLine(bytes: Buffer, start: number, from: number, to: number): number {
    let p = from
    while (this.stage === VERSION && p < to) {
      if (!isStatusByte(p - start, bytes[p]!)) return -UPSTREAM_MALFORMED
      p++
      if (p - start === STATUS_END) this.stage = REASON
    }
    if (this.stage === REASON) {
      while (p < to && (byteClass[bytes[p]!]! & FIELD) !== 0) p++
      // The first byte after the status is a space, or the line ends there.
      if (p > start + STATUS_END && bytes[start + STATUS_END] !== SP) return -UPSTREAM_MALFORMED
      if (p < to) {
        if (bytes[p] !== CR) return -UPSTREAM_MALFORMED
        this.endLine(bytes, start, p)
        p++
      }
    }
    if (p === to) {
      this.at = p - start
      return 0
    }
    return bytes[p] === LF ? p + 1 : -UPSTREAM_MALFORMED
  }

  private endLine(bytes: Buffer, start: number, end: number): void {
    const at = start + STATUS_START
    this.versionMinor = bytes[start + 7]! - 48
    this.status = (bytes[at]! - 48) * 100 + (bytes[at + 1]! - 48) * 10 + bytes[at + 2]! - 48
    this.reasonEnd = end - start
    this.reasonStart = Math.min(STATUS_END + 1, this.reasonEnd)
    this.stage = REASON_LF
  }

  private conclude(exchange: Exchange): boolean {
    const { fields, versionMinor, status } = this
    exchange.status = status
    if (fields.read(exchange.response, versionMinor, status) !== NONE) return false
    fields.frame(exchange, status)
    exchange.reason = this.reasonOf(exchange.response.text)
    this.keepAlive = fields.isReusable(exchange, versionMinor)
    this.upgrade = fields.upgrade
    this.contentLengthSeen = fields.length >= 0
    return true
  }

  private reasonOf(text: string): string {
    const phrase = statusPhrase(this.status)
    const from = this.reasonStart
    if (this.reasonEnd - from === phrase.length && text.startsWith(phrase, from)) return ''
    return text.slice(from, this.reasonEnd)
  }
}

// Byte `index` of "HTTP/1.x 599".
function isStatusByte(index: number, c: number): boolean {
  if (index < 7) return c === 'HTTP/1.'.charCodeAt(index)
  if (index === 7) return c === 48 || c === 49
  if (index === 8) return c === SP
  if (index === STATUS_START) return c >= 49 && c <= 53
  return (byteClass[c]! & DIGIT) !== 0
}

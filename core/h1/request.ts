// core/h1/request.ts: reads the head of an HTTP/1 request, whatever pieces it arrives in.
//
// Owner:  the connection that is reading a head; reset for each one. A worker keeps one for the usual case
//         that a head arrives whole.
// Hot:    yes. Each byte is looked at once, in order. A head of 196 bytes and 6 lines takes 0.8 microseconds
//         (Node 22, 1 ns per table read on that machine), of which 0.06 are the decoding to text and 0.1 the
//         reading of fields; requestHead() on it takes 0.4.
//
//   LEADING --other--> METHOD --SP--> TARGET --SP--> VERSION --CR LF--> LINES --blank line--> done
//
// Nothing that two servers could read in two ways gets past this file: no repair, no leniency
// (reference: RFC 9112; each refusal has its code in core/errors.ts).

import type { Exchange } from '../exchange.ts'
import {
  METHOD_CONNECT,
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_PATCH,
  METHOD_POST,
  METHOD_PUT,
  METHOD_TRACE,
  SAW_ALIAS,
  methodNames,
} from '../exchange.ts'
import {
  HEADERS_TOO_LARGE,
  HTTP2_PREFACE,
  NONE,
  REQUEST_FRAGMENT,
  REQUEST_LINE,
  REQUEST_LINE_END,
  REQUEST_METHOD,
  REQUEST_TARGET,
  REQUEST_VERSION,
  TARGET_TOO_LONG,
} from '../errors.ts'
import type { HeadLimits } from '../limits.ts'
import { LineScanner } from './lines.ts'
import { readRequestFields } from './request-fields.ts'
import { readTarget } from './target.ts'
import { CR, DIGIT, LF, SP, TARGET as TARGET_BYTE, TOKEN, byteClass } from './text.ts'

const LEADING = 0
const METHOD = 1
const TARGET = 2
const VERSION = 3
const LINES = 4

const METHOD_BYTES_MAX = 32 // the longest registered one (UPDATEREDIRECTREF) has 17
const EMPTY_LINES_MAX = 2 // before the request line, RFC 9112 section 2.2
const VERSION_BYTES = 10 // "HTTP/1.1" CR LF
const HASH = 35

export class RequestParser {
  private stage = LEADING
  private at = 0 // bytes looked at; this and the next three count from `start`
  private base = 0 // where the request line begins
  private targetStart = 0
  private versionStart = 0
  private readonly lines = new LineScanner()

  reset(): void {
    this.stage = LEADING
    this.at = 0
    this.base = 0
    this.targetStart = 0
    this.versionStart = 0
  }

  // bytes[start..end) holds everything of this head so far, from its first byte; it may be another buffer
  // than last time. Returns the position after the head (the exchange is filled; offsets count from
  // request.text, which begins with the request line), 0 when more is needed, or -code of core/errors.ts.
  // After an error the parser and the exchange must be reset.
  parse(exchange: Exchange, bytes: Buffer, start: number, end: number, limits: HeadLimits): number {
    const bound = start + limits.headBytesMax
    const to = end < bound ? end : bound
    let p = start + this.at
    if (this.stage !== LINES) {
      p = this.readLine(exchange, bytes, start, p, to)
      if (p === 0 && end >= bound) return -TARGET_TOO_LONG
      if (p <= 0) return p
      this.stage = LINES
      this.lines.reset(exchange.request.linesStart)
    }
    const base = start + this.base
    const done = this.lines.scan(exchange.request, bytes, base, p, to, limits.headerCountMax)
    if (done < 0) return done
    if (done === 0) {
      if (end >= bound) return -HEADERS_TOO_LARGE
      this.at = this.lines.pos - start
      return 0
    }
    exchange.request.text = bytes.latin1Slice(base, done)
    if (this.lines.aliasSeen) exchange.facts |= SAW_ALIAS
    const error = readRequestFields(exchange)
    return error === NONE ? done : -error
  }

  // The request line. Returns the position after it, 0 (more), or -code.
  private readLine(
    exchange: Exchange,
    bytes: Buffer,
    start: number,
    from: number,
    to: number,
  ): number {
    let p = from
    if (this.stage === LEADING) {
      p = skipEmptyLines(bytes, start, from, to)
      if (p < 0) return p
      this.at = p - start
      if (p === to) return 0
      this.base = p - start
      this.stage = METHOD
    }
    if (this.stage === METHOD) {
      while (p < to && (byteClass[bytes[p]!]! & TOKEN) !== 0) p++
      const length = p - start - this.base
      if (length > METHOD_BYTES_MAX) return -REQUEST_METHOD
      if (p === to) return this.wait(p - start)
      if (bytes[p] !== SP || length === 0) return -methodError(bytes[p]!, length)
      setMethod(exchange, bytes, start + this.base, p)
      p++
      this.targetStart = p - start
      this.stage = TARGET
    }
    if (this.stage === TARGET) {
      while (p < to && (byteClass[bytes[p]!]! & TARGET_BYTE) !== 0) p++
      if (p === to) return this.wait(p - start)
      if (bytes[p] !== SP || p - start === this.targetStart) return -targetError(bytes[p]!)
      p++
      this.versionStart = p - start
      this.stage = VERSION
    }
    const versionStart = start + this.versionStart
    if (p === versionStart && to - p >= VERSION_BYTES && isHttp11(bytes, p)) {
      return this.endLine(exchange, bytes, start, p + VERSION_BYTES)
    }
    for (; p < to; p++) {
      const error = versionByteError(p - versionStart, bytes[p]!)
      if (error !== NONE) return -error
      if (p - versionStart === VERSION_BYTES - 1) return this.endLine(exchange, bytes, start, p + 1)
    }
    return this.wait(p - start)
  }

  private wait(at: number): number {
    this.at = at
    return 0
  }

  // The request line is complete and ends before `after`.
  private endLine(exchange: Exchange, bytes: Buffer, start: number, after: number): number {
    const major = bytes[start + this.versionStart + 5]! - 48
    const minor = bytes[start + this.versionStart + 7]! - 48
    if (exchange.method === 'PRI') return -HTTP2_PREFACE // reserved, RFC 9113 section 11.6
    if (major !== 1 || minor > 1) return -REQUEST_VERSION
    exchange.versionMinor = minor
    exchange.targetStart = this.targetStart - this.base
    exchange.targetEnd = this.versionStart - this.base - 1
    exchange.request.linesStart = after - start - this.base
    const error = readTarget(
      exchange,
      bytes,
      start + this.targetStart,
      start + this.versionStart - 1,
    )
    return error === NONE ? after : -error
  }
}

// Up to two empty lines may precede a request line: some clients send one after a body.
function skipEmptyLines(bytes: Buffer, start: number, from: number, to: number): number {
  let p = from
  for (; p < to; p++) {
    if (((p - start) & 1) === 1) {
      if (bytes[p] !== LF) return -REQUEST_LINE_END
    } else {
      if (bytes[p] !== CR) break
      if (p - start >= EMPTY_LINES_MAX * 2) return -REQUEST_LINE
    }
  }
  return p
}

function methodError(c: number, length: number): number {
  if (c === LF) return REQUEST_LINE_END
  return c === CR && length > 0 ? REQUEST_LINE : REQUEST_METHOD
}

function targetError(c: number): number {
  if (c === HASH) return REQUEST_FRAGMENT
  if (c === LF) return REQUEST_LINE_END
  return c === CR ? REQUEST_VERSION : REQUEST_TARGET // HTTP/0.9 has no version
}

// The usual case in one look: "HTTP/1.1" CR LF.
function isHttp11(bytes: Buffer, at: number): boolean {
  return (
    bytes[at] === 72 &&
    bytes[at + 1] === 84 &&
    bytes[at + 2] === 84 &&
    bytes[at + 3] === 80 &&
    bytes[at + 4] === 47 &&
    bytes[at + 5] === 49 &&
    bytes[at + 6] === 46 &&
    bytes[at + 7] === 49 &&
    bytes[at + 8] === CR &&
    bytes[at + 9] === LF
  )
}

// Byte `index` of "HTTP/1.1" CR LF.
function versionByteError(index: number, c: number): number {
  if (index < 5) return c === 'HTTP/'.charCodeAt(index) ? NONE : REQUEST_LINE
  if (index === 5 || index === 7) return (byteClass[c]! & DIGIT) !== 0 ? NONE : REQUEST_VERSION
  if (index === 6) return c === 46 ? NONE : REQUEST_VERSION
  if (index === 9) return c === LF ? NONE : REQUEST_LINE_END
  if (c === CR) return NONE
  if (c === LF) return REQUEST_LINE_END
  return (byteClass[c]! & DIGIT) !== 0 ? REQUEST_VERSION : REQUEST_LINE
}

function setMethod(exchange: Exchange, bytes: Buffer, from: number, to: number): void {
  const id = methodIdOf(bytes, from, to - from)
  exchange.methodId = id
  exchange.method = id === METHOD_OTHER ? bytes.latin1Slice(from, to) : methodNames[id]!
}

// Methods are case-sensitive; the first byte and the length leave one candidate.
function methodIdOf(bytes: Buffer, from: number, length: number): number {
  const id = candidateOf(bytes[from]!, length, bytes[from + 1]!)
  const name = methodNames[id]!
  for (let i = 0; i < length; i++) if (bytes[from + i] !== name.charCodeAt(i)) return METHOD_OTHER
  return id
}

function candidateOf(first: number, length: number, second: number): number {
  if (length === 3) return first === 71 ? METHOD_GET : METHOD_PUT
  if (length === 4) return first === 80 ? METHOD_POST : METHOD_HEAD
  if (length === 5) return second === 65 ? METHOD_PATCH : METHOD_TRACE
  if (length === 6) return METHOD_DELETE
  if (length === 7) return first === 67 ? METHOD_CONNECT : METHOD_OPTIONS
  return METHOD_OTHER
}

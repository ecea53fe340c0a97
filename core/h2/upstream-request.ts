// core/h2/upstream-request.ts: the head of a request to a server, from HTTP/1 text to a header block of HTTP/2.
//
// Owner:  one per worker; a block is sent before the next one is written.
// Hot:    yes, once per request to a server that speaks HTTP/2.
//
// The text is our own, made by core/h1/write.ts: so hop-by-hop headers, framing and forwarded lines follow one
// set of rules for both protocols, and every name and value has passed the same checks. What is left to do is
// what RFC 9113 sections 8.2 and 8.3.1 ask for: pseudo fields first, lower case, no framing of HTTP/1.
//
// Nothing is kept in the server's table (RFC 7541, section 2.3.2): requests of many clients repeat little, and a
// block that depends on none before it needs no state here.

import { AUTHORIZATION, CONNECTION, COOKIE, DROPPED, HOST } from '../header-ids.ts'
import { TRANSFER_ENCODING, UPGRADE, headerIdOf } from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { isSpace } from '../h1/text.ts'
import { fixedNumberOf } from './hpack-table.ts'

const BYTES_AT_START = 16 * 1024
const COLON = 58
const CR = 13
const SHORT = 20 // below it a loop is faster than a call into the runtime

const LITERAL = 0x00
const NEVER_INDEXED = 0x10
const INDEXED = 0x80
const [AUTHORITY, METHOD, PATH] = [1, 2, 4] // numbers of fixed fields
const indexedMethods = new Map([
  ['GET', 2],
  ['POST', 3],
])
const PATH_ROOT = 4
const SCHEME_HTTP = 6
const SCHEME_HTTPS = 7

// Names that never travel, or never in a table.
const SKIP = 1
const SECRET = 2
const rule = new Uint8Array(256)
for (const id of [HOST, CONNECTION, TRANSFER_ENCODING, UPGRADE, DROPPED]) rule[id] = SKIP
for (const id of [AUTHORIZATION, COOKIE]) rule[id] = SECRET

export class RequestBlock {
  bytes = Buffer.allocUnsafeSlow(BYTES_AT_START)
  length = 0
  private isConnect = false

  // `authority` is the server's own name, for an HTTP/1.0 request without Host. With a `protocol` the request is
  // an extended CONNECT (RFC 8441).
  write(head: string, scheme: 'http' | 'https', authority: string, protocol: string): void {
    this.length = 0
    const methodEnd = head.indexOf(' ')
    const targetEnd = head.indexOf(' ', methodEnd + 1)
    const path = head.slice(methodEnd + 1, targetEnd)
    this.isConnect = protocol !== ''
    this.writeMethod(this.isConnect ? 'CONNECT' : head.slice(0, methodEnd))
    if (this.isConnect) this.literal(LITERAL, 0, ':protocol', protocol)
    this.indexed(scheme === 'https' ? SCHEME_HTTPS : SCHEME_HTTP)
    if (path === '/') this.indexed(PATH_ROOT)
    else this.literal(LITERAL, PATH, '', path)
    const lines = head.indexOf('\r\n', targetEnd) + 2
    this.literal(LITERAL, AUTHORITY, '', hostOf(head, lines) || authority)
    this.writeLines(head, lines)
  }

  // Trailers: whatever of them may be a header line of HTTP/1.
  writeTrailers(trailers: Head): void {
    this.length = 0
    for (let line = 0; line < trailers.count; line++) {
      const name = trailers.nameAt(line)
      if (rule[trailers.ids[line]!] !== SKIP)
        this.literal(LITERAL, fixedNumberOf(name), name, trailers.valueAt(line))
    }
    for (let i = 0; i < trailers.extraCount; i++) {
      const name = trailers.extraNames[i]!.toLowerCase()
      this.literal(LITERAL, fixedNumberOf(name), name, trailers.extraValues[i]!)
    }
  }

  private writeMethod(method: string): void {
    const number = indexedMethods.get(method)
    if (number === undefined) this.literal(LITERAL, METHOD, '', method)
    else this.indexed(number)
  }

  private writeLines(head: string, from: number): void {
    let at = from
    while (head.charCodeAt(at) !== CR) {
      const end = head.indexOf('\r\n', at)
      let colon = at
      while (head.charCodeAt(colon) !== COLON) colon++
      const name = head.slice(at, colon).toLowerCase()
      const what = rule[headerIdOf(name)]!
      // The key and its answer belong to the handshake of HTTP/1.1.
      if (what !== SKIP && !(this.isConnect && name === 'sec-websocket-key')) {
        const kind = what === SECRET ? NEVER_INDEXED : LITERAL
        this.literal(kind, fixedNumberOf(name), name, trimmed(head, colon + 1, end))
      }
      at = end + 2
    }
  }

  // `name` is written where the field has no number.
  private literal(kind: number, number: number, name: string, value: string): void {
    this.ensure(name.length + value.length + 24)
    this.integer(kind, 4, number)
    if (number === 0) this.string(name)
    this.string(value)
  }

  private indexed(number: number): void {
    this.ensure(1)
    this.bytes[this.length++] = INDEXED | number
  }

  private ensure(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + more))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  // RFC 7541, section 5.1.
  private integer(first: number, prefixBits: number, value: number): void {
    const { bytes } = this
    const mask = (1 << prefixBits) - 1
    if (value < mask) {
      bytes[this.length++] = first | value
      return
    }
    bytes[this.length++] = first | mask
    let rest = value - mask
    while (rest >= 128) {
      bytes[this.length++] = 128 | (rest & 127)
      rest >>>= 7
    }
    bytes[this.length++] = rest
  }

  private string(text: string): void {
    const { length } = text
    this.integer(0, 7, length)
    if (length >= SHORT) {
      this.bytes.latin1Write(text, this.length)
      this.length += length
      return
    }
    for (let i = 0; i < length; i++) this.bytes[this.length++] = text.charCodeAt(i)
  }
}

// The value of the Host line; '' when there is none.
function hostOf(head: string, from: number): string {
  let at = from
  while (head.charCodeAt(at) !== CR) {
    const end = head.indexOf('\r\n', at)
    if (head.charCodeAt(at + 4) === COLON && head.slice(at, at + 4).toLowerCase() === 'host')
      return trimmed(head, at + 5, end)
    at = end + 2
  }
  return ''
}

// A space around a value is lawful in HTTP/1 and an error in HTTP/2.
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

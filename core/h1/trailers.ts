// core/h1/trailers.ts: the trailer section of a chunked body: gathered, bounded, checked.
//
// Owner:  the ChunkedDecoder that holds it; made when the first body with trailers arrives.
// Hot:    no, but for the two bytes of an empty section, which copy nothing.
//
// A trailer arrives when routing, framing and trust are decided, so a field that bears on them is refused
// (RFC 9110 section 6.5.1) under any spelling that some server reads as the same name.

import { NONE, TRAILER_INVALID, TRAILERS_TOO_LARGE } from '../errors.ts'
import { Head } from '../headers.ts'
import type { HeadLimits } from '../limits.ts'
import { LineScanner } from './lines.ts'
import { CR, LF } from './text.ts'

const BYTES_AT_START = 1024 // grows by doubling up to the section's own limit

export class TrailerSection {
  readonly head = new Head()
  pos = 0 // where the bytes of take() were used up to
  private limits: HeadLimits
  private copy: Buffer | null = null // everything of the section so far
  private length = 0
  private scanned = 0
  private ending = false // the first byte was CR: an empty section
  private readonly lines = new LineScanner()

  constructor(limits: HeadLimits) {
    this.limits = limits
  }

  reset(limits: HeadLimits): void {
    this.limits = limits
    this.head.clear()
    this.copy = null
    this.length = 0
    this.scanned = 0
    this.ending = false
    this.lines.reset(0)
  }

  // Returns 1 when the section is complete (`pos` is behind it), 0 for more, or -code.
  take(bytes: Buffer, from: number, to: number): number {
    let p = from
    if (this.length === 0) {
      if (!this.ending && bytes[p] === CR) {
        this.ending = true
        p++
      }
      if (this.ending) {
        this.pos = p + 1
        if (p < to) return bytes[p] === LF ? 1 : -TRAILER_INVALID
        this.pos = p
        return 0
      }
    }
    return this.takeLines(bytes, p, to)
  }

  private takeLines(bytes: Buffer, from: number, to: number): number {
    const room = this.limits.headBytesMax - this.length
    const taken = Math.min(room, to - from)
    const copy = this.append(bytes, from, from + taken)
    const done = this.lines.scan(
      this.head,
      copy,
      0,
      this.scanned,
      this.length,
      this.limits.headerCountMax,
    )
    if (done < 0) return done
    if (done === 0) {
      this.scanned = this.length
      this.pos = to
      return this.length >= this.limits.headBytesMax ? -TRAILERS_TOO_LARGE : 0
    }
    this.pos = from + taken - (this.length - done)
    this.head.text = copy.latin1Slice(0, done)
    return findForbidden(this.head) === NONE ? 1 : -TRAILER_INVALID
  }

  private append(bytes: Buffer, from: number, to: number): Buffer {
    const needed = this.length + to - from
    let copy = this.copy
    if (copy === null || copy.length < needed) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(BYTES_AT_START, 2 ** Math.ceil(Math.log2(needed))),
      )
      if (copy !== null) copy.copy(larger, 0, 0, this.length)
      copy = larger
      this.copy = copy
    }
    bytes.copy(copy, this.length, from, to)
    this.length = needed
    return copy
  }
}

const forbidden = new Set(
  (
    'host connection content-length transfer-encoding expect upgrade te trailer keep-alive ' +
    'proxy-connection proxy-authenticate proxy-authorization proxy-authentication-info http2-settings ' +
    'authorization authentication-info www-authenticate cookie set-cookie origin ' +
    'content-encoding content-type content-range content-location content-disposition ' +
    'cache-control pragma max-forwards range if-match if-none-match if-range if-modified-since ' +
    'if-unmodified-since age expires date location retry-after vary warning via status ' +
    'x-http-method-override x-original-url x-rewrite-url x-original-host'
  ).split(' '),
)

// Trailers of HTTP/2 pass it too: core/h2/.
export function findForbidden(head: Head): number {
  for (let line = 0; line < head.count; line++) {
    const name = head.nameAt(line).replace(/[_.]/g, '-')
    if (forbidden.has(name) || isManaged(name)) return TRAILER_INVALID
  }
  return NONE
}

// The managed headers and whatever else looks like one of them.
function isManaged(name: string): boolean {
  return (
    name === 'forwarded' ||
    name === 'x-real-ip' ||
    name === 'x-scheme' ||
    name.startsWith('x-forwarded-')
  )
}

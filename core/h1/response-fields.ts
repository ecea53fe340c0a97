// core/h1/response-fields.ts: what the header lines of a response mean for framing and for its connection.
//
// Owner:  the ResponseParser that holds it.
// Hot:    yes, once per response. Only lines with a hop-by-hop or framing id are looked at.
//
// RFC 9112 section 6.3, strictly: two lengths, a length beside chunked, another coding than chunked, or
// chunked in HTTP/1.0 make a response that two readers could cut in two places. It becomes 502.

import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  METHOD_HEAD,
  SAW_CLOSE,
  SAW_KEEP_ALIVE,
  SAW_NOMINATED,
  SAW_UPGRADE,
} from '../exchange.ts'
import type { Exchange } from '../exchange.ts'
import { NONE, UPSTREAM_MALFORMED } from '../errors.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  DROPPED,
  EXPECT,
  HOST,
  HTTP2_SETTINGS,
  TRAILER,
  TRANSFER_ENCODING,
  UNKNOWN,
  UPGRADE,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { dropNominated } from './hop-by-hop.ts'
import { decimalOf, isChunked } from './text.ts'
import { UPGRADE_MALFORMED, connectionFacts, upgradeKind } from './tokens.ts'

export class ResponseFields {
  length = -1 // Content-Length; -1 while none was seen
  upgrade = false // the switch to another protocol is announced as RFC 9110 section 7.8 wants it
  private encodings = 0
  private facts = 0
  private upgradeLine = -1

  // Notes framing and drops what is meant for this connection only. Returns NONE or UPSTREAM_MALFORMED.
  read(head: Head, versionMinor: number, status: number): number {
    this.length = -1
    this.upgrade = false
    this.encodings = 0
    this.facts = 0
    this.upgradeLine = -1
    const { count, ids } = head
    for (let line = 0; line < count; line++) {
      const id = ids[line]!
      if (id === UNKNOWN || id > HTTP2_SETTINGS) continue
      if (id === HOST || id === EXPECT || id === TRAILER) continue
      if (!this.readField(head, line, id)) return UPSTREAM_MALFORMED
    }
    if (this.encodings > 0 && (this.length >= 0 || versionMinor === 0)) return UPSTREAM_MALFORMED
    // There is no 1xx in HTTP/1.0 (RFC 9110 section 15.2); some readers take it for the final response.
    if (status < 200 && (versionMinor === 0 || !this.isInformational())) return UPSTREAM_MALFORMED
    if ((this.facts & SAW_NOMINATED) !== 0) dropNominated(head, null)
    this.concludeUpgrade(head, status)
    dropConnectionLines(head)
    return NONE
  }

  private readField(head: Head, line: number, id: number): boolean {
    const { text, offsets, ids } = head
    const from = offsets[line * 4 + 2]!
    const to = offsets[line * 4 + 3]!
    if (id === CONTENT_LENGTH) {
      if (this.length >= 0) return false
      this.length = decimalOf(text, from, to)
      return this.length >= 0
    }
    if (id === CONNECTION) {
      const facts = connectionFacts(text, from, to)
      if (facts < 0) return false
      this.facts |= facts
      return true // dropped at the end: it names what else is
    }
    ids[line] = DROPPED
    if (id === TRANSFER_ENCODING) return ++this.encodings === 1 && isChunked(text, offsets, line)
    if (id === UPGRADE) {
      if (this.upgradeLine >= 0 || upgradeKind(text, from, to) === UPGRADE_MALFORMED) return false
      this.upgradeLine = line
    }
    return true
  }

  // RFC 9110 section 15.2: a 1xx has no body. One that announces a body, or an end before the final response,
  // would leave the two of us at different places.
  private isInformational(): boolean {
    return this.length <= 0 && this.encodings === 0 && (this.facts & SAW_CLOSE) === 0
  }

  // The Upgrade line stays in a 101 only.
  private concludeUpgrade(head: Head, status: number): void {
    if (status !== 101 || this.upgradeLine < 0 || (this.facts & SAW_UPGRADE) === 0) return
    this.upgrade = true
    head.ids[this.upgradeLine] = UPGRADE
  }

  // RFC 9112 section 6.3: a response to HEAD, and 1xx, 204, 304, end with their head whatever it says.
  frame(exchange: Exchange, status: number): void {
    exchange.responseLength = 0
    exchange.endsWithConnection = false
    if (hasNoBody(exchange.methodId, status)) exchange.responseKind = BODY_NONE
    else if (this.encodings > 0) exchange.responseKind = BODY_CHUNKED
    else if (this.length >= 0) {
      exchange.responseKind = BODY_LENGTH
      exchange.responseLength = this.length
    } else {
      exchange.responseKind = BODY_CLOSE
      exchange.endsWithConnection = true
    }
  }

  // A 204 that announces a body may be followed by one: such a connection is not used again.
  isReusable(exchange: Exchange, versionMinor: number): boolean {
    if (exchange.responseKind === BODY_CLOSE || (this.facts & SAW_CLOSE) !== 0) return false
    if (exchange.status === 204 && (this.length > 0 || this.encodings > 0)) return false
    return versionMinor === 1 || (this.facts & SAW_KEEP_ALIVE) !== 0
  }
}

export function hasNoBody(methodId: number, status: number): boolean {
  return methodId === METHOD_HEAD || status < 200 || status === 204 || status === 304
}

function dropConnectionLines(head: Head): void {
  const { count, ids } = head
  for (let line = 0; line < count; line++) if (ids[line] === CONNECTION) ids[line] = DROPPED
}

// core/h1/request-fields.ts: what the header lines of a request mean for framing and routing.
//
// Owner:  nobody; one pass over the lines of a complete head.
// Hot:    yes, once per request. Only lines with a known id below MANAGED_LAST are looked at.
//
// RFC 9112 sections 6 and 7.1, and 3.2 for Host, in their strictest reading: whatever two servers could
// read in two ways is refused, not repaired.

import {
  BODY_CHUNKED,
  BODY_LENGTH,
  FORM_ORIGIN,
  METHOD_CONNECT,
  FORM_ASTERISK,
  SAW_ALIAS,
  SAW_EXPECT,
  SAW_HOP,
  SAW_MANAGED,
  SAW_UPGRADE,
} from '../exchange.ts'
import type { Exchange } from '../exchange.ts'
import {
  EXPECTATION,
  HEADER_NAME,
  HEADER_VALUE,
  HOST_DOUBLE,
  HOST_INVALID,
  HOST_MISSING,
  LENGTH_DOUBLE,
  LENGTH_INVALID,
  LENGTH_WITH_CHUNKED,
  NONE,
  TRANSFER_ENCODING as TRANSFER_ENCODING_ERROR,
  TRANSFER_ENCODING_10,
  UPGRADE_WITH_BODY,
} from '../errors.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  HOST,
  MANAGED_FIRST,
  MANAGED_LAST,
  TE,
  TRAILER,
  TRANSFER_ENCODING,
  UNKNOWN,
  UPGRADE,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { isHostPortIn } from './host.ts'
import {
  UPGRADE_MALFORMED,
  UPGRADE_WANTED,
  connectionFacts,
  teFacts,
  upgradeKind,
} from './tokens.ts'
import { decimalOf, isChunked, isWord } from './text.ts'

// What one pass gathers; one object for the worker, because nothing outlives the pass.
const found = {
  hosts: 0,
  length: -1, // Content-Length; -1 while none was seen
  encodings: 0,
  expectations: 0,
  facts: 0,
  upgradeListed: false, // Connection: upgrade
  upgradeWanted: false, // Upgrade, with something that may be switched to
  upgradeIgnored: false, // Upgrade: h2c
}

// Sets facts, bodyKind, bodyLength and authority of an exchange whose head is complete. Returns NONE or a code.
export function readRequestFields(exchange: Exchange): number {
  const { count, ids } = exchange.request
  found.hosts = 0
  found.length = -1
  found.encodings = 0
  found.expectations = 0
  found.facts = 0
  found.upgradeListed = false
  found.upgradeWanted = false
  found.upgradeIgnored = false
  for (let line = 0; line < count; line++) {
    const id = ids[line]!
    if (id === UNKNOWN || id > MANAGED_LAST) continue
    const error = id === HOST ? readHost(exchange, line) : readField(exchange, line, id)
    if (error !== NONE) return error
  }
  if ((exchange.facts & SAW_ALIAS) !== 0 && hasFramingAlias(exchange.request)) return HEADER_NAME
  return concludeRequest(exchange)
}

// "Transfer_Encoding", "Content.Length": framing to a server that folds "_" and "." into "-", as CGI does.
function hasFramingAlias(head: Head): boolean {
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] !== UNKNOWN) continue
    const name = head.nameAt(line).replace(/[-_.]+/g, '-')
    if (name === 'transfer-encoding' || name === 'content-length' || name === 'host') return true
  }
  return false
}

function readHost(exchange: Exchange, line: number): number {
  const { text, offsets } = exchange.request
  const from = offsets[line * 4 + 2]!
  const to = offsets[line * 4 + 3]!
  if (++found.hosts > 1) return HOST_DOUBLE
  if (!isHostPortIn(text, from, to)) return HOST_INVALID
  if (exchange.form === FORM_ORIGIN || exchange.form === FORM_ASTERISK) {
    exchange.authority = text.slice(from, to)
  }
  return NONE
}

function readField(exchange: Exchange, line: number, id: number): number {
  if (id >= MANAGED_FIRST) {
    found.facts |= SAW_MANAGED
    return NONE
  }
  const { text, offsets } = exchange.request
  const from = offsets[line * 4 + 2]!
  const to = offsets[line * 4 + 3]!
  if (id === CONTENT_LENGTH) return readLength(text, from, to)
  if (id === TRAILER) return NONE
  found.facts |= SAW_HOP
  if (id === CONNECTION) return readConnection(text, from, to)
  if (id === TRANSFER_ENCODING) return readEncoding(exchange, line)
  if (id === UPGRADE) return readUpgrade(text, from, to)
  if (id === EXPECT) return readExpect(exchange, text, from, to)
  if (id === TE) found.facts |= teFacts(text, from, to)
  return NONE
}

function readLength(text: string, from: number, to: number): number {
  if (found.length >= 0) return LENGTH_DOUBLE
  found.length = decimalOf(text, from, to)
  return found.length < 0 ? LENGTH_INVALID : NONE
}

function readEncoding(exchange: Exchange, line: number): number {
  const { text, offsets } = exchange.request
  if (exchange.versionMinor === 0) return TRANSFER_ENCODING_10
  if (++found.encodings > 1 || !isChunked(text, offsets, line)) return TRANSFER_ENCODING_ERROR
  return NONE
}

function readConnection(text: string, from: number, to: number): number {
  const facts = connectionFacts(text, from, to)
  if (facts < 0) return HEADER_VALUE
  if ((facts & SAW_UPGRADE) !== 0) found.upgradeListed = true
  found.facts |= facts & ~SAW_UPGRADE
  return NONE
}

function readUpgrade(text: string, from: number, to: number): number {
  const kind = upgradeKind(text, from, to)
  if (kind === UPGRADE_MALFORMED) return HEADER_VALUE
  if (kind === UPGRADE_WANTED) found.upgradeWanted = true
  else found.upgradeIgnored = true
  return NONE
}

// RFC 9110 section 10.1.1: ignored in HTTP/1.0, anything but 100-continue may be answered 417.
function readExpect(exchange: Exchange, text: string, from: number, to: number): number {
  if (++found.expectations > 1 || !isWord(text, from, to, '100-continue')) return EXPECTATION
  if (exchange.versionMinor === 1) found.facts |= SAW_EXPECT
  return NONE
}

function concludeRequest(exchange: Exchange): number {
  if (found.hosts === 0 && exchange.versionMinor === 1) return HOST_MISSING
  if (found.encodings > 0) {
    if (found.length >= 0) return LENGTH_WITH_CHUNKED
    exchange.bodyKind = BODY_CHUNKED
  } else if (found.length >= 0) {
    exchange.bodyKind = BODY_LENGTH
    exchange.bodyLength = found.length
  }
  if (found.upgradeListed && found.upgradeWanted && !found.upgradeIgnored) {
    if (exchange.versionMinor === 1) found.facts |= SAW_UPGRADE
  }
  exchange.facts |= found.facts
  const hasBody = exchange.bodyKind === BODY_CHUNKED || exchange.bodyLength > 0
  // What follows a CONNECT is the tunnel's to others, whatever its length says: a body there is read in two ways.
  const switches = (exchange.facts & SAW_UPGRADE) !== 0 || exchange.methodId === METHOD_CONNECT
  return hasBody && switches ? UPGRADE_WITH_BODY : NONE
}

// core/tls/client-hello.ts: what a TLS client says first, read before anybody has chosen a certificate.
//
// Owner:  one reader per connection that is being opened; the caller owns the bytes and keeps them all.
// Hot:    no, once per connection.
//
// The hello may come in records of one byte and segments of one byte (CVE-2026-32305: a gateway that looked
// at the first record saw no name and skipped client authentication). The reader remembers how far it has
// come, so the work is proportional to the bytes, however they are cut. A hello that can be read in two
// ways (two server names, lengths that do not add up) is invalid: whoever terminates must not see another
// one than whoever chose. RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301, RFC 8701 (GREASE).

import {
  ALPN_EXTENSION,
  SIGNATURES_EXTENSION,
  SNI_EXTENSION,
  VERSIONS_EXTENSION,
} from './extension-ids.ts'
import {
  INVALID_LIST,
  hasEcdsaScheme,
  hasEcdsaSuite,
  protocolsOf,
  serverNameOf,
  versionsOf,
} from './hello-extensions.ts'

export const HELLO_BYTES_MAX = 16 * 1024 // the message; hybrid ML-KEM key shares make some 2 KiB
export const HELLO_RAW_BYTES_MAX = 32 * 1024 // with the heads of its records
export const EXTENSIONS_MAX = 128

export interface ClientHello {
  readonly serverName: string // lower case, no trailing dot; '' when the client names none
  readonly alpn: readonly string[] // latin1, in the client's order, GREASE left out
  readonly versions: readonly number[] // 0x0304 is TLS 1.3; in the client's order, GREASE left out
  readonly ecdsaScheme: boolean // it can verify ECDSA: enough for TLS 1.3
  readonly ecdsaSuite: boolean // it has suites with that: needed for TLS 1.2
}

export const NEED_MORE = 0
export const NOT_TLS = 1
export const INVALID = 2
export type HelloReading = typeof NEED_MORE | typeof NOT_TLS | typeof INVALID | ClientHello

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const RECORD_HEAD = 5
const RECORD_BYTES_MAX = 16 * 1024
const MESSAGE_HEAD = 4

export class ClientHelloReader {
  private recordAt = 0 // where the first record that is not yet whole begins
  private message: Uint8Array | null = null // the hello, put together from its records
  private filled = 0
  private result: HelloReading = NEED_MORE

  // bytes[0..length): all that has come, from the first byte of the connection on. A verdict other than
  // NEED_MORE is final. Nothing is consumed and nothing of `bytes` is kept.
  read(bytes: Uint8Array, length: number): HelloReading {
    if (this.result !== NEED_MORE) return this.result
    this.result = this.readRecords(bytes, length)
    return this.result
  }

  private readRecords(bytes: Uint8Array, length: number): HelloReading {
    const kind = kindOf(bytes, length)
    if (kind !== NEED_MORE) return kind
    while (length - this.recordAt >= RECORD_HEAD) {
      const size = recordSize(bytes, this.recordAt)
      if (size < 0) return INVALID
      const from = this.recordAt + RECORD_HEAD
      if (from + size > HELLO_RAW_BYTES_MAX) return INVALID
      const whole = length - from >= size
      const verdict = whole
        ? this.take(bytes, from, size)
        : peekHead(bytes, from, length, this.filled)
      if (verdict !== NEED_MORE) return verdict
      if (!whole) break
      this.recordAt = from + size
    }
    // A record head that is already wrong needs no second byte to be seen.
    if (this.recordAt < length && bytes[this.recordAt] !== HANDSHAKE_RECORD) return INVALID
    return NEED_MORE
  }

  // One whole record joins the message.
  private take(bytes: Uint8Array, from: number, size: number): HelloReading {
    this.message ??= new Uint8Array(Math.max(size, 512))
    if (this.filled + size > this.message.length) this.grow(this.filled + size)
    this.message.set(bytes.subarray(from, from + size), this.filled)
    this.filled += size
    const { message, filled } = this
    if (message[0] !== CLIENT_HELLO) return INVALID
    if (filled < MESSAGE_HEAD) return NEED_MORE
    const end = MESSAGE_HEAD + uint24(message, 1)
    if (end > HELLO_BYTES_MAX) return INVALID
    if (filled < end) return NEED_MORE
    // Nothing may follow in the same record: the client has to wait for an answer.
    return filled > end ? INVALID : parseHello(message, MESSAGE_HEAD, end)
  }

  private grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.message!.length * 2))
    larger.set(this.message!)
    this.message = larger
  }
}

// For a caller that has the whole at hand.
export function readClientHello(bytes: Uint8Array, length = bytes.length): HelloReading {
  return new ClientHelloReader().read(bytes, length)
}

// NEED_MORE: it may be, or is, TLS.
function kindOf(bytes: Uint8Array, length: number): HelloReading {
  if (length > 0 && bytes[0] !== HANDSHAKE_RECORD) return NOT_TLS
  return length > 1 && bytes[1] !== 3 ? NOT_TLS : NEED_MORE
}

// The size of the record that begins at `at`; -1 when it is none that a hello may lie in.
function recordSize(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3 || bytes[at + 2]! > 4) return -1
  const size = uint16(bytes, at + 3)
  return size === 0 || size > RECORD_BYTES_MAX ? -1 : size
}

// What the first bytes of a record that is not whole yet already tell.
function peekHead(bytes: Uint8Array, from: number, length: number, filled: number): HelloReading {
  if (filled !== 0 || length === from) return NEED_MORE
  if (bytes[from] !== CLIENT_HELLO) return INVALID
  if (length - from < MESSAGE_HEAD) return NEED_MORE
  return MESSAGE_HEAD + uint24(bytes, from + 1) > HELLO_BYTES_MAX ? INVALID : NEED_MORE
}

// ---- the message

function parseHello(bytes: Uint8Array, from: number, end: number): HelloReading {
  let at = from + 34 // version and random
  if (at >= end) return INVALID
  const legacyVersion = uint16(bytes, from)
  if (legacyVersion >> 8 !== 3 || bytes[at]! > 32) return INVALID
  at += 1 + bytes[at]! // session id
  if (at + 2 > end) return INVALID
  const suites = uint16(bytes, at)
  if (suites === 0 || suites % 2 !== 0) return INVALID
  const ecdsaSuite = hasEcdsaSuite(bytes, at + 2, Math.min(at + 2 + suites, end))
  at += 2 + suites
  if (at >= end || bytes[at] === 0) return INVALID
  at += 1 + bytes[at]! // compression methods
  if (at > end) return INVALID
  if (at === end) {
    const versions = [legacyVersion]
    return { serverName: '', alpn: [], versions, ecdsaScheme: false, ecdsaSuite }
  }
  if (at + 2 > end || uint16(bytes, at) !== end - at - 2) return INVALID
  return parseExtensions(bytes, at + 2, end, legacyVersion, ecdsaSuite)
}

function parseExtensions(
  bytes: Uint8Array,
  from: number,
  end: number,
  legacyVersion: number,
  ecdsaSuite: boolean,
): HelloReading {
  let ecdsaScheme = false
  let serverName: string | null = null
  let alpn: readonly string[] | null = null
  let versions: readonly number[] | null = null
  let at = from
  for (let count = 0; at < end; count++) {
    if (at + 4 > end || count >= EXTENSIONS_MAX) return INVALID
    const kind = uint16(bytes, at)
    const start = at + 4
    at = start + uint16(bytes, at + 2)
    if (at > end) return INVALID
    if (kind === SNI_EXTENSION) {
      const name: string | null = serverName === null ? serverNameOf(bytes, start, at) : null
      if (name === null) return INVALID
      serverName = name
    } else if (kind === ALPN_EXTENSION) {
      alpn = alpn === null ? protocolsOf(bytes, start, at) : INVALID_LIST
      if (alpn === INVALID_LIST) return INVALID
    } else if (kind === VERSIONS_EXTENSION) {
      versions = versions === null ? versionsOf(bytes, start, at) : INVALID_LIST
      if (versions === INVALID_LIST) return INVALID
    } else if (kind === SIGNATURES_EXTENSION) ecdsaScheme = hasEcdsaScheme(bytes, start, at)
  }
  return {
    serverName: serverName ?? '',
    alpn: alpn ?? [],
    versions: versions ?? [legacyVersion],
    ecdsaScheme,
    ecdsaSuite,
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

function uint24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
}

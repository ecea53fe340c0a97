// core/tls/hello-extensions.ts: the bodies of the three extensions of a ClientHello that are looked into.
//
// Owner:  nobody; pure functions over bytes[from..end). Hot: no, once per connection.
// A body whose lengths do not add up exactly is refused: null, or INVALID_LIST.

import { nameOfBytes } from './server-name.ts'

export const INVALID_LIST: readonly never[] = []

const HOST_NAME = 0
export const PROTOCOLS_MAX = 64

// RFC 6066 section 3. Exactly one entry: more of one type are forbidden, and there is only one type.
export function serverNameOf(bytes: Uint8Array, from: number, end: number): string | null {
  if (end - from < 6 || uint16(bytes, from) !== end - from - 2) return null
  if (bytes[from + 2] !== HOST_NAME || uint16(bytes, from + 3) !== end - from - 5) return null
  return nameOfBytes(bytes, from + 5, end)
}

// RFC 7301 section 3.1.
export function protocolsOf(bytes: Uint8Array, from: number, end: number): readonly string[] {
  if (end - from < 4 || uint16(bytes, from) !== end - from - 2) return INVALID_LIST
  const list: string[] = []
  let count = 0
  for (let at = from + 2; at < end;) {
    const size = bytes[at]!
    const next = at + 1 + size
    if (size === 0 || next > end || ++count > PROTOCOLS_MAX) return INVALID_LIST
    if (size !== 2 || !isGrease(uint16(bytes, at + 1))) list.push(latin1(bytes, at + 1, next))
    at = next
  }
  return list
}

// RFC 8446 section 4.2.1.
export function versionsOf(bytes: Uint8Array, from: number, end: number): readonly number[] {
  const size = end - from - 1
  if (size < 2 || size % 2 !== 0 || bytes[from] !== size) return INVALID_LIST
  const list: number[] = []
  for (let at = from + 1; at < end; at += 2) {
    const version = uint16(bytes, at)
    if (!isGrease(version)) list.push(version)
  }
  return list
}

// RFC 8446 section 4.2.3: whether one of the schemes is ECDSA with SHA-256, 384 or 512. A list of another form has
// none: OpenSSL, which reads it too, refuses the hello.
export function hasEcdsaScheme(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from + 2; at + 1 < end; at += 2) {
    const hash = bytes[at]!
    if (bytes[at + 1] === 3 && hash >= 4 && hash <= 6) return true
  }
  return false
}

// Whether one of the suites of TLS 1.2 signs with ECDSA: GCM, CBC and ChaCha20, by their numbers.
export function hasEcdsaSuite(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at + 1 < end; at += 2) if (ecdsaSuites.has(uint16(bytes, at))) return true
  return false
}

const ecdsaSuites: ReadonlySet<number> = new Set([
  0xc02b, 0xc02c, 0xcca9, 0xc009, 0xc00a, 0xc023, 0xc024,
])

// RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa, which say nothing but that unknown values must be ignored.
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

function latin1(bytes: Uint8Array, from: number, end: number): string {
  let text = ''
  for (let i = from; i < end; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

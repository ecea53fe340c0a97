// core/first-bytes.ts: what the first bytes of a connection say about the rest of it.
//
// Owner:  nobody; a pure function over what has come so far. Hot: no, once per connection that has to be told.
//
// Only the beginning is compared, never more than TELL_BYTES_MAX bytes: whoever gets the connection reads it
// properly. OTHER is not refused here: it may be for a TCP router, and else goes where HTTP/1 goes, which
// answers 400.

import { V1_PREFIX, V2_SIGNATURE } from './proxy-protocol/header.ts'

export const NEED_MORE = 0
export const PROXY_V1 = 1
export const PROXY_V2 = 2
export const TLS = 3
export const H2_PREFACE = 4 // RFC 9113 section 3.4, all 24 bytes of it
export const HTTP1 = 5
export const POSTGRES_SSL = 6 // SSLRequest: answer 'S', then a ClientHello follows
export const POSTGRES_GSS = 7 // GSSENCRequest: answer 'N', then the client asks for TLS or goes on in clear
export const OTHER = 8
export type FirstBytes =
  | typeof NEED_MORE
  | typeof PROXY_V1
  | typeof PROXY_V2
  | typeof TLS
  | typeof H2_PREFACE
  | typeof HTTP1
  | typeof POSTGRES_SSL
  | typeof POSTGRES_GSS
  | typeof OTHER

export const TELL_BYTES_MAX = 32 // enough bytes for a verdict, whatever they are
export const POSTGRES_REQUEST_BYTES = 8 // of either request

const METHOD_BYTES_MAX = 24 // the longest registered one has 17
const SP = 32

const text = (s: string): readonly number[] => Array.from(s, (c) => c.charCodeAt(0))
const prefixes: readonly (readonly [FirstBytes, readonly number[]])[] = [
  [TLS, [22, 3]], // a handshake record of any version
  [H2_PREFACE, text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  [PROXY_V1, text(V1_PREFIX)],
  [PROXY_V2, V2_SIGNATURE],
  [POSTGRES_SSL, [0, 0, 0, 8, 4, 210, 22, 47]],
  [POSTGRES_GSS, [0, 0, 0, 8, 4, 210, 22, 48]],
]
const SCHEME = text('http')
const CONNECT = text('CONNECT')

// bytes[0..length): all that has come, behind a PROXY header if there was one.
export function tellFirstBytes(bytes: Uint8Array, length = bytes.length): FirstBytes {
  let undecided = length === 0
  for (const [kind, prefix] of prefixes) {
    const same = agreement(bytes, length, 0, prefix)
    if (same === prefix.length) return kind
    if (same === length) undecided = true
  }
  // "P" may become PRI, PROXY or POST: as long as one of ours is possible, nothing is said.
  return undecided ? NEED_MORE : tellRequestLine(bytes, length)
}

// How many bytes from `at` on are those of `prefix`.
function agreement(
  bytes: Uint8Array,
  length: number,
  at: number,
  prefix: readonly number[],
): number {
  let i = 0
  while (i < prefix.length && at + i < length && bytes[at + i] === prefix[i]) i++
  return i
}

// A method in capitals, one space, and the beginning of a target: "EHLO mail" or "SSH-2.0-x y" are none.
function tellRequestLine(bytes: Uint8Array, length: number): FirstBytes {
  let at = 0
  while (at < length && isMethodByte(bytes[at]!)) if (++at > METHOD_BYTES_MAX) return OTHER
  if (at === length) return NEED_MORE
  if (at === 0 || bytes[at] !== SP) return OTHER
  if (at === CONNECT.length && agreement(bytes, length, 0, CONNECT) === CONNECT.length) return HTTP1
  if (at + 1 === length) return NEED_MORE
  const first = bytes[at + 1]!
  if (first === 47 || first === 42) return HTTP1 // "/" and "*"
  return tellScheme(bytes, length, at + 1)
}

function tellScheme(bytes: Uint8Array, length: number, at: number): FirstBytes {
  for (let i = 0; i < SCHEME.length; i++) {
    if (at + i === length) return NEED_MORE
    if ((bytes[at + i]! | 32) !== SCHEME[i]) return OTHER
  }
  return HTTP1
}

function isMethodByte(c: number): boolean {
  return (c >= 65 && c <= 90) || c === 45
}

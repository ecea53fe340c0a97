// core/header-ids.ts: the header names that Sluice itself has to know, as small numbers.
//
// Hot: yes. The parser names each line once (headerIdOfBytes); everything after compares integers.
// A name that is not listed has id UNKNOWN and is compared as text by whoever asks for it.

export const UNKNOWN = 0
export const DROPPED = 255 // the line is not sent; see core/headers.ts

const names: string[] = ['']

function known(name: string): number {
  names.push(name)
  return names.length - 1
}

// Framing and connection.
export const HOST = known('host')
export const CONNECTION = known('connection')
export const CONTENT_LENGTH = known('content-length')
export const TRANSFER_ENCODING = known('transfer-encoding')
export const EXPECT = known('expect')
export const UPGRADE = known('upgrade')
export const TE = known('te')
export const TRAILER = known('trailer')
export const KEEP_ALIVE = known('keep-alive')
export const PROXY_CONNECTION = known('proxy-connection')
export const PROXY_AUTHENTICATE = known('proxy-authenticate')
export const PROXY_AUTHORIZATION = known('proxy-authorization')
export const HTTP2_SETTINGS = known('http2-settings')

// Managed: removed from untrusted peers and rebuilt (FORWARDED_FIRST..FORWARDED_LAST).
export const FORWARDED = known('forwarded')
export const X_FORWARDED_FOR = known('x-forwarded-for')
export const X_FORWARDED_HOST = known('x-forwarded-host')
export const X_FORWARDED_PORT = known('x-forwarded-port')
export const X_FORWARDED_PROTO = known('x-forwarded-proto')
export const X_FORWARDED_SERVER = known('x-forwarded-server')
export const X_FORWARDED_URI = known('x-forwarded-uri')
export const X_FORWARDED_METHOD = known('x-forwarded-method')
export const X_FORWARDED_PREFIX = known('x-forwarded-prefix')
export const X_FORWARDED_TLS_CLIENT_CERT = known('x-forwarded-tls-client-cert')
export const X_FORWARDED_TLS_CLIENT_CERT_INFO = known('x-forwarded-tls-client-cert-info')
export const X_FORWARDED_SCHEME = known('x-forwarded-scheme')
export const X_SCHEME = known('x-scheme')
export const X_REAL_IP = known('x-real-ip')
export const MANAGED_FIRST = FORWARDED
export const MANAGED_LAST = X_REAL_IP

// Asked for by middlewares, logs and rules often enough to be worth a number.
export const VIA = known('via')
export const DATE = known('date')
export const SERVER = known('server')
export const ACCEPT = known('accept')
export const ACCEPT_ENCODING = known('accept-encoding')
export const AUTHORIZATION = known('authorization')
export const CONTENT_TYPE = known('content-type')
export const CONTENT_ENCODING = known('content-encoding')
export const COOKIE = known('cookie')
export const SET_COOKIE = known('set-cookie')
export const ORIGIN = known('origin')
export const USER_AGENT = known('user-agent')
export const REFERER = known('referer')
export const VARY = known('vary')
export const LOCATION = known('location')
export const CACHE_CONTROL = known('cache-control')
export const ETAG = known('etag')
export const AGE = known('age')
export const PRAGMA = known('pragma')
export const RANGE = known('range')
export const IF_RANGE = known('if-range')
export const IF_MATCH = known('if-match')
export const IF_NONE_MATCH = known('if-none-match')
export const IF_MODIFIED_SINCE = known('if-modified-since')
export const IF_UNMODIFIED_SINCE = known('if-unmodified-since')

export const headerNames: readonly string[] = names

const byName = new Map<string, number>()
for (let id = 1; id < names.length; id++) byName.set(names[id]!, id)

// `name` in lower case.
export function headerIdOf(name: string): number {
  return byName.get(name) ?? UNKNOWN
}

// One candidate list per hash of (length, first byte, last byte); chains hold two names at the most,
// which header-ids.test.ts asserts, so a look-up is one table read and one compare.
const TABLE_SIZE = 512
const table = new Uint8Array(TABLE_SIZE)
const next = new Uint8Array(names.length)
const bytes: Uint8Array[] = names.map((name) => Uint8Array.from(name, (c) => c.charCodeAt(0)))

function hashOf(length: number, first: number, last: number): number {
  return (length * 31 + first * 7 + last * 3) & (TABLE_SIZE - 1)
}

for (let id = 1; id < names.length; id++) {
  const b = bytes[id]!
  const slot = hashOf(b.length, b[0]!, b[b.length - 1]!)
  next[id] = table[slot]!
  table[slot] = id
}

// The id of the name in buffer[start..end), whatever its case. The name must be a token: `| 32` folds A-Z,
// and of the other bytes that it folds onto a letter, digit or "-" none is a token byte (CR onto "-", say).
export function headerIdOfBytes(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length === 0) return UNKNOWN
  let id = table[hashOf(length, buffer[start]! | 32, buffer[end - 1]! | 32)]!
  while (id !== 0) {
    if (isName(buffer, start, bytes[id]!, length)) return id
    id = next[id]!
  }
  return UNKNOWN
}

function isName(buffer: Uint8Array, start: number, name: Uint8Array, length: number): boolean {
  if (name.length !== length) return false
  for (let i = 0; i < length; i++) if ((buffer[start + i]! | 32) !== name[i]) return false
  return true
}

// For the test that holds the promise above: the most names that one slot of the table leads to.
export function chainLengthMax(): number {
  let longest = 0
  for (const first of table) {
    let length = 0
    for (let id = first; id !== 0; id = next[id]!) length++
    if (length > longest) longest = length
  }
  return longest
}

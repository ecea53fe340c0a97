// core/proxy-protocol/read.ts: a PROXY header, version 1 or 2, at the beginning of a connection.
//
// Owner:  nobody; a pure function over the bytes that have come so far. Hot: no, once per connection.
//
// Only ever called for a peer that the configuration trusts. A header that is not exactly legal ends the
// connection: guessing an address is worse than having none. The specification is HAProxy's
// proxy-protocol.txt; sections 2.1 and 2.2.

import { NEED_MORE, NOT_PROXY, type ProxyReading, V1_PREFIX, V2_SIGNATURE } from './header.ts'
import { readV1 } from './read-v1.ts'
import { readV2 } from './read-v2.ts'

// bytes[0..length): all that has come. NEED_MORE as long as it may still be a header.
export function readProxyHeader(bytes: Uint8Array, length = bytes.length): ProxyReading {
  const one = begins(bytes, length, V1_BYTES)
  if (one === YES) return readV1(bytes, length)
  const two = begins(bytes, length, V2_SIGNATURE)
  if (two === YES) return readV2(bytes, length)
  return one === MAYBE || two === MAYBE ? NEED_MORE : NOT_PROXY
}

const NO = 0
const MAYBE = 1
const YES = 2
const V1_BYTES = Array.from(V1_PREFIX, (c) => c.charCodeAt(0))

function begins(bytes: Uint8Array, length: number, prefix: readonly number[]): number {
  const count = Math.min(length, prefix.length)
  for (let i = 0; i < count; i++) if (bytes[i] !== prefix[i]) return NO
  return count === prefix.length ? YES : MAYBE
}

// core/proxy-protocol/read-v2.ts: the binary PROXY header: 16 bytes of head, addresses, TLVs.
//
//   0          12       13     14      16            16+n
//   signature  ver|cmd  fam|pr length  addresses ... TLVs ...
//
// Owner: nobody; pure. Hot: no.

import { v4Text, v6Text } from './address-text.ts'
import { crc32c } from './crc32c.ts'
import {
  type AddressFamily,
  type BadProxyHeader,
  NEED_MORE,
  type ProxyReading,
  type ProxyTlv,
  TLVS_MAX,
  TLV_CRC32C,
  TLV_NOOP,
  TLV_UNIQUE_ID,
  UNIQUE_ID_BYTES_MAX,
  V2_BYTES_MAX,
  V2_HEAD_BYTES,
  bad,
  unknownPeer,
} from './header.ts'

const LOCAL = 0
const PROXY = 1
const families: readonly AddressFamily[] = ['unknown', 'ipv4', 'ipv6', 'unix']
const addressSizes: readonly number[] = [0, 12, 36, 216]
const UNIX_PATH_BYTES = 108

// The signature has been seen.
export function readV2(bytes: Uint8Array, length: number): ProxyReading {
  if (length <= 12) return NEED_MORE
  if (bytes[12]! >> 4 !== 2) return bad('v2: the version is not 2')
  const command = bytes[12]! & 15
  if (command > PROXY) return bad('v2: neither LOCAL nor PROXY')
  if (length < V2_HEAD_BYTES) return NEED_MORE
  const end = V2_HEAD_BYTES + ((bytes[14]! << 8) | bytes[15]!)
  if (end > V2_BYTES_MAX) return bad(`v2: longer than ${V2_BYTES_MAX} bytes`)
  const family = bytes[13]! >> 4
  const protocol = bytes[13]! & 15
  const isLocal = command === LOCAL
  // Of LOCAL the specification says that family and addresses are to be skipped, whatever they are.
  if (!isLocal && (family > 3 || protocol > 2)) return bad('v2: an unknown family or protocol')
  if (length < end) return NEED_MORE
  if (isLocal || family === 0 || protocol === 0) return unknownPeer(2, end)
  return readProxied(bytes, end, family, protocol === 2)
}

function readProxied(
  bytes: Uint8Array,
  end: number,
  family: number,
  datagram: boolean,
): ProxyReading {
  const at = V2_HEAD_BYTES
  const tlvsAt = at + addressSizes[family]!
  if (tlvsAt > end) return bad('v2: too short for its addresses')
  const tlvs = readTlvs(bytes, tlvsAt, end)
  if ('reason' in tlvs) return tlvs
  const size = (addressSizes[family]! - (family === 3 ? 0 : 4)) / 2
  const port = at + 2 * size
  const isUnix = family === 3
  return {
    version: 2,
    bytes: end,
    family: families[family]!,
    datagram,
    sourceAddress: addressText(bytes, at, family),
    sourcePort: isUnix ? 0 : (bytes[port]! << 8) | bytes[port + 1]!,
    destinationAddress: addressText(bytes, at + size, family),
    destinationPort: isUnix ? 0 : (bytes[port + 2]! << 8) | bytes[port + 3]!,
    tlvs,
  }
}

function addressText(bytes: Uint8Array, at: number, family: number): string {
  if (family === 1) return v4Text(bytes, at)
  if (family === 2) return v6Text(bytes, at)
  let path = ''
  for (let i = at; i < at + UNIX_PATH_BYTES && bytes[i] !== 0; i++)
    path += String.fromCharCode(bytes[i]!)
  return path
}

function readTlvs(bytes: Uint8Array, from: number, end: number): ProxyTlv[] | BadProxyHeader {
  const tlvs: ProxyTlv[] = []
  let checked = false
  for (let at = from, count = 0; at < end; count++) {
    if (count >= TLVS_MAX) return bad(`v2: more than ${TLVS_MAX} TLVs`)
    if (at + 3 > end) return bad('v2: a TLV is cut off')
    const type = bytes[at]!
    const valueAt = at + 3
    at = valueAt + ((bytes[at + 1]! << 8) | bytes[at + 2]!)
    if (at > end) return bad('v2: a TLV is longer than the header')
    if (type === TLV_CRC32C) {
      if (checked || at - valueAt !== 4) return bad('v2: a malformed or second checksum')
      if (crc32c(bytes, end, valueAt) !== uint32(bytes, valueAt)) return bad('v2: a wrong checksum')
      checked = true
    } else if (type !== TLV_NOOP) {
      if (type === TLV_UNIQUE_ID && at - valueAt > UNIQUE_ID_BYTES_MAX)
        return bad(`v2: a unique id longer than ${UNIQUE_ID_BYTES_MAX} bytes`)
      tlvs.push({ type, value: bytes.slice(valueAt, at) })
    }
  }
  return tlvs
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}

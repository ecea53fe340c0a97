// core/proxy-protocol/write.ts: the PROXY header that a server gets before the client's bytes.
//
// Owner:  nobody; pure. The caller owns what it gets. Hot: no, once per connection.
// An end that has no IP address (a unix socket) makes the whole header say "unknown": half a pair of
// addresses is no pair. IPv4 and IPv6 mixed are written as IPv6, the IPv4 one mapped.

import { addressBytes, isV4, v4Text, v6Text } from './address-text.ts'
import { crc32c } from './crc32c.ts'
import { TLV_CRC32C, V2_HEAD_BYTES, V2_SIGNATURE } from './header.ts'

export interface Ends {
  readonly sourceAddress: string // of the client
  readonly sourcePort: number
  readonly destinationAddress: string // that the client connected to
  readonly destinationPort: number
}

const UNKNOWN_LINE = 'PROXY UNKNOWN\r\n'

export function proxyHeader(version: 1 | 2, ends: Ends): Uint8Array {
  return version === 1 ? bytesOf(proxyHeaderV1(ends)) : proxyHeaderV2(ends)
}

export function proxyHeaderV1(ends: Ends): string {
  const wide = !isV4(ends.sourceAddress) || !isV4(ends.destinationAddress)
  const source = addressBytes(ends.sourceAddress, wide)
  const destination = addressBytes(ends.destinationAddress, wide)
  if (source === null || destination === null) return UNKNOWN_LINE
  const text = wide ? v6Text : v4Text
  const family = wide ? 'TCP6' : 'TCP4'
  const ports = `${ends.sourcePort} ${ends.destinationPort}`
  return `PROXY ${family} ${text(source, 0)} ${text(destination, 0)} ${ports}\r\n`
}

// With a checksum: readers that do not know it skip it.
export function proxyHeaderV2(ends: Ends): Uint8Array {
  const wide = !isV4(ends.sourceAddress) || !isV4(ends.destinationAddress)
  const source = addressBytes(ends.sourceAddress, wide)
  const destination = addressBytes(ends.destinationAddress, wide)
  if (source === null || destination === null) return localHeader()
  const size = source.length
  const tlvAt = V2_HEAD_BYTES + 2 * size + 4
  const header = headOf(0x21, wide ? 0x21 : 0x11, tlvAt + 7)
  header.set(source, V2_HEAD_BYTES)
  header.set(destination, V2_HEAD_BYTES + size)
  put16(header, V2_HEAD_BYTES + 2 * size, ends.sourcePort)
  put16(header, V2_HEAD_BYTES + 2 * size + 2, ends.destinationPort)
  header[tlvAt] = TLV_CRC32C
  put16(header, tlvAt + 1, 4)
  const crc = crc32c(header, header.length)
  put16(header, tlvAt + 3, crc >>> 16)
  put16(header, tlvAt + 5, crc & 0xffff)
  return header
}

// What a proxy sends that speaks for itself: a health check.
export function localHeader(): Uint8Array {
  return headOf(0x20, 0, V2_HEAD_BYTES)
}

function headOf(versionAndCommand: number, family: number, length: number): Uint8Array {
  const header = new Uint8Array(length)
  header.set(V2_SIGNATURE)
  header[12] = versionAndCommand
  header[13] = family
  put16(header, 14, length - V2_HEAD_BYTES)
  return header
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >> 8) & 255
  bytes[at + 1] = value & 255
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0))
}

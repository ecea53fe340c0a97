// core/proxy-protocol/read-v1.ts: "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".
//
// Owner: nobody; pure. Hot: no. One space between fields, decimal ports without leading zeros, addresses of
// the family that is named: other spellings are refused, since two readers may read them in two ways.

import { parseAddress } from '../address.ts'
import { NEED_MORE, type ProxyReading, V1_BYTES_MAX, bad, unknownPeer } from './header.ts'

const CR = 13
const LF = 10

// The prefix "PROXY " has been seen.
export function readV1(bytes: Uint8Array, length: number): ProxyReading {
  const limit = Math.min(length, V1_BYTES_MAX)
  let line = ''
  for (let i = 0; i < limit; i++) {
    const c = bytes[i]!
    if (c === CR) {
      if (i + 1 >= V1_BYTES_MAX) break
      if (i + 1 >= length) return NEED_MORE
      return bytes[i + 1] === LF ? parseLine(line, i + 2) : bad('v1: CR without LF')
    }
    // An UNKNOWN line may hold anything until CR LF; still nothing beyond visible ASCII is sent by anybody.
    if (c < 0x20 || c > 0x7e) return bad('v1: a byte that is not visible ASCII')
    line += String.fromCharCode(c)
  }
  return length >= V1_BYTES_MAX ? bad(`v1: longer than ${V1_BYTES_MAX} bytes`) : NEED_MORE
}

function parseLine(line: string, bytes: number): ProxyReading {
  const fields = line.split(' ')
  const protocol = fields[1]
  if (protocol === 'UNKNOWN') return unknownPeer(1, bytes)
  if (protocol !== 'TCP4' && protocol !== 'TCP6') return bad('v1: neither TCP4, TCP6 nor UNKNOWN')
  if (fields.length !== 6) return bad('v1: not six fields')
  const [, , source, destination, sourcePort, destinationPort] = fields as string[]
  const isV6 = protocol === 'TCP6'
  if (!isAddress(source!, isV6)) return bad('v1: the source address is none of its family')
  if (!isAddress(destination!, isV6))
    return bad('v1: the destination address is none of its family')
  const ports = [portOf(sourcePort!), portOf(destinationPort!)] as const
  if (ports[0] < 0 || ports[1] < 0) return bad('v1: a port is not a plain number up to 65535')
  return {
    version: 1,
    bytes,
    family: isV6 ? 'ipv6' : 'ipv4',
    datagram: false,
    sourceAddress: source!,
    sourcePort: ports[0],
    destinationAddress: destination!,
    destinationPort: ports[1],
    tlvs: [],
  }
}

function isAddress(text: string, isV6: boolean): boolean {
  return text.includes(':') === isV6 && !text.includes('%') && parseAddress(text) !== null
}

function portOf(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text)) return -1
  const port = Number(text)
  return port > 65_535 ? -1 : port
}

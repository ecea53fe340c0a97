// core/middleware/source-address.ts: which address a request comes from, as Traefik's ipStrategy says.
//
// Hot: yes. The peer is the fast case. X-Forwarded-For is what the client or a trusted proxy sent: the
// entry point has removed it from any other peer, and our own entry is added only when the request is
// forwarded, so depth 1 is the address that the last proxy before us saw.

import { AddressSet, parseAddress } from '../address.ts'
import type { Exchange } from '../exchange.ts'

export interface IpStrategyOptions {
  readonly depth?: number | undefined
  readonly excludedIPs?: readonly string[] | undefined
  readonly ipv6Subnet?: number | null | undefined
}

const ENTRIES_MAX = 128 // of X-Forwarded-For that are looked at, from the right

export class SourceAddress {
  private readonly depth: number // 0: the peer
  private readonly excluded: AddressSet | null
  private readonly subnetBits: number // IPv6 sources of one such subnet count as one; 0: off

  constructor(options: IpStrategyOptions | null | undefined) {
    const excluded = options?.excludedIPs ?? []
    this.depth = options?.depth ?? 0
    this.excluded = this.depth === 0 && excluded.length > 0 ? new AddressSet(excluded) : null
    this.subnetBits = options?.ipv6Subnet ?? 0
  }

  // '' when the request does not tell.
  of(exchange: Exchange): string {
    const address = this.chosen(exchange)
    return this.subnetBits === 0 ? address : subnetOf(address, this.subnetBits)
  }

  describe(): string {
    if (this.depth > 0) return `entry ${this.depth} from the right of X-Forwarded-For`
    if (this.excluded !== null) return 'the last entry of X-Forwarded-For that is not excluded'
    return 'the peer'
  }

  private chosen(exchange: Exchange): string {
    if (this.depth > 0) return entryAt(forwardedFor(exchange), this.depth)
    if (this.excluded !== null) return lastNotIn(forwardedFor(exchange), this.excluded)
    return exchange.clientAddress
  }
}

// All lines as one list (RFC 9110, section 5.3): a proxy that adds a line of its own must not leave the
// client's line as the only one that is read.
function forwardedFor(exchange: Exchange): string {
  const lines = exchange.request.getAll('x-forwarded-for')
  return lines.length === 1 ? lines[0]! : lines.join(',')
}

function entryAt(list: string, depth: number): string {
  let end = list.length
  for (let seen = 1; seen <= ENTRIES_MAX; seen++) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1)
    if (seen === depth) return plainAddress(list.slice(comma + 1, end))
    if (comma < 0) return ''
    end = comma
  }
  return ''
}

function lastNotIn(list: string, excluded: AddressSet): string {
  let end = list.length
  for (let seen = 0; seen < ENTRIES_MAX; seen++) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1)
    const address = plainAddress(list.slice(comma + 1, end))
    if (address !== '' && !excluded.contains(address)) return address
    if (comma < 0) return ''
    end = comma
  }
  return ''
}

// "192.0.2.1:4711" and "[2001:db8::1]:4711" without the port that some proxies write.
function plainAddress(entry: string): string {
  const text = entry.trim()
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    return close < 0 ? '' : text.slice(1, close)
  }
  const colon = text.indexOf(':')
  return colon > 0 && text.indexOf(':', colon + 1) < 0 ? text.slice(0, colon) : text
}

// The first address of the IPv6 subnet; an IPv4 address stays as it is.
function subnetOf(address: string, bits: number): string {
  const parsed = parseAddress(address)
  if (parsed === null || parsed.isV4) return address
  const groups: string[] = []
  for (let i = 0; i < 8; i++) {
    const word = parsed.words[i >> 1]!
    const group = i % 2 === 0 ? word >>> 16 : word & 0xffff
    const kept = Math.min(16, Math.max(0, bits - 16 * i))
    groups.push((group & (0xffff << (16 - kept)) & 0xffff).toString(16))
  }
  return groups.join(':')
}

// workers/downstream/uws/peers.ts: who is at the other end of a request.
//
// uWebSockets.js tells no connections apart, only the address of the peer, as bytes, once per request. So what
// the `node` engine keeps per connection (address as text, lines of the forwarded headers) is kept per address.
//
// Asking is a system call and an ArrayBuffer per request. As long as every connection that was ever accepted came
// from one address, as behind a balancer or beside an application, nobody has to ask: the filter sees each
// connection before its first request. One connection from elsewhere, and requests are asked from then on for good:
// which of the addresses are still connected can't be told, and a wrong address would open an allow-list.
//
// Owner:  one listener. Hot: yes, one look-up per request.

import { ForwardedCache } from '../../../core/forwarded.ts'

const PEERS_MAX = 4096 // then the table starts anew: 1 MiB at the most

export class Peer {
  readonly address: string
  readonly forwarded = new ForwardedCache()

  constructor(address: string) {
    this.address = address
  }
}

export class Peers {
  private readonly byAddress = new Map<number | string, Peer>()
  private lastKey = -1
  private last = new Peer('')
  private sole: Peer | null = null // whose are all connections so far
  private isSole = true

  // For each connection, before its first request.
  connectionFrom(address: ArrayBuffer): void {
    if (!this.isSole) return
    const peer = this.peerOf(address)
    if (this.sole === null && peer.address !== '') this.sole = peer
    else if (this.sole !== peer) this.isSole = false
  }

  peerOfRequest(response: { getRemoteAddress(): ArrayBuffer }): Peer {
    return this.isSole && this.sole !== null ? this.sole : this.peerOf(response.getRemoteAddress())
  }

  // `address`: 4 or 16 bytes in network order. For IPv4 the four bytes as one number are the key.
  peerOf(address: ArrayBuffer): Peer {
    const { byteLength } = address
    if (byteLength === 4) {
      const key = new Uint32Array(address)[0]!
      return key === this.lastKey ? this.last : this.byV4(key, new Uint8Array(address), 0)
    }
    if (byteLength !== 16) return this.find('', '')
    const bytes = new Uint8Array(address)
    if (!isMapped(bytes)) return this.byV6(bytes)
    const key = new Uint32Array(address)[3]!
    return key === this.lastKey ? this.last : this.byV4(key, bytes, 12)
  }

  private byV4(key: number, bytes: Uint8Array, at: number): Peer {
    const text = `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`
    this.last = this.byAddress.get(key) ?? this.add(key, text)
    this.lastKey = key
    return this.last
  }

  private byV6(bytes: Uint8Array): Peer {
    const text = textOfV6(bytes)
    return this.find(text, text)
  }

  private find(key: string, address: string): Peer {
    return this.byAddress.get(key) ?? this.add(key, address)
  }

  private add(key: number | string, address: string): Peer {
    if (this.byAddress.size >= PEERS_MAX) this.byAddress.clear()
    const peer = new Peer(address)
    this.byAddress.set(key, peer)
    return peer
  }
}

// ::ffff:a.b.c.d, a client of IPv4 on a socket of both.
function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 255 && bytes[11] === 255
}

// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::".
export function textOfV6(bytes: Uint8Array): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes[i]! * 256 + bytes[i + 1]!)
  let runStart = -1
  let runLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > runLength) [runStart, runLength] = [i, length]
  }
  const hex = groups.map((group) => group.toString(16))
  if (runStart < 0) return hex.join(':')
  return hex.slice(0, runStart).join(':') + '::' + hex.slice(runStart + runLength).join(':')
}

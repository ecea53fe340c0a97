// core/proxy-protocol/header.ts: what a PROXY header of either version says, and what may stand for one.
//
// Owner: nobody; the objects belong to whoever read them. Hot: no, once per connection.

export type AddressFamily = 'ipv4' | 'ipv6' | 'unix' | 'unknown'

export interface ProxyTlv {
  readonly type: number // PP2_TYPE_*: 1 ALPN, 2 authority, 5 unique id, 0x20 TLS facts
  readonly value: Uint8Array // a copy
}

// { version: 1, family: 'ipv4', sourceAddress: '192.0.2.7', sourcePort: 4711, ... }
// { version: 2, family: 'unknown', sourceAddress: '', ... }: the proxy speaks for itself (LOCAL, UNKNOWN),
// and the addresses of the connection hold.
export interface ProxyHeader {
  readonly version: 1 | 2
  readonly bytes: number // length of the header: the client's bytes begin behind it
  readonly family: AddressFamily
  readonly datagram: boolean // v2 says that a UDP packet or a datagram was carried
  readonly sourceAddress: string // a path for 'unix'
  readonly sourcePort: number
  readonly destinationAddress: string
  readonly destinationPort: number
  readonly tlvs: readonly ProxyTlv[]
}

export interface BadProxyHeader {
  readonly reason: string // for the log; holds no byte of the peer
}

export const NEED_MORE = 0
export const NOT_PROXY = 1
export type ProxyReading = typeof NEED_MORE | typeof NOT_PROXY | BadProxyHeader | ProxyHeader

export function isBadHeader(reading: BadProxyHeader | ProxyHeader): reading is BadProxyHeader {
  return 'reason' in reading
}

export function bad(reason: string): BadProxyHeader {
  return { reason }
}

// The proxy does not say who its client is: the connection's own addresses hold.
export function unknownPeer(version: 1 | 2, bytes: number): ProxyHeader {
  return {
    version,
    bytes,
    family: 'unknown',
    datagram: false,
    sourceAddress: '',
    sourcePort: 0,
    destinationAddress: '',
    destinationPort: 0,
    tlvs: [],
  }
}

export const V1_BYTES_MAX = 107 // by the specification, CR LF counted
export const V1_PREFIX = 'PROXY '
export const V2_SIGNATURE: readonly number[] = [
  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
]
export const V2_HEAD_BYTES = 16
// The specification allows 64 KiB and asks senders to stay below 536 bytes where they can. What is sent in
// practice are TLS facts with a common name and a cloud's endpoint id: some hundred bytes.
export const V2_BYTES_MAX = 4096
export const TLVS_MAX = 64

export const TLV_CRC32C = 3
export const TLV_NOOP = 4
export const TLV_UNIQUE_ID = 5
export const UNIQUE_ID_BYTES_MAX = 128

// The address of an entry point: `[host]:port[/tcp|/udp]`. Hot: no.

import { isIP } from 'node:net'

export interface ListenAddress {
  host: string // '' is every address of the machine
  port: number
  protocol: 'tcp' | 'udp'
}

// ':80' -> every address, port 80, tcp; '[::1]:53/udp' -> ::1, port 53, udp; null when it is none.
export function parseAddress(address: string): ListenAddress | null {
  const match =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{0,253})):(\d{1,5})(?:\/(tcp|udp))?$/i.exec(
      address,
    )
  if (match === null) return null
  const port = Number(match[3])
  if (port > 65_535) return null
  const bracketed = match[1]
  if (bracketed !== undefined && isIP(bracketed) !== 6) return null
  const host = bracketed ?? match[2] ?? ''
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return null
  return { host, port, protocol: (match[4] ?? 'tcp').toLowerCase() === 'udp' ? 'udp' : 'tcp' }
}

// Every worker listens with SO_REUSEPORT, so the kernel would share a port between two entry points
// instead of refusing the second: this must be found here.
export function addressesClash(one: ListenAddress, other: ListenAddress): boolean {
  if (one.protocol !== other.protocol || one.port !== other.port || one.port === 0) return false
  return one.host === other.host || coversAll(one.host) || coversAll(other.host)
}

function coversAll(host: string): boolean {
  return host === '' || host === '0.0.0.0' || /^[0:]+$/.test(host)
}

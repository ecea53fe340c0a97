// config/compile/server-address.ts: addresses of TCP and UDP servers: 'host:port', '[::1]:53'. Hot: no.

import { isIP } from 'node:net'

const shape = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253})):(\d{1,5})$/

// '' when it is one.
export function addressFault(address: string): string {
  const shown = JSON.stringify(address.slice(0, 100))
  const match = shape.exec(address)
  if (match === null) {
    const hint = /^[a-z0-9+.-]+:\/\//i.test(address) ? '; it takes no scheme' : ''
    return `address of a server: ${shown} is not host:port${hint}`
  }
  const [, bracketed, host, port] = match
  if (Number(port) < 1 || Number(port) > 65_535) return `address of a server: ${port} is no port`
  if (bracketed !== undefined && isIP(bracketed) !== 6) {
    return `address of a server: ${shown} holds no IPv6 address`
  }
  const numeric = host !== undefined && /^[\d.]+$/.test(host)
  return numeric && isIP(host) !== 4 ? `address of a server: ${shown} holds no IPv4 address` : ''
}

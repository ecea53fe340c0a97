// bench/peers/peers.ts: all peers by name.

import { caddy } from './caddy.ts'
import type { Peer } from './contract.ts'
import { floor } from './floor.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { sluice } from './sluice.ts'

export const peers: Readonly<Record<string, Peer>> = { sluice, nginx, haproxy, caddy, floor }

// What Sluice is compared with when nothing else is asked: everything installed; the floor where nginx is missing.
export function defaultRivals(): string[] {
  const rivals = ['nginx', 'haproxy', 'caddy'].filter((name) => peers[name]?.isAvailable() === true)
  return rivals.includes('nginx') ? rivals : ['floor', ...rivals]
}

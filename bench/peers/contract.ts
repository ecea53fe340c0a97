// bench/peers/contract.ts: one proxy under test. Each writes its own configuration, starts on one core, and says
// on which port it answers and which processes it consists of.

import type { Child } from '../children.ts'

// What the peer speaks with its clients and, where it matters, with the origin.
// 'tls': HTTP/1.1 and HTTP/2 by ALPN, clear text to the origin. 'grpc': the same with h2c to the origin.
// 'websocket': clear HTTP/1.1 that may upgrade. 'tcp' and 'udp' pass bytes on unread.
export type Protocol = 'http' | 'tls' | 'grpc' | 'websocket' | 'tcp' | 'udp'

export function speaksTls(protocol: Protocol): boolean {
  return protocol === 'tls' || protocol === 'grpc'
}

// What a scenario asks of a peer. A peer that can't do it says so by throwing at start.
export interface PeerOptions {
  readonly originPort: number
  readonly protocol: Protocol
  readonly cores: string | null
  readonly routes: number // 0: one route for everything
  readonly hasMiddlewares: boolean
  // Five middlewares that most have (Sluice only), a cache (nginx too), or two classes of priority (Sluice only).
  readonly traffic: 'none' | 'five' | 'cache' | 'overload'
  readonly engine: 'node' | 'uws' // Sluice only
  readonly isCoalescing: boolean // Sluice only
  readonly workers: number
  readonly env: Readonly<Record<string, string>>
}

export interface RunningPeer {
  readonly child: Child
  readonly port: number
  readonly adminPort: number | null // Sluice: metrics, ready
  readonly dynamicFile: string | null // Sluice: the file that a reload rewrites
  stop(): Promise<void>
}

export interface Peer {
  readonly name: string
  readonly isAvailable: () => boolean
  readonly start: (options: PeerOptions) => Promise<RunningPeer>
}

export const IDLE_CONNECTIONS = 512 // to the origin, the same for every peer
export const OPEN_FILES_MAX = 20_000

export function defaultOptions(originPort: number, cores: string | null): PeerOptions {
  return {
    originPort,
    protocol: 'http',
    cores,
    routes: 0,
    hasMiddlewares: false,
    traffic: 'none',
    engine: 'node',
    isCoalescing: false,
    workers: 1,
    env: {},
  }
}

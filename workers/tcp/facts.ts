// workers/tcp/facts.ts: what is known of a connection when it comes to a TCP router. Plain data. Hot: no.

import type { TcpFacts } from '../../core/tcp/matcher.ts'

export interface TcpConnectionFacts extends TcpFacts {
  // Of the client and of the entry point, or what a PROXY header said of both.
  readonly clientPort: number
  readonly localAddress: string
  readonly localPort: number
  readonly postgres: boolean // it began with an SSLRequest, which was answered with 'S'
}

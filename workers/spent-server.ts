// workers/spent-server.ts: what stands in a server's place once the whole response is ours: only the client is still to be
// served, as fast as it reads.
//
// Owner:  the exchange, as its upstream (stored-body.ts, response-file.ts). Hot: for the bodies that they are for.

import type { LiveExchange } from './live-exchange.ts'
import type { UpstreamConnection } from './upstream/contract.ts'

export abstract class SpentServer implements UpstreamConnection {
  // The client can take more.
  abstract resume(exchange: LiveExchange): void

  // Nobody wants the rest.
  cancel(exchange: LiveExchange): void {
    exchange.upstream = null
  }

  discardBody(exchange: LiveExchange): void {
    this.cancel(exchange)
  }

  // A rest of the request goes nowhere.
  sendBody(): boolean {
    return true
  }

  sendEnd(): void {}
  flush(): void {}
  tunnelSend(): boolean {
    return true
  }
  tunnelEnd(): void {}
}

// workers/body-ahead.ts: a server that is half full is asked once the beginning of the body is here.
//
// Hot: yes; one comparison per request while the server has room.
//
// A client that sends its body byte by byte holds a connection of a server all the while. Ten thousand of them took all
// that the server may have (maxConnections), and a third of the good requests got 503. So the second half of them is
// for requests that are ready: a body whose length is known is waited for, up to limits.bodyAheadBytes. Not waited for: a
// chunked body, which may be one half of a conversation; one that a middleware keeps already; one whose client waits for
// 100 Continue, which only the server can say.

import { BODY_LENGTH, SAW_EXPECT } from '../core/exchange.ts'
import { BodyKeeper, COLLECT } from '../core/middleware/body-keeper.ts'
import type { LiveExchange } from './live-exchange.ts'

// True: it is collected from here on, and a server is chosen again when it has come.
export function awaitsBody(exchange: LiveExchange): boolean {
  if (exchange.bodyKind !== BODY_LENGTH || exchange.requestComplete) return false
  const wanted = Math.min(exchange.bodyLength, exchange.point!.bounds.bodyAheadBytes)
  if (exchange.bodyAtHand >= wanted || exchange.keeper !== null) return false
  if ((exchange.facts & SAW_EXPECT) !== 0) return false
  exchange.keeper = new BodyKeeper(wanted, COLLECT)
  exchange.keeper.spills = true
  exchange.lacksBody = true
  return true
}

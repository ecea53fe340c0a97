// workers/request-head.ts: the head that a server gets: the client's, as middlewares have left it, with who asks.
//
// Hot:    yes.

import { forwardedLines } from '../core/forwarded.ts'
import { HOST } from '../core/header-ids.ts'
import { requestHead } from '../core/h1/write.ts'
import type { LiveExchange } from './live-exchange.ts'

export function headToSend(exchange: LiveExchange): string {
  if (exchange.replacementHeaders !== null)
    return headOfReplacement(exchange, exchange.replacementHeaders)
  const { forwarding, isSide } = exchange.point!
  if (isSide) return requestHead(exchange, '') // who asks has said all there is to say
  return requestHead(exchange, forwardedLines(exchange, forwarding, exchange.downstream!.forwarded))
}

// Only these headers go to the service that replaces the response. The others stay in the exchange, whose
// middlewares may still look at them (CORS asks for Origin in its response phase).
function headOfReplacement(exchange: LiveExchange, kept: readonly string[]): string {
  const { request } = exchange
  const ids = request.ids.slice()
  for (let line = 0; line < request.count; line++) {
    if (ids[line] !== HOST && !kept.includes(request.nameAt(line))) request.drop(line)
  }
  const head = requestHead(exchange, forwardedLines(exchange, exchange.point!.forwarding, null))
  request.ids.set(ids)
  return head
}

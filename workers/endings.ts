// workers/endings.ts: how an exchange leaves its server and how it ends: accounted for once, then released.
//
// Hot:    yes.

import { DOWNSTREAM_DONE, UPSTREAM_DONE } from '../core/exchange.ts'
import type { WorkerContext } from './context.ts'
import type { Downstream } from './downstream/contract.ts'
import { type LiveExchange, finishHalf, releaseExchange } from './live-exchange.ts'
import { finishPhases } from './stages.ts'

let context: WorkerContext

export function installEndings(worker: WorkerContext): void {
  context = worker
}

export function leaveUpstream(exchange: LiveExchange): void {
  exchange.upstream?.cancel(exchange)
  exchange.send++ // a connection that comes late is not for it
  leaveServer(exchange)
}

export function leaveServer(exchange: LiveExchange): void {
  if (exchange.server === null) return
  exchange.server.inFlight--
  exchange.server = null
}

export function finish(exchange: LiveExchange, half: number): void {
  if (!finishHalf(exchange, half)) return
  if (exchange.bodyFile !== null) closeFile(exchange)
  if (exchange.responseFile !== null) closeResponseFile(exchange)
  if (exchange.point !== null) context.account(exchange)
  finishPhases(exchange)
  context.generationUse.ended(exchange)
  releaseExchange(exchange)
}

// Its body is not sent again.
export function closeFile(exchange: LiveExchange): void {
  exchange.bodyFile?.close()
  exchange.bodyFile = null
}

// Nothing of it is sent any more.
export function closeResponseFile(exchange: LiveExchange): void {
  exchange.responseFile?.close()
  exchange.responseFile = null
}

// The head is out: the client can only be told by the end of its connection or stream.
export function breakOff(exchange: LiveExchange, downstream: Downstream, code: number): void {
  exchange.error = code
  context.countError(code)
  exchange.downstream = null
  downstream.abort(exchange)
  finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
}

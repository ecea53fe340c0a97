// workers/keeping.ts: requests whose body a middleware wants to have: kept as they come, and sent from there.
//
// Hot:    for exchanges with a keeper (core/middleware/body-keeper.ts); the others compare one field with null.
//
//   COLLECT   requestBody -> keeper ... requestEnd -> the middleware again -> server: sendKept, all of it
//   TEE       requestBody -> keeper and server ... the server fails -> another one: sendKept, then the client's rest

import { Buffer } from 'node:buffer'
import { asBuffer } from './as-buffer.ts'
import { BODY_TOO_LARGE, INTERNAL, NONE } from '../core/errors.ts'
import { BODY_NONE } from '../core/exchange.ts'
import type { Head } from '../core/headers.ts'
import type { LiveExchange } from './live-exchange.ts'
import { passEnd, passPiece } from './rewriting.ts'
import { sendFile, spoolPiece } from './spooling.ts'

// Whether the client's body is being read into the keeper, and nowhere else.
export function collects(exchange: LiveExchange): boolean {
  const { keeper } = exchange
  return keeper !== null && keeper.collects && !keeper.complete
}

// NONE or a code: the middleware takes no body as long as this one.
export function keepPiece(exchange: LiveExchange, bytes: Buffer, from: number, to: number): number {
  const keeper = exchange.keeper!
  if (keeper.bodyMax > 0 && exchange.requestBytes > keeper.bodyMax) return BODY_TOO_LARGE
  if (keeper.goesToFile(to - from)) return spoolPiece(exchange, bytes, from, to)
  if (keeper.keep(bytes, from, to)) return NONE
  if (keeper.collects || keeper.refusesMore) return BODY_TOO_LARGE
  return exchange.sendingKept ? INTERNAL : NONE // an engine that was paused and sends on: a defect
}

// False: the disk is behind; no more until resumeBody.
export function takesMore(exchange: LiveExchange): boolean {
  return exchange.bodyFile === null || exchange.bodyFile.takesMore()
}

// Whether who waits for the whole body can have it: the file tells when it can, else.
export function isHere(exchange: LiveExchange): boolean {
  return exchange.bodyFile === null || exchange.bodyFile.isWritten
}

// True: there is nothing more to do for the server now; a body that was collected goes there later.
export function keepEnd(exchange: LiveExchange, trailers: Head | null): boolean {
  const keeper = exchange.keeper!
  keeper.end(trailers)
  exchange.bodyFile?.end()
  return keeper.collects || exchange.sendingKept
}

// Whether a server that is asked now has to get its body from the keeper.
export function hasKept(exchange: LiveExchange): boolean {
  const { keeper } = exchange
  return keeper !== null && !keeper.overflowed && (keeper.complete || keeper.bytes > 0)
}

// What a rewriter has made of the first pieces can't be made again.
export function canSendAgain(exchange: LiveExchange): boolean {
  const { keeper } = exchange
  return keeper !== null && !keeper.overflowed && exchange.requestRewriter === null
}

// Gives the server what is there, until it takes no more (upstreamWritable goes on) or the client's own bytes follow.
export function sendKept(exchange: LiveExchange): void {
  const { upstream, downstream, bodyFile } = exchange
  if (bodyFile !== null) return sendFile(exchange, bodyFile)
  const { pieces } = exchange.keeper!
  if (upstream === null || exchange.bodyKind === BODY_NONE) return
  if (!exchange.sendingKept) begin(exchange)
  while (exchange.keptSent < pieces.length) {
    const piece = pieces[exchange.keptSent++]!
    const takesMore = passPiece(exchange, asBuffer(piece), 0, piece.length, true)
    if (exchange.upstream !== upstream) return // it failed within the call
    if (!takesMore) return
  }
  exchange.sendingKept = false
  if (exchange.keeper!.complete) passEnd(exchange, exchange.keeper!.trailers)
  else downstream?.resumeBody(exchange)
  upstream.flush()
}

function begin(exchange: LiveExchange): void {
  exchange.sendingKept = true
  exchange.keptSent = 0
  if (exchange.keeper!.bytes > 0) exchange.requestStarted = true
  if (!exchange.requestComplete) exchange.downstream?.pauseBody(exchange)
}

// workers/rewriting.ts: bodies that a middleware changes as they pass; see core/middleware/body.ts.
//
// Hot:    for exchanges that have a rewriter; for all others the pipeline compares one field with null.

import { Buffer } from 'node:buffer'
import { asBuffer } from './as-buffer.ts'
import { NONE } from '../core/errors.ts'
import { BODY_NONE } from '../core/exchange.ts'
import type { Head } from '../core/headers.ts'
import type { LiveExchange } from './live-exchange.ts'
import { keepInFile } from './response-file.ts'

type Act = (exchange: LiveExchange) => void
type Fail = (exchange: LiveExchange, code: number) => void

let failRequest: Fail // the pipeline's
let failResponse: Fail
let sendHeldHead: Act

export function installRewriting(failsRequest: Fail, failsResponse: Fail, sendsHead: Act): void {
  failRequest = failsRequest
  failResponse = failsResponse
  sendHeldHead = sendsHead
}

// A piece of the request goes to the server. False: no more until pipeline.upstreamWritable.
export function passPiece(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
  owned: boolean,
): boolean {
  const rewriter = exchange.requestRewriter
  if (rewriter === null) return exchange.upstream!.sendBody(exchange, bytes, from, to, owned)
  const out = asBuffer(rewriter.piece(bytes, from, to))
  if (rewriter.fault !== NONE) {
    failRequest(exchange, rewriter.fault) // the body is none of its kind
    return true
  }
  return out.length === 0 || exchange.upstream!.sendBody(exchange, out, 0, out.length, true)
}

// The last piece, and the end.
export function passEnd(exchange: LiveExchange, trailers: Head | null): void {
  const { upstream, requestRewriter: rewriter } = exchange
  if (upstream === null || exchange.bodyKind === BODY_NONE) return
  if (rewriter === null) return upstream.sendEnd(exchange, trailers)
  const out = asBuffer(rewriter.end(trailers))
  if (rewriter.fault !== NONE) return failRequest(exchange, rewriter.fault)
  if (out.length > 0) upstream.sendBody(exchange, out, 0, out.length, true)
  upstream.sendEnd(exchange, rewriter.keepsTrailers ? trailers : null)
}

// Whether the head of the response has to wait for what its rewriter makes of the body.
export function holdsHead(exchange: LiveExchange): boolean {
  return exchange.responseRewriter !== null && exchange.responseRewriter.holdsHead
}

export function rewriteResponse(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  return sendRewritten(exchange, exchange.responseRewriter!.piece(bytes, from, to))
}

// The server has sent what it has for now; called once per event that brought something of this response.
export function flushResponse(exchange: LiveExchange): void {
  const { downstream, responseRewriter: rewriter } = exchange
  if (downstream === null) return
  if (rewriter !== null) sendRewritten(exchange, rewriter.flush())
  if (exchange.wroteHead && exchange.downstream !== null) downstream.flush(exchange)
}

// False: the response is not complete, and that is seen to: it failed, or its file has it now.
export function endRewrittenResponse(exchange: LiveExchange, trailers: Head | null): boolean {
  const rewriter = exchange.responseRewriter!
  const { serial } = exchange
  sendRewritten(exchange, rewriter.end(trailers))
  if (exchange.responseRewriter !== rewriter || hasEnded(exchange, serial)) return false
  if (rewriter.fault !== NONE) return false
  if (exchange.recorder !== null) exchange.recorder.end()
  const last = rewriter.keepsTrailers ? trailers : null
  if (exchange.responseFile !== null) {
    exchange.responseFile.end(last)
    return false
  }
  if (!exchange.wroteHead) sendHeldHead(exchange) // nothing was left of a body that was to go to a file
  exchange.downstream!.sendEnd(exchange, last)
  return true
}

function sendRewritten(exchange: LiveExchange, out: Uint8Array): boolean {
  const rewriter = exchange.responseRewriter!
  if (rewriter.fault !== NONE) {
    failResponse(exchange, rewriter.fault)
    return true
  }
  if (exchange.recorder?.afterRewriter) exchange.recorder.piece(out, 0, out.length)
  if (!exchange.wroteHead) {
    if (rewriter.holdsHead) return true
    if (rewriter.goesToFile) return keepInFile(exchange, out)
    sendHeldHead(exchange)
  }
  const { downstream } = exchange
  if (out.length === 0 || downstream === null) return true
  exchange.responseBytes += out.length
  return downstream.sendBody(exchange, asBuffer(out), 0, out.length, true)
}

// A write may find that the client has gone: the exchange has ended within the call then.
export function hasEnded(exchange: LiveExchange, serial: number): boolean {
  return exchange.serial !== serial || exchange.downstream === null
}

// What the server sent, before a rewriter that belongs to a middleware in front of the recorder's.
export function recordAsItCame(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): void {
  const recorder = exchange.recorder!
  if (!recorder.afterRewriter) recorder.piece(bytes, from, to)
}

// workers/rewriting.ts: bodies that a middleware changes as they pass; see core/middleware/body.ts.
//
// Hot:    for exchanges that have a rewriter; for all others the pipeline compares one field with null.

import { Buffer } from 'node:buffer'
import type { BodyRecorder } from '../core/cache/recorder.ts'
import { NONE } from '../core/errors.ts'
import { BODY_NONE } from '../core/exchange.ts'
import type { Head } from '../core/headers.ts'
import type { LiveExchange } from './live-exchange.ts'

let failRequest: (exchange: LiveExchange, code: number) => void // the pipeline's

export function installRewriting(fail: typeof failRequest): void {
  failRequest = fail
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

export function rewriteResponse(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  const out = asBuffer(exchange.responseRewriter!.piece(bytes, from, to))
  exchange.responseBytes += out.length
  if (exchange.recorder?.afterRewriter) exchange.recorder.piece(out, 0, out.length)
  return out.length === 0 || exchange.downstream!.sendBody(exchange, out, 0, out.length, true)
}

export function endRewrittenResponse(exchange: LiveExchange, trailers: Head | null): void {
  const rewriter = exchange.responseRewriter!
  const downstream = exchange.downstream!
  const out = asBuffer(rewriter.end(trailers))
  exchange.responseBytes += out.length
  if (exchange.recorder !== null) endRecording(exchange.recorder, out)
  if (out.length > 0) downstream.sendBody(exchange, out, 0, out.length, true)
  downstream.sendEnd(exchange, rewriter.keepsTrailers ? trailers : null)
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

function endRecording(recorder: BodyRecorder, last: Buffer): void {
  if (recorder.afterRewriter) recorder.piece(last, 0, last.length)
  recorder.end()
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

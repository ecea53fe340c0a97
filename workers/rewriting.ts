// workers/rewriting.ts: bodies that a middleware changes as they pass; see core/middleware/body.ts.
//
// Hot:    for exchanges that have a rewriter; for all others the pipeline compares one field with null.

import { Buffer } from 'node:buffer'
import { NONE } from '../core/errors.ts'
import { BODY_NONE } from '../core/exchange.ts'
import type { Head } from '../core/headers.ts'
import type { LiveExchange } from './live-exchange.ts'

// Sends one piece of a request on, rewritten. A code: the body is none of its kind; nothing was sent.
export function rewriteRequest(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): { taken: boolean; fault: number } {
  const rewriter = exchange.requestRewriter!
  const out = asBuffer(rewriter.piece(bytes, from, to))
  result.fault = rewriter.fault
  result.taken = true
  if (rewriter.fault === NONE && out.length > 0)
    result.taken = exchange.upstream!.sendBody(exchange, out, 0, out.length, true)
  return result
}

const result = { taken: true, fault: NONE } // used up before the next call

// The last piece, and the end. Returns NONE or a code: the server must not take what it has for whole.
export function endRewrittenRequest(exchange: LiveExchange, trailers: Head | null): number {
  const rewriter = exchange.requestRewriter!
  const upstream = exchange.upstream
  if (upstream === null || exchange.bodyKind === BODY_NONE) return NONE
  const out = asBuffer(rewriter.end(trailers))
  if (rewriter.fault !== NONE) return rewriter.fault
  if (out.length > 0) upstream.sendBody(exchange, out, 0, out.length, true)
  upstream.sendEnd(exchange, rewriter.keepsTrailers ? trailers : null)
  return NONE
}

export function rewriteResponse(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  const out = asBuffer(exchange.responseRewriter!.piece(bytes, from, to))
  exchange.responseBytes += out.length
  return out.length === 0 || exchange.downstream!.sendBody(exchange, out, 0, out.length, true)
}

export function endRewrittenResponse(exchange: LiveExchange, trailers: Head | null): void {
  const rewriter = exchange.responseRewriter!
  const downstream = exchange.downstream!
  const out = asBuffer(rewriter.end(trailers))
  exchange.responseBytes += out.length
  if (out.length > 0) downstream.sendBody(exchange, out, 0, out.length, true)
  downstream.sendEnd(exchange, rewriter.keepsTrailers ? trailers : null)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

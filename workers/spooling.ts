// workers/spooling.ts: bodies of requests that are longer than memory may hold: into a file, and from there to the server.
//
// Owner:  the exchange; endings.ts closes its file. Hot: for exchanges that have one; for all others one field is
//         compared with null.
//
//   keepPiece -> spoolPiece ... requestEnd -> written -> the middleware again -> server: sendFile, piece by piece
//                 '- the disk is slow: the client is paused     '- cannot be written: refused, no server was asked

import type { Buffer } from 'node:buffer'
import { NONE } from '../core/errors.ts'
import { BODY_NONE } from '../core/exchange.ts'
import { NEXT } from '../core/middleware/contract.ts'
import type { WorkerContext } from './context.ts'
import { closeFile } from './endings.ts'
import type { LiveExchange } from './live-exchange.ts'
import { passEnd, passPiece } from './rewriting.ts'
import type { SpoolFile, SpoolOwner } from './spool/file.ts'
import type * as pipeline from './pipeline.ts'

let context: WorkerContext
let wake: typeof pipeline.wake
let fail: typeof pipeline.requestFailed

export function installSpooling(
  worker: WorkerContext,
  wakes: typeof wake,
  fails: typeof fail,
): void {
  context = worker
  wake = wakes
  fail = fails
}

// A code: it can't be kept. What was kept in memory goes first.
export function spoolPiece(
  exchange: LiveExchange,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const keeper = exchange.keeper!
  const file = (exchange.bodyFile ??= context.spool!.create(new BodyOwner(exchange)))
  keeper.inFile = true
  for (const piece of keeper.pieces) {
    const fault = file.append(piece)
    if (fault !== NONE) return fault
  }
  keeper.pieces.length = 0
  keeper.bytes += to - from
  return file.append(Uint8Array.prototype.slice.call(bytes, from, to))
}

// Goes on where it stopped: a server that can take more, or a new one, from the beginning.
export function sendFile(exchange: LiveExchange, file: SpoolFile): void {
  if (exchange.upstream === null || exchange.bodyKind === BODY_NONE) return
  if (!exchange.sendingKept) {
    exchange.sendingKept = true
    exchange.requestStarted = true
    file.rewind()
  }
  if (!file.isAtEnd) return file.pull()
  const { upstream } = exchange
  exchange.sendingKept = false
  passEnd(exchange, exchange.keeper!.trailers)
  upstream.flush()
}

class BodyOwner implements SpoolOwner {
  private readonly exchange: LiveExchange

  constructor(exchange: LiveExchange) {
    this.exchange = exchange
  }

  writable(): void {
    this.exchange.downstream?.resumeBody(this.exchange)
  }

  written(): void {
    const { exchange } = this
    if (exchange.waiting) wake(exchange, exchange.serial, NEXT)
  }

  piece(bytes: Buffer, length: number): void {
    const { exchange } = this
    const { upstream, bodyFile } = exchange
    if (upstream === null || !exchange.sendingKept || exchange.bodyKind === BODY_NONE) return
    const takesMore = passPiece(exchange, bytes, 0, length, false)
    // It may have failed within the call, and another one been asked.
    if (exchange.bodyFile !== bodyFile || exchange.upstream !== upstream) return
    upstream.flush()
    if (takesMore && exchange.sendingKept && exchange.upstream === upstream)
      sendFile(exchange, bodyFile!)
  }

  // What is left of the client's body is read, and thrown away.
  failed(code: number): void {
    const { exchange } = this
    const { serial } = exchange
    closeFile(exchange)
    fail(exchange, code)
    if (exchange.serial === serial && !exchange.requestComplete)
      exchange.downstream?.resumeBody(exchange)
  }
}

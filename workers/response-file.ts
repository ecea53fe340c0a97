// workers/response-file.ts: a response that is longer than memory may hold: into a file while its head waits, and from
// there to the client.
//
// Owner:  the exchange, whose "server" it is from the last byte of the real one on, as stored-body.ts is for what lies in
//         memory; endings.ts closes it however the exchange ends. Hot: for exchanges that have one.
//
//   rewriting.ts: keep ... end -> written -> head, and the file piece by piece, as fast as the client reads
//                   |- the disk is slow: the server is paused
//                   '- cannot be written: refused, the client has seen nothing

import type { Buffer } from 'node:buffer'
import { NONE } from '../core/errors.ts'
import { UPSTREAM_DONE } from '../core/exchange.ts'
import { Head } from '../core/headers.ts'
import { announceLength } from '../core/middleware/body.ts'
import type { WorkerContext } from './context.ts'
import { closeFile, closeResponseFile, finish } from './endings.ts'
import type { LiveExchange } from './live-exchange.ts'
import { SpentServer } from './spent-server.ts'
import type { SpoolFile, SpoolOwner } from './spool/file.ts'

let context: WorkerContext
let failResponse: (exchange: LiveExchange, code: number) => void // of responses.ts
let sendHeldHead: (exchange: LiveExchange) => void

export function installResponseFiles(
  worker: WorkerContext,
  fails: typeof failResponse,
  sendsHead: typeof sendHeldHead,
): void {
  context = worker
  failResponse = fails
  sendHeldHead = sendsHead
}

// False: no more until upstream.resume.
export function keepInFile(exchange: LiveExchange, out: Uint8Array): boolean {
  if (out.length === 0) return true
  exchange.responseFile ??= new ResponseFile(exchange)
  return exchange.responseFile.keep(out)
}

export class ResponseFile extends SpentServer implements SpoolOwner {
  private readonly exchange: LiveExchange
  private readonly file: SpoolFile
  private trailers: Head | null = null

  constructor(exchange: LiveExchange) {
    super()
    this.exchange = exchange
    this.file = context.spool!.create(this)
  }

  keep(piece: Uint8Array): boolean {
    const fault = this.file.append(piece)
    if (fault === NONE) return this.file.takesMore()
    failResponse(this.exchange, fault)
    return true
  }

  // The server has been given back. What it left of the request is of no use to anybody.
  end(trailers: Head | null): void {
    const { exchange, file } = this
    if (trailers !== null) this.trailers = copyOf(trailers)
    exchange.upstream = this
    exchange.sendingKept = false
    closeFile(exchange)
    file.end()
    if (!exchange.requestComplete) exchange.downstream?.resumeBody(exchange)
    if (exchange.responseFile === this && file.isWritten) this.written()
  }

  close(): void {
    this.file.close()
  }

  // ---- the file's

  writable(): void {
    this.exchange.upstream?.resume(this.exchange)
  }

  written(): void {
    const { exchange, file } = this
    if (this.trailers === null) announceLength(exchange, file.bytes)
    sendHeldHead(exchange)
    if (exchange.responseFile === this) file.pull()
  }

  // The bytes stay as they are until the next pull.
  piece(bytes: Buffer, length: number): void {
    const { exchange, file } = this
    exchange.responseBytes += length
    const takesMore = exchange.downstream!.sendBody(exchange, bytes, 0, length, true)
    if (exchange.responseFile !== this) return // the client has gone within the call
    if (file.isAtEnd) return this.sent()
    exchange.downstream!.flush(exchange)
    if (takesMore && exchange.responseFile === this) file.pull()
  }

  private sent(): void {
    const { exchange } = this
    exchange.upstream = null
    closeResponseFile(exchange)
    exchange.downstream!.sendEnd(exchange, this.trailers)
    finish(exchange, UPSTREAM_DONE)
  }

  failed(code: number): void {
    failResponse(this.exchange, code)
  }

  // ---- in place of the server

  resume(exchange: LiveExchange): void {
    if (exchange.wroteHead) this.file.pull()
  }

  override cancel(exchange: LiveExchange): void {
    super.cancel(exchange)
    closeResponseFile(exchange)
  }
}

// The connection that has read them is somebody else's now.
function copyOf(trailers: Head): Head {
  const copy = new Head()
  copy.copyFrom(trailers)
  return copy
}

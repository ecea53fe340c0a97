// workers/side-request.ts: a request of our own: to an authentication server, a mirror, or for the cache.
//
// Owner:  the worker. It is an exchange like any other, whose client is this object instead of a connection: the same
//         services, pools, TLS and HTTP/2, the same strictness with what comes back. Hot: no, an object per request.
//
//   ASKING ---- sendHead, sendBody ... sendEnd ----> done(answer)
//      '------- abort, timeout, too long a body ---> done(null, code)          each once; cancel(): neither
//
// A kept connection that has died under a request is no answer: what is idempotent is asked once more.

import { Buffer } from 'node:buffer'
import { NONE, REQUEST_CUT, RESPONSE_BODY_TOO_LARGE, SIDE_TIMEOUT } from '../core/errors.ts'
import { BODY_LENGTH, DOWNSTREAM_DONE, UPSTREAM_DONE, hasRequestBody } from '../core/exchange.ts'
import { ForwardedCache } from '../core/forwarded.ts'
import { RequestParser } from '../core/h1/request.ts'
import { BodyKeeper, COLLECT } from '../core/middleware/body-keeper.ts'
import type { SideDone, SideRequest } from '../core/middleware/worker.ts'
import { defaultPolicy, normalise } from '../core/normalise.ts'
import type { Downstream } from './downstream/contract.ts'
import { whenDue } from './due.ts'
import { finish, leaveUpstream } from './endings.ts'
import type { EntryPoint } from './entry-point.ts'
import { type LiveExchange, leaseExchange } from './live-exchange.ts'
import type { LiveService } from './live-service.ts'
import * as pipeline from './pipeline.ts'

const headLimits = { headBytesMax: 256 * 1024, headerCountMax: 512 } // of what we write ourselves

export interface SideBounds {
  readonly timeoutMs: number // for the whole answer
  readonly bodyMax: number // bytes of the answer's body that are wanted; negative: it is thrown away
}

export class SideExchange implements Downstream {
  readonly forwarded = new ForwardedCache()
  private exchange: LiveExchange | null = null
  private readonly body: BodyKeeper
  private readonly wantsBody: boolean
  private readonly timer: NodeJS.Timeout
  private readonly done: SideDone

  constructor({ timeoutMs, bodyMax }: SideBounds, done: SideDone) {
    this.done = done
    this.body = new BodyKeeper(bodyMax, COLLECT)
    this.wantsBody = bodyMax >= 0
    this.timer = whenDue(timeoutMs, () => this.giveUp(SIDE_TIMEOUT))
  }

  // `head` ends with its blank line. A code of core/errors.ts when it can't be sent.
  start(
    head: string,
    body: readonly Uint8Array[],
    point: EntryPoint,
    service: LiveService,
  ): number {
    const exchange = leaseExchange()
    const code = readSide(exchange, head, body)
    if (code !== NONE) return code
    exchange.point = point
    exchange.downstream = this
    exchange.startedAt = point.context.sweeper.turnNow()
    this.exchange = exchange
    point.context.begun(exchange)
    pipeline.beginSide(exchange, service)
    return NONE
  }

  cancel(): void {
    this.leave()
  }

  // ---- Downstream

  sendHead(exchange: LiveExchange): void {
    if (!this.wantsBody || exchange.responseKind !== BODY_LENGTH) return
    if (exchange.responseLength > this.body.bytesMax)
      process.nextTick(() => this.giveUp(RESPONSE_BODY_TOO_LARGE))
  }

  sendBody(_exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    if (this.exchange === null || !this.wantsBody || this.body.overflowed) return true
    if (!this.body.keep(bytes, from, to))
      process.nextTick(() => this.giveUp(RESPONSE_BODY_TOO_LARGE))
    return true
  }

  // An answer that the gateway made itself is none: nobody was asked.
  sendEnd(exchange: LiveExchange): void {
    exchange.downstream = null
    if (this.exchange === null || this.body.overflowed) return pipeline.downstreamDone(exchange)
    this.exchange = null
    clearTimeout(this.timer)
    const { error, status, response: headers } = exchange
    if (error !== NONE) this.done(null, error)
    else this.done({ status, headers, body: this.body.whole() }, NONE)
    pipeline.downstreamDone(exchange)
  }

  abort(exchange: LiveExchange): void {
    this.exchange = null
    clearTimeout(this.timer)
    this.done(null, exchange.error)
  }

  sendContinue(): void {}
  sendInformational(): void {}
  flush(): void {}
  pauseBody(): void {}
  resumeBody(): void {}
  beginTunnel(exchange: LiveExchange): void {
    this.abort(exchange) // never asked for
  }
  tunnelSend(): boolean {
    return true
  }
  tunnelEnd(): void {}
  tunnelClosed(): void {}

  // ---- endings

  private giveUp(code: number): void {
    if (this.exchange === null) return
    this.leave()
    this.done(null, code)
  }

  private leave(): void {
    const { exchange } = this
    this.exchange = null
    clearTimeout(this.timer)
    if (exchange === null) return
    exchange.downstream = null
    leaveUpstream(exchange)
    finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
  }
}

// Read by the codec that reads those of clients: what may not be sent is found there.
function readSide(exchange: LiveExchange, head: string, body: readonly Uint8Array[]): number {
  const bytes = Buffer.from(head, 'latin1')
  const end = new RequestParser().parse(exchange, bytes, 0, bytes.length, headLimits)
  if (end < 0) return -end
  if (end !== bytes.length) return REQUEST_CUT
  const fault = normalise(exchange, defaultPolicy)
  if (fault !== NONE) return fault
  if (hasRequestBody(exchange)) {
    exchange.keeper = new BodyKeeper(Infinity, COLLECT)
    exchange.keeper.pieces.push(...body)
    exchange.keeper.bytes = body.reduce((sum, piece) => sum + piece.length, 0)
    exchange.keeper.end(null)
  }
  exchange.requestComplete = true
  return NONE
}

export function headOfSide(request: SideRequest, authority: string): string {
  const length = request.body.reduce((sum, piece) => sum + piece.length, 0)
  const lines = [`${request.method} ${request.path} HTTP/1.1`, `Host: ${authority}`]
  for (const [name, value] of request.headers) lines.push(`${name}: ${value}`)
  if (length > 0) lines.push(`Content-Length: ${length}`)
  return [...lines, '', ''].join('\r\n')
}

// workers/upstream/pending.ts: exchanges that wait because their server has maxConnections of HTTP/1.1 already.
//
// Owner:  its Server. Hot: no; nobody waits while there is room.
//
// A connection that becomes free is given to the first who waits, but in a moment of its own: bytes behind the response
// that has just ended must close it, and not be read as the answer to the next request. Who has waited for dialTimeout
// asks another server, or is told UPSTREAM_FULL.

import { UPSTREAM_FULL } from '../../core/errors.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { Swept } from '../sweeper.ts'
import type { Server } from './server.ts'

export interface Waiting {
  readonly exchange: LiveExchange
  readonly serial: number
  readonly send: number
  readonly head: string
  readonly since: number
}

export function isWanted({ exchange, serial, send }: Waiting): boolean {
  return exchange.serial === serial && exchange.send === send && exchange.downstream !== null
}

export class Pending implements Swept {
  sweepIndex = -1
  private readonly server: Server
  private list: Waiting[] = []
  private planned = false
  private readonly serve = (): void => this.serveNow()

  constructor(server: Server) {
    this.server = server
  }

  get isEmpty(): boolean {
    return this.list.length === 0
  }

  holds(exchange: LiveExchange): boolean {
    return this.list.some((waiting) => waiting.exchange === exchange && isWanted(waiting))
  }

  add(exchange: LiveExchange, head: string): void {
    const { transport, context } = this.server
    if (this.list.length >= transport.maxPending) this.list = this.list.filter(isWanted)
    if (this.list.length >= transport.maxPending)
      return pipeline.upstreamFailed(exchange, UPSTREAM_FULL, pipeline.RETRY_ELSEWHERE)
    const { serial, send } = exchange
    this.list.push({ exchange, serial, send, head, since: context.sweeper.now })
    if (this.sweepIndex < 0) context.sweeper.add(this)
  }

  // There may be room now.
  wake(): void {
    if (this.planned || this.list.length === 0) return
    this.planned = true
    setImmediate(this.serve)
  }

  private serveNow(): void {
    this.planned = false
    while (this.list.length > 0 && this.server.hasRoom) {
      const waiting = this.list.shift()!
      if (isWanted(waiting)) this.server.sendWaiting(waiting.exchange, waiting.head)
    }
  }

  onTick(now: number): void {
    const { dialTimeoutMs } = this.server.transport
    while (dialTimeoutMs > 0 && this.list.length > 0) {
      const first = this.list[0]!
      const wanted = isWanted(first)
      if (wanted && now - first.since <= dialTimeoutMs) break
      this.list.shift()
      if (wanted) pipeline.upstreamFailed(first.exchange, UPSTREAM_FULL, pipeline.RETRY_ELSEWHERE)
    }
    if (this.list.length === 0) this.server.context.sweeper.remove(this)
  }

  abandon(): void {
    this.list.length = 0
    this.server.context.sweeper.remove(this)
  }
}

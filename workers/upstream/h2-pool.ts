// workers/upstream/h2-pool.ts: the HTTP/2 sessions of one server, and the exchanges that wait for a stream.
//
// Owner:  its Server.
// Hot:    send and choose.
//
// One session serves a server and a worker for as long as the server's stream limit allows; a further one is
// opened only when all are full, up to SESSIONS_MAX. Who finds no room waits, not longer than dialTimeout and with
// no more than WAITING_MAX others.

import { UPSTREAM_FULL, UPSTREAM_PROTOCOL } from '../../core/errors.ts'
import { HTTP2_WAITING_MAX } from '../../core/limits.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { Socket } from '../socket.ts'
import type { Swept } from '../sweeper.ts'
import type { H1Connection } from './h1.ts'
import { H2Session } from './h2-session.ts'
import type { Server } from './server.ts'

const SESSIONS_MAX = 8

interface Waiting {
  readonly exchange: LiveExchange
  readonly serial: number // tells whether the exchange is still the one that waits
  readonly send: number // and still for this server
  readonly head: string
  readonly since: number
}

export class H2Pool implements Swept {
  sweepIndex = -1
  readonly server: Server
  private readonly sessions: H2Session[] = [] // those that take new streams, or will
  private opening = 0
  private readonly waiting: Waiting[] = []

  constructor(server: Server) {
    this.server = server
  }

  send(exchange: LiveExchange, head: string): void {
    const session = this.choose()
    if (session !== null) return session.begin(exchange, head)
    if (this.waiting.length >= HTTP2_WAITING_MAX && !this.dropGone())
      return pipeline.upstreamFailed(exchange, UPSTREAM_FULL, pipeline.RETRY_ELSEWHERE)
    const { sweeper } = this.server.context
    this.waiting.push(waitingOf(exchange, head, sweeper.now))
    if (this.sweepIndex < 0) sweeper.add(this)
    this.openIfNeeded()
  }

  private choose(): H2Session | null {
    let best: H2Session | null = null
    for (const session of this.sessions) {
      if (session.hasRoom && (best === null || session.active < best.active)) best = session
    }
    return best
  }

  private openIfNeeded(): void {
    if (this.waiting.length === 0 || this.opening > 0 || this.sessions.length >= SESSIONS_MAX)
      return
    this.opening++
    this.server.openForHttp2()
  }

  // The connection that was asked for; HTTP/2 is to be spoken on it.
  adopt(socket: Socket, secure: boolean): void {
    const session = new H2Session(this, socket, secure)
    this.sessions.push(session)
    this.server.context.sweeper.add(session)
    this.server.connectionOpened()
  }

  opened(_: H2Session): void {
    this.opening--
    this.roomMade()
  }

  // No connection, or one that speaks something else.
  failedToConnect(code: number): void {
    this.opening--
    if (this.sessions.some((session) => session.isOpen)) return // who waits will get room there
    for (const waiting of this.waiting.splice(0)) {
      if (isWanted(waiting)) pipeline.upstreamFailed(waiting.exchange, code, pipeline.RETRY_ALWAYS)
    }
  }

  failedToOpen(_: H2Session): void {
    this.failedToConnect(UPSTREAM_PROTOCOL)
  }

  // It speaks HTTP/1.1: the first who waits gets it, the others go the usual way.
  handOver(connection: H1Connection): void {
    this.opening--
    let free = true
    for (const waiting of this.waiting.splice(0)) {
      if (!isWanted(waiting)) continue
      const { exchange, serial, head } = waiting
      if (free) connection.begin(exchange, head, false)
      else this.server.send(exchange, head)
      free = false
      if (exchange.serial === serial && exchange.upstream !== null) pipeline.upstreamReady(exchange)
    }
    if (free) this.server.giveBack(connection)
  }

  get isWaitedFor(): boolean {
    return this.waiting.length > 0
  }

  // A stream has ended, or a session has come.
  roomMade(): void {
    while (this.waiting.length > 0) {
      const session = this.choose()
      if (session === null) return this.openIfNeeded()
      const waiting = this.waiting.shift()!
      if (!isWanted(waiting)) continue
      const { exchange, head } = waiting
      session.begin(exchange, head)
      if (exchange.upstream !== null) pipeline.upstreamReady(exchange)
    }
  }

  private dropGone(): boolean {
    const kept = this.waiting.filter(isWanted)
    const dropped = kept.length < this.waiting.length
    if (dropped) this.waiting.splice(0, this.waiting.length, ...kept)
    return dropped
  }

  // The session takes no new streams.
  withdraw(session: H2Session): void {
    const at = this.sessions.indexOf(session)
    if (at >= 0) this.sessions.splice(at, 1)
    this.openIfNeeded()
  }

  forget(session: H2Session): void {
    this.withdraw(session)
    this.server.connectionClosed()
  }

  // Nobody names the server any more.
  retire(): void {
    for (const session of this.sessions.slice()) session.drain()
  }

  onTick(now: number): void {
    const { dialTimeoutMs } = this.server.transport
    // While a connection is being opened, that has its own time.
    const isBounded = dialTimeoutMs > 0 && this.opening === 0
    while (isBounded && this.waiting.length > 0) {
      const { exchange, since } = this.waiting[0]!
      const wanted = isWanted(this.waiting[0]!)
      if (wanted && now - since <= dialTimeoutMs) break
      this.waiting.shift()
      if (wanted) pipeline.upstreamFailed(exchange, UPSTREAM_FULL, pipeline.RETRY_ELSEWHERE)
    }
    if (this.waiting.length === 0) this.server.context.sweeper.remove(this)
  }

  abandon(): void {
    this.server.context.sweeper.remove(this)
  }
}

function waitingOf(exchange: LiveExchange, head: string, since: number): Waiting {
  return { exchange, serial: exchange.serial, send: exchange.send, head, since }
}

function isWanted({ exchange, serial, send }: Waiting): boolean {
  return exchange.serial === serial && exchange.send === send && exchange.downstream !== null
}

// workers/upstream/server.ts: one server of a service as one worker knows it: its address, its connections.
//
// Owner:  the worker's ServerRegistry; kept outside of generations and keyed by all that defines it (URL and
//         transport), so that a new configuration with the same server keeps its connections and counts.
// Hot:    lease and giveBack.
//
// Connections are reused last in, first out: the warmest one has the best chance to be alive, and those
// above the need grow old and are closed by their idle timeout.

import type { TransportPlan } from '../../config/generation.ts'
import {
  UPSTREAM_DIAL_TIMEOUT,
  UPSTREAM_DNS,
  UPSTREAM_PROTOCOL,
  UPSTREAM_REFUSED,
} from '../../core/errors.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { WorkerContext } from '../context.ts'
import { Coalescer } from './coalesce.ts'
import { type Address, Dial, parseAddress } from './dial.ts'
import { H1Connection } from './h1.ts'
import { H2Pool } from './h2-pool.ts'
import { streamOn } from './stream-on.ts'
import { IDLE } from './phases.ts'

export class Server {
  readonly key: string
  readonly url: string
  readonly address: Address
  readonly transport: TransportPlan
  readonly context: WorkerContext
  readonly coalescer: Coalescer | null
  inFlight = 0 // exchanges that were given to this server and have not ended; p2c reads it
  up = true
  users = 0 // live services that name it; at 0 idle connections are closed
  private readonly idle: H1Connection[] = []
  private readonly http2: H2Pool
  private open = 0

  constructor(key: string, url: string, transport: TransportPlan, context: WorkerContext) {
    this.key = key
    this.url = url
    this.transport = transport
    this.context = context
    this.address = parseAddress(url)
    this.http2 = new H2Pool(this)
    this.coalescer = transport.coalesce === null ? null : new Coalescer(this, transport.coalesce)
  }

  // Gives the exchange a connection and sends its request; at once when one is idle.
  send(exchange: LiveExchange, head: string): void {
    if (this.address.h2) return this.http2.send(exchange, head)
    if (this.address.secure) {
      return pipeline.upstreamFailed(exchange, UPSTREAM_PROTOCOL, pipeline.RETRY_NEVER)
    }
    if (this.coalescer !== null && this.coalescer.send(exchange, head)) return
    // After a reused connection failed, the others of the pool are suspect as well.
    while (this.idle.length > 0 && exchange.attempts === 0) {
      const connection = this.idle.pop()!
      if (connection.state !== IDLE) continue
      connection.begin(exchange, head, false)
      return
    }
    this.dial(exchange, head)
  }

  private dial(exchange: LiveExchange, head: string): void {
    const serial = exchange.serial
    this.connect((connection, code) => {
      const wanted = exchange.serial === serial && exchange.downstream !== null
      if (connection === null) {
        if (wanted) pipeline.upstreamFailed(exchange, code, pipeline.RETRY_ALWAYS)
      } else if (!wanted) {
        this.giveBack(connection)
      } else {
        connection.begin(exchange, head, false)
        pipeline.upstreamReady(exchange)
      }
    })
  }

  // One connection, or null and a code of core/errors.ts. Cold: a closure per dial is fine.
  connect(done: (connection: H1Connection | null, code: number) => void): void {
    const connection = new H1Connection(this, this.context.sweeper.now)
    new Dial(this.address, this.transport, this.context, connection, (socket, fault) => {
      if (socket === null) return done(null, codeOfDial(fault))
      this.connectionOpened()
      connection.opened(socket)
      this.context.sweeper.add(connection)
      done(connection, 0)
    }).start()
  }

  giveBack(connection: H1Connection): void {
    if (this.coalescer !== null && this.coalescer.keeps(connection)) return
    const { maxIdleConnsPerHost } = this.transport
    if (this.users === 0 || (maxIdleConnsPerHost >= 0 && this.idle.length >= maxIdleConnsPerHost)) {
      connection.close()
    } else {
      this.idle.push(connection)
    }
  }

  // Called by a connection that has closed itself.
  forget(connection: H1Connection): void {
    if (connection.sweepIndex < 0) return
    this.context.sweeper.remove(connection)
    const at = this.idle.lastIndexOf(connection)
    if (at >= 0) this.idle.splice(at, 1)
    this.coalescer?.forget(connection)
    this.connectionClosed()
  }

  connectionOpened(): void {
    this.open++
    this.context.upstreamConnections(1)
  }

  connectionClosed(): void {
    this.open--
    this.context.upstreamConnections(-1)
    if (this.users === 0 && this.open === 0) this.context.servers.drop(this)
  }

  // A connection for the pool of HTTP/2 sessions, which asked for it.
  openForHttp2(): void {
    new Dial(this.address, this.transport, this.context, null, (socket, fault) => {
      if (socket === null) return this.http2.failedToConnect(codeOfDial(fault))
      this.http2.adopt(streamOn(socket), false, true)
    }).start()
  }

  distrust(): void {
    this.coalescer?.ban()
  }

  retire(): void {
    for (const connection of this.idle.splice(0)) connection.close()
    this.coalescer?.retire()
    this.http2.retire()
    if (this.open === 0) this.context.servers.drop(this)
  }
}

function codeOfDial(fault: string): number {
  if (fault === 'TIMEOUT') return UPSTREAM_DIAL_TIMEOUT
  if (fault === 'DNS') return UPSTREAM_DNS
  return UPSTREAM_REFUSED
}

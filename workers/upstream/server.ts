// workers/upstream/server.ts: one server of a service as one worker knows it: its address, its connections.
//
// Owner:  the worker's ServerRegistry; kept outside of generations and keyed by all that defines it (URL and
//         transport), so that a new configuration with the same server keeps its connections and counts.
// Hot:    lease and giveBack.
//
// An https:// server is taken for one of HTTP/2 until ALPN has said otherwise, so that the first requests wait for
// one handshake and share what comes of it. Once no connection is left it is asked anew.
//
// Connections are reused last in, first out: the warmest one has the best chance to be alive, and those
// above the need grow old and are closed by their idle timeout.

import type { TransportPlan } from '../../config/generation.ts'
import {
  UPSTREAM_CERTIFICATE,
  UPSTREAM_DIAL_TIMEOUT,
  UPSTREAM_DNS,
  UPSTREAM_REFUSED,
  errorTable,
} from '../../core/errors.ts'
import { AnswerTimes } from '../../core/balance/least-time.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { WorkerContext } from '../context.ts'
import { Coalescer } from './coalesce.ts'
import { type Address, Dial, parseAddress } from './dial.ts'
import { H1Connection } from './h1.ts'
import { H2Pool } from './h2-pool.ts'
import { OFFER_BOTH, OFFER_HTTP1, ServerTls } from './server-tls.ts'
import { Pending } from './pending.ts'
import { IDLE } from './phases.ts'
import type { SecureSocket } from '../secure-socket.ts'
import type { Socket } from '../socket.ts'

const WARN_AGAIN_MS = 60_000 // of one server, whatever happens to its handshakes

export class Server {
  readonly key: string
  readonly url: string
  readonly address: Address
  readonly transport: TransportPlan
  readonly context: WorkerContext
  readonly coalescer: Coalescer | null
  inFlight = 0 // exchanges that were given to this server and have not ended; p2c reads it
  readonly up = true // what checks know of it is its services' matter: core/balance/target.ts
  readonly mayServe = true
  readonly upSince: number // when this worker came to know it
  users = 0 // live services that name it; at 0 idle connections are closed
  private readonly idle: H1Connection[] = []
  private readonly http2: H2Pool | null // null: the server is never asked for HTTP/2
  private readonly tls: ServerTls | null // null: clear text
  private onlyHttp1: boolean // it speaks HTTP/1.1, as far as known
  private open = 0
  private dialling = 0 // connections of HTTP/1.1 that are being made
  private readonly pending = new Pending(this)
  private warnedAt = -WARN_AGAIN_MS
  private answerTimes: AnswerTimes | null = null // once somebody asks for them

  constructor(key: string, url: string, transport: TransportPlan, context: WorkerContext) {
    this.key = key
    this.url = url
    this.transport = transport
    this.context = context
    this.upSince = context.services.preciseNow()
    this.address = parseAddress(url)
    const { secure, h2, host } = this.address
    this.tls = secure ? new ServerTls(host, transport) : null
    this.onlyHttp1 = !h2 && !(secure && !transport.disableHttp2)
    this.http2 = this.onlyHttp1 ? null : new H2Pool(this)
    this.coalescer = transport.coalesce === null ? null : new Coalescer(this, transport.coalesce)
  }

  get times(): AnswerTimes {
    return (this.answerTimes ??= new AnswerTimes())
  }

  // Gives the exchange a connection and sends its request; at once when one is idle.
  send(exchange: LiveExchange, head: string): void {
    if (!this.onlyHttp1 && (this.address.h2 || !exchange.wantsUpgrade))
      return this.http2!.send(exchange, head)
    if (this.coalescer !== null && this.coalescer.send(exchange, head)) return
    // After a reused connection failed, the others of the pool are suspect as well.
    while (this.idle.length > 0 && exchange.attempts === 0) {
      const connection = this.idle.pop()!
      if (connection.state !== IDLE) continue
      connection.begin(exchange, head, false)
      return
    }
    if (this.hasRoom) this.dial(exchange, head)
    else this.pending.add(exchange, head)
  }

  // Whether one more exchange can have a connection of HTTP/1.1, now or once it is made.
  get hasRoom(): boolean {
    return this.idle.length > 0 || this.mayDial
  }

  get mayDial(): boolean {
    const { maxConnections } = this.transport
    return maxConnections === 0 || this.open + this.dialling < maxConnections
  }

  // One that nobody uses, for the coalescer.
  takeIdle(): H1Connection | null {
    return this.idle.pop() ?? null
  }

  // Whether it waits for one, and none is being made for it.
  keepsWaiting(exchange: LiveExchange): boolean {
    return this.pending.holds(exchange)
  }

  // From here on its connections are for requests that are ready (body-ahead.ts).
  get isHalfFull(): boolean {
    const { maxConnections } = this.transport
    return maxConnections > 0 && this.inFlight * 2 >= maxConnections
  }

  // One that had to wait for room: as send(), and its client is told to go on.
  sendWaiting(exchange: LiveExchange, head: string): void {
    const { serial } = exchange
    this.send(exchange, head)
    if (exchange.serial === serial && exchange.upstream !== null) pipeline.upstreamReady(exchange)
  }

  private dial(exchange: LiveExchange, head: string): void {
    const { serial, send } = exchange
    this.connect((connection, code) => {
      const wanted =
        exchange.serial === serial && exchange.send === send && exchange.downstream !== null
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

  // A connection for HTTP/1.1, or null and a code of core/errors.ts. Cold: a closure per dial is fine.
  connect(done: (connection: H1Connection | null, code: number) => void): void {
    this.dialling++
    this.reach(OFFER_HTTP1, (socket, _, code) => {
      this.dialling--
      if (socket === null) this.pending.wake()
      done(socket === null ? null : this.http1On(socket), code)
    })
  }

  // For the pool of HTTP/2 sessions, which asked for it.
  openForHttp2(): void {
    const pool = this.http2!
    this.reach(OFFER_BOTH, (socket, secured, code) => {
      if (socket === null) return pool.failedToConnect(code)
      if (secured === null) return pool.adopt(socket, false)
      if (secured.alpn === 'h2') return pool.adopt(secured, true)
      this.onlyHttp1 = true
      pool.handOver(this.http1On(secured))
    })
  }

  // An open connection, with TLS where the URL says so; or null and a code.
  private reach(
    alpn: Uint8Array | null,
    done: (socket: Socket | null, secured: SecureSocket | null, code: number) => void,
  ): void {
    new Dial(this.address, this.transport, this.context, null, (socket, fault) => {
      if (socket === null) return done(null, null, codeOfDial(fault))
      if (this.tls === null) return done(socket, null, 0)
      this.tls.secure(socket, alpn, (secured, code, reason) => {
        if (code !== 0) this.tell(code, reason)
        done(secured, secured, reason === 'TIMEOUT' ? UPSTREAM_DIAL_TIMEOUT : code)
      })
    }).start()
  }

  private http1On(socket: Socket): H1Connection {
    const connection = new H1Connection(this, this.context.sweeper.now)
    socket.owner = connection
    this.connectionOpened()
    connection.opened(socket)
    this.context.sweeper.add(connection)
    return connection
  }

  // Why a handshake failed is for the operator; the client sees the code alone.
  private tell(code: number, reason: string): void {
    const { now } = this.context.sweeper
    if (now - this.warnedAt < WARN_AGAIN_MS) return
    this.warnedAt = now
    const what = code === UPSTREAM_CERTIFICATE ? 'its certificate was refused' : 'it failed'
    const message = `TLS handshake with server ${this.url}: ${what}: ${reason} (${errorTable[code]!.name})`
    this.context.say({ type: 'warning', message })
  }

  giveBack(connection: H1Connection): void {
    if (this.coalescer !== null && this.coalescer.keeps(connection)) return
    const { maxIdleConnsPerHost } = this.transport
    if (this.users === 0 || (maxIdleConnsPerHost >= 0 && this.idle.length >= maxIdleConnsPerHost)) {
      connection.close()
    } else {
      this.idle.push(connection)
      this.pending.wake()
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
    this.pending.wake()
    if (this.open === 0 && this.http2 !== null) this.onlyHttp1 = false
    if (this.users === 0 && this.open === 0) this.context.servers.drop(this)
  }

  distrust(): void {
    this.coalescer?.ban()
  }

  retire(): void {
    for (const connection of this.idle.splice(0)) connection.close()
    this.coalescer?.retire()
    this.http2?.retire()
    if (this.open === 0) this.context.servers.drop(this)
  }
}

function codeOfDial(fault: string): number {
  if (fault === 'TIMEOUT') return UPSTREAM_DIAL_TIMEOUT
  if (fault === 'DNS') return UPSTREAM_DNS
  return UPSTREAM_REFUSED
}

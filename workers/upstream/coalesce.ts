// workers/upstream/coalesce.ts: requests of one turn of the event loop share writes on few connections.
//
// Off unless serversTransport.coalesce asks for it. Two thirds of a request's cost is the kernel's, and
// most of that is paid per write: with 64 clients, one turn brings dozens of requests, which then leave
// in one write per connection. Only safe methods without body go this way.
//
// The risk is that of HTTP/1.1 pipelining: a server that frames a response wrongly would give one client's
// answer to another. So a server has to prove itself first, and is never coalesced again in this process
// once it misframes, closes early, or answers slower than slowAfterMs.
//
// Shared connections count in maxConnections and leave at least one of them to what does not share: a request with a body
// would find no room for as long as others flow. Where all are open already, an idle one becomes a shared one.
//
//             PROOFS clean keep-alive answers           misframed, closed early, slow
//   PROVING ---------------------------------> TRUSTED -------------------------------> BANNED

import type { CoalescePlan } from '../../config/generation.ts'
import { BODY_NONE, METHOD_GET, METHOD_HEAD, METHOD_OPTIONS } from '../../core/exchange.ts'
import type { LiveExchange } from '../live-exchange.ts'
import type { H1Connection } from './h1.ts'
import { BUSY, CLOSED, IDLE } from './phases.ts'
import { TICK_MS } from '../sweeper.ts'
import type { Server } from './server.ts'

const PROVING = 0
const TRUSTED = 1
const BANNED = 2

const PROOFS = 32

export class Coalescer {
  state: typeof PROVING | typeof TRUSTED | typeof BANNED = PROVING
  private readonly server: Server
  private readonly plan: CoalescePlan
  private readonly connectionsMax: number
  private readonly connections: H1Connection[] = []
  private dialing = 0
  private next = 0
  private flushPlanned = false
  private proofs = 0
  private readonly flushAll = (): void => this.flush() // made once: setImmediate needs a function

  constructor(server: Server, plan: CoalescePlan) {
    this.server = server
    this.plan = plan
    const { maxConnections } = server.transport
    const room = maxConnections === 0 ? Infinity : maxConnections - 1
    this.connectionsMax = Math.min(plan.connections, room)
  }

  // False: the exchange must go the usual way.
  send(exchange: LiveExchange, head: string): boolean {
    if (this.state !== TRUSTED || exchange.attempts > 0 || !isSafe(exchange)) return false
    if (this.connections.length + this.dialing < this.connectionsMax) this.open()
    const connection = this.choose()
    if (connection === null) return false
    connection.begin(exchange, head, true)
    if (!this.flushPlanned) {
      this.flushPlanned = true
      setImmediate(this.flushAll)
    }
    return true
  }

  private choose(): H1Connection | null {
    const count = this.connections.length
    for (let i = 0; i < count; i++) {
      const connection = this.connections[this.next++ % count]!
      if (connection.state === IDLE) return connection
      if (isOpen(connection) && connection.queue!.length < this.plan.depth) return connection
    }
    return null
  }

  private open(): void {
    if (!this.server.mayDial) return this.share(this.server.takeIdle())
    this.dialing++
    this.server.connect((connection) => {
      this.dialing--
      if (connection === null) return
      if (this.state !== TRUSTED) return this.server.giveBack(connection)
      this.share(connection)
    })
  }

  private share(connection: H1Connection | null): void {
    if (connection === null || connection.state !== IDLE) return
    connection.queue = []
    this.connections.push(connection)
  }

  private flush(): void {
    this.flushPlanned = false
    for (let i = 0; i < this.connections.length; i++) this.connections[i]!.writeOut()
  }

  // A response ended cleanly on a connection that stays open: one more proof. Returns whether the
  // connection is one of ours, which stay here instead of in the idle list.
  keeps(connection: H1Connection): boolean {
    if (connection.queue !== null) {
      if (this.state === BANNED) connection.close()
      return true
    }
    if (this.state === PROVING && connection.served > 0 && ++this.proofs >= PROOFS)
      this.state = TRUSTED
    return false
  }

  // A response is there, this long after its request came in.
  answered(ms: number): void {
    if (ms > this.plan.slowAfterMs) this.ban()
  }

  // No byte of the response that is due has come for so long. The sweeper's clock, by which that was
  // measured, may be a tick behind.
  isHanging(quietMs: number): boolean {
    return quietMs > this.plan.slowAfterMs + TICK_MS
  }

  ban(): void {
    if (this.state === BANNED) return
    this.state = BANNED
    for (const connection of this.connections) if (connection.state === IDLE) connection.close()
  }

  get banned(): boolean {
    return this.state === BANNED
  }

  forget(connection: H1Connection): void {
    const at = this.connections.indexOf(connection)
    if (at >= 0) this.connections.splice(at, 1)
    if (connection.queue !== null && connection.state === CLOSED && this.state === TRUSTED) {
      // An idle connection that the server closed is its right; one with requests under way is not.
      if (connection.exchange !== null || connection.queue.length > 0) this.ban()
    }
  }

  retire(): void {
    for (const connection of this.connections.slice())
      if (connection.state === IDLE) connection.close()
  }
}

// Behind a slow client nobody should wait.
function isOpen(connection: H1Connection): boolean {
  return connection.state === BUSY && !connection.isBlocked
}

function isSafe(exchange: LiveExchange): boolean {
  const { methodId } = exchange
  const safe = methodId === METHOD_GET || methodId === METHOD_HEAD || methodId === METHOD_OPTIONS
  return safe && exchange.bodyKind === BODY_NONE && !exchange.wantsUpgrade
}

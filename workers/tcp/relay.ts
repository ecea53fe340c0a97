// workers/tcp/relay.ts: one TCP connection on its way through a worker, from its router to its last byte.
//
// Owner:  itself, once serveTcp (serve.ts) has begun it; it leaves nothing behind when it is closed.
//
//             socket open         (Postgres behind us said 'S')
//   DIALING ---------------> [ NEGOTIATING ] -----------------> OPEN ----> CLOSED
//      '------- nobody to be reached: the client is closed -----------------^
//
// While it dials the client is read, into a bounded buffer: a client that resets ends the dial at once. One that ends
// may have half-closed, and still gets its server.
//
// OPEN ends when both sides have ended and all is written; when one has ended and the other has been quiet for
// terminationDelay; or when either fails, which the other side sees as a reset: a broken stream must not look
// like a finished one. A reload changes nothing here: the relay keeps the router and server it began with.
// Hot:    no; side.ts is. onTick runs ten times a second for each connection and compares.

import { Buffer } from 'node:buffer'
import {
  NO_SERVER,
  UPSTREAM_DIAL_TIMEOUT,
  UPSTREAM_DNS,
  UPSTREAM_MALFORMED,
  UPSTREAM_REFUSED,
  UPSTREAM_RESET,
  UPSTREAM_STALL,
  WRITE_TIMEOUT,
  errorTable,
} from '../../core/errors.ts'
import { proxyHeader } from '../../core/proxy-protocol/write.ts'
import { REQUESTS } from '../../core/shared/series.ts'
import type { WorkerContext } from '../context.ts'
import type { EntryPoint } from '../entry-point.ts'
import type { Socket } from '../socket.ts'
import type { Swept } from '../sweeper.ts'
import { HeadBuffer } from '../head-buffer.ts'
import { Dial } from '../upstream/dial.ts'
import type { TcpConnectionFacts } from './facts.ts'
import type { LiveTcpRouter } from './router.ts'
import type { TcpServer } from './server.ts'
import type { LiveTcpBalancer } from './service.ts'
import { RelaySide, type Relaying } from './side.ts'

const DIALING = 0
const NEGOTIATING = 1
const OPEN = 2
const CLOSED = 3

const DNS_REFRESH_MS = 30_000
const SETTLE_AFTER_MS = 5000
const QUIET_MS = 1000
const EARLY_BYTES_MAX = 64 * 1024 // of a client whose server is being dialled
const HELD_BYTES_MAX = 256 * 1024 // of copies, each way: more makes no transfer faster
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)
const SSL_YES = 0x53 // 'S'

export class TcpRelay implements Swept, Relaying {
  sweepIndex = -1
  activeAt: number
  private state = DIALING
  private activeBefore = -1 // activeAt at the last tick
  private quietFrom = 0 // the tick since which it has not changed
  private readonly client: RelaySide
  private readonly server: RelaySide
  private readonly point: EntryPoint
  private readonly context: WorkerContext
  private readonly router: LiveTcpRouter
  private readonly balancer: LiveTcpBalancer | null
  private readonly facts: TcpConnectionFacts
  private readonly startedAt: number
  private readonly first = new HeadBuffer() // what the client sent before; empty once it was passed on
  private dialling: Dial | null = null
  private shaking: Socket | null = null // the server's, during its handshake
  private tried = -1 // index of the server that was dialled
  private attempts = 0
  private serverName = '' // address of the server, for the log

  constructor(
    socket: Socket,
    first: Buffer,
    router: LiveTcpRouter,
    point: EntryPoint,
    facts: TcpConnectionFacts,
  ) {
    this.point = point
    this.context = point.context
    this.router = router
    this.facts = facts
    this.first.append(first, 0, first.length) // a copy: the caller's may be the worker's read buffer
    this.startedAt = this.context.sweeper.now
    this.activeAt = this.startedAt
    this.balancer = router.service.leaf()
    this.client = new RelaySide(this, this.context.series)
    this.server = new RelaySide(this, this.context.series)
    this.client.other = this.server
    this.server.other = this.client
    this.client.socket = socket
    socket.owner = this.client
  }

  get open(): boolean {
    return this.state === OPEN
  }

  get heldBytesMax(): number {
    return Math.min(HELD_BYTES_MAX, this.point.bounds.bufferedBytesMax)
  }

  now(): number {
    return this.context.sweeper.now
  }

  // ---- to the server

  start(): void {
    const { balancer } = this
    if (balancer === null) return this.fail(NO_SERVER)
    const counters = this.router.countersOf(this.point, balancer.plan.name)
    this.context.series.add(counters.connections, REQUESTS, 1)
    this.client.block = counters.received
    this.server.block = counters.sent
    this.dial(NO_SERVER)
    if (this.state === DIALING) this.client.socket!.resume()
  }

  // `code` is told when there is nobody left to dial.
  private dial(code: number): void {
    const balancer = this.balancer!
    this.tried = balancer.pick(this.tried)
    if (this.tried < 0) return this.fail(code)
    this.attempts++
    const server = balancer.servers[this.tried]!
    this.serverName = server.plan.address
    const times = { dialTimeoutMs: balancer.transport.dialTimeoutMs, dnsRefreshMs: DNS_REFRESH_MS }
    this.dialling = new Dial(server.address, times, this.context, this.server, (socket, fault) =>
      this.dialled(server, socket, fault),
    )
    this.dialling.start()
  }

  private dialled(server: TcpServer, socket: Socket | null, fault: string): void {
    this.dialling = null
    // A server that could not be reached has seen nothing of the client: another one may, once.
    if (socket === null && this.attempts === 1 && fault !== 'TIMEOUT')
      return this.dial(codeOf(fault))
    if (socket === null) return this.fail(codeOf(fault))
    socket.noDelay()
    this.writeProxyHeader(socket)
    if (server.tls === null) return this.connected(socket)
    this.shaking = server.tls.secure(socket, null, (secured, code) => {
      this.shaking = null
      if (this.state === CLOSED) secured?.close()
      else if (secured === null) this.fail(code)
      else this.connected(secured)
    })
  }

  private writeProxyHeader(socket: Socket): void {
    const version = this.balancer!.proxyProtocol
    if (version === 0) return
    const { clientAddress, clientPort, localAddress, localPort } = this.facts
    const header = proxyHeader(version, {
      sourceAddress: clientAddress,
      sourcePort: clientPort,
      destinationAddress: localAddress,
      destinationPort: localPort,
    })
    socket.writeBytes(header)
  }

  // A Postgres client was told 'S' by us; a server that is to see its ClientHello must say the same to us.
  private connected(socket: Socket): void {
    socket.owner = this.server
    this.server.socket = socket
    this.context.upstreamConnections(1)
    if (!this.facts.postgres || this.router.tls !== 'passthrough') return this.begin()
    this.client.socket!.pause()
    this.state = NEGOTIATING
    this.server.socket!.writeBytes(SSL_REQUEST)
    this.server.socket!.resume()
  }

  early(side: RelaySide, bytes: Buffer, length: number): void {
    if (side === this.client) return this.keep(bytes, length)
    if (this.state !== NEGOTIATING) return
    // More than the one byte would be data in clear before the handshake (CVE-2021-23222).
    if (length !== 1 || bytes[0] !== SSL_YES) return this.fail(UPSTREAM_MALFORMED)
    this.begin()
  }

  private keep(bytes: Buffer, length: number): void {
    this.first.append(bytes, 0, length)
    if (this.first.length >= EARLY_BYTES_MAX) this.client.socket!.pause()
  }

  // From here on nothing is parsed.
  private begin(): void {
    this.state = OPEN
    this.activeAt = this.now()
    const client = this.client.socket!
    const server = this.server.socket!
    const { bytes, length } = this.first
    if (length > 0) {
      this.client.count(length)
      server.writeBytes(bytes.subarray(0, length))
    }
    this.first.release() // the bytes are the server's socket's now
    if (this.client.hasEnded) server.end()
    else if (server.heldBytes < this.heldBytesMax) client.resume()
    else client.pause()
    server.resume()
  }

  // ---- told by the sides

  ended(): void {
    if (this.state === NEGOTIATING) this.fail(UPSTREAM_RESET)
    else this.closeIfDone()
  }

  wrote(): void {
    this.closeIfDone()
  }

  // The socket of `side` is closed already.
  gone(side: RelaySide, reason: string): void {
    if (side === this.server) this.context.countError(UPSTREAM_RESET)
    this.close(`${side === this.client ? 'client' : 'server'} failed: ${reason}`, true)
  }

  private closeIfDone(): void {
    if (this.state !== OPEN || !this.client.hasEnded || !this.server.hasEnded) return
    if (!this.client.held && !this.server.held) this.close('both ended', false)
  }

  // ---- time

  onTick(now: number): void {
    if (this.state === NEGOTIATING) return this.checkNegotiation(now)
    if (this.state !== OPEN) return // a dial has its own time
    const { writeStallTimeoutMs } = this.point.times
    if (this.client.isStalled(now, writeStallTimeoutMs)) return this.stalled(WRITE_TIMEOUT)
    if (this.server.isStalled(now, writeStallTimeoutMs)) return this.stalled(UPSTREAM_STALL)
    if (this.client.held || this.server.held) return
    const quiet = now - this.activeAt
    // Without a delay a half that was left open is idle, and asked after, as any other connection.
    const hasDelay = this.balancer!.plan.terminationDelayMs >= 0
    if (hasDelay && this.client.hasEnded !== this.server.hasEnded) return this.checkTermination(now)
    const { idleTimeoutMs } = this.balancer!.transport
    if (idleTimeoutMs > 0 && quiet > idleTimeoutMs) return this.close('idleTimeout', false)
    if (quiet > SETTLE_AFTER_MS) this.settle()
  }

  private checkNegotiation(now: number): void {
    const { dialTimeoutMs } = this.balancer!.transport
    if (dialTimeoutMs > 0 && now - this.activeAt > dialTimeoutMs) this.fail(UPSTREAM_DIAL_TIMEOUT)
  }

  // Traefik's delay is from the end of one side to the end of all; ours begins again with every byte, so that a
  // long answer to a client that has half-closed is not cut.
  // It is counted from the first tick that finds nothing new: after a turn of the event loop that took long, a tick comes before
  // what has arrived meanwhile is read, and activeAt would be old without anybody having been quiet.
  private checkTermination(now: number): void {
    if (this.activeAt !== this.activeBefore) {
      this.activeBefore = this.activeAt
      this.quietFrom = now
      return
    }
    const delay = this.balancer!.plan.terminationDelayMs
    if (now - this.quietFrom > delay) this.close('terminationDelay', false)
  }

  private settle(): void {
    this.client.socket!.settle()
    const { dialKeepAliveMs } = this.balancer!.transport
    if (dialKeepAliveMs < 0) this.server.socket!.disown()
    else if (dialKeepAliveMs === 0) this.server.socket!.settle()
    else this.server.socket!.settle(Math.ceil(dialKeepAliveMs / 1000))
  }

  private stalled(code: number): void {
    this.context.countError(code)
    this.close(code === WRITE_TIMEOUT ? 'client does not read' : 'server does not read', true)
  }

  // The process ends (drain.ts). A connection on which nothing moves loses nothing.
  cut(): number {
    const isBusy = this.client.held || this.server.held || this.now() - this.activeAt < QUIET_MS
    this.close('shutdown', isBusy)
    return isBusy ? 1 : 0
  }

  abandon(): void {
    this.close('defect', true)
  }

  // ---- the end

  // Nothing has passed yet. A plain close: the client learns that there is nobody.
  private fail(code: number): void {
    this.context.countError(code)
    this.close(errorTable[code]!.name, false)
  }

  private tell(why: string): void {
    const seconds = ((this.now() - this.startedAt) / 1000).toFixed(1)
    const passed = `${this.client.bytes} bytes there, ${this.server.bytes} back, ${seconds} s: ${why}`
    const message = storyOf(this.router, this.point, this.facts, this.serverName, passed)
    this.context.say({ type: 'debug', message })
  }

  private close(why: string, broken: boolean): void {
    if (this.state === CLOSED) return
    this.state = CLOSED
    this.dialling?.cancel()
    this.shaking?.close()
    this.first.release()
    if (this.context.plan.debug) this.tell(why)
    const client = this.client.socket!
    const server = this.server.socket
    if (broken) client.reset()
    else client.close()
    if (server !== null) {
      if (broken) server.reset()
      else server.close()
      this.context.upstreamConnections(-1)
    }
    this.router.leave(this.facts.clientAddress)
    this.point.connectionClosed(this)
  }
}

// 'tcp db@file on pg: 192.0.2.7:4711 to 10.0.0.7:5432, 120 bytes there, 4711 back, 1.2 s: both ended'
function storyOf(
  router: LiveTcpRouter,
  point: EntryPoint,
  facts: TcpConnectionFacts,
  to: string,
  passed: string,
): string {
  const from = `${facts.clientAddress}:${facts.clientPort}`
  return `tcp ${router.name} on ${point.name}: ${from} to ${to === '' ? 'nobody' : to}, ${passed}`
}

function codeOf(fault: string): number {
  if (fault === 'TIMEOUT') return UPSTREAM_DIAL_TIMEOUT
  if (fault === 'DNS') return UPSTREAM_DNS
  return UPSTREAM_REFUSED
}

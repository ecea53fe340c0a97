// workers/udp/listener.ts: one UDP entry point of one worker: its socket and the sessions of its clients.
//
// Owner:  the worker. Hot: onDatagram, once per datagram of a client.
//
// Every worker has a socket on the address, and the kernel chooses among them by the addresses and ports of both
// ends: a client's datagrams reach the same worker as long as the set of sockets is the same. It changes when a
// worker is replaced or another process joins in (an upgrade): some clients then meet another worker, which begins
// a session of its own; the server sees them with another port. Answers to the session before still reach its
// client, since any of the sockets may send from the address.

import type { Buffer } from 'node:buffer'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { REQUESTS } from '../../core/shared/series.ts'
import { timerMs } from '../../core/timer-ms.ts'
import type { WorkerContext } from '../context.ts'
import type { UdpEntryPointPlan } from '../messages.ts'
import { UdpSession } from './session.ts'
import { UdpSocket, isWide, type UdpOwner } from './socket.ts'

// Of one entry point and worker; each is a file descriptor. One more client is not served, since those that are
// would be lost otherwise.
const SESSIONS_MAX = 4096

export type DropReason =
  | 'no_router'
  | 'no_server'
  | 'sessions_max'
  | 'descriptors'
  | 'unreachable'
  | 'send'

export class UdpListener implements UdpOwner {
  readonly plan: UdpEntryPointPlan
  readonly context: WorkerContext
  private readonly index: number
  private readonly sessionsMax: number
  private readonly sessions = new Map<string, UdpSession>() // by address and port of the client
  private readonly openBlock: number
  private readonly dropBlocks = new Map<DropReason, number>()
  private socket: UdpSocket | null = null
  private onEmpty: (() => void) | null = null

  constructor(
    plan: UdpEntryPointPlan,
    index: number,
    context: WorkerContext,
    sessionsMax = SESSIONS_MAX,
  ) {
    this.plan = plan
    this.index = index
    this.context = context
    this.sessionsMax = sessionsMax
    const labels = { entrypoint: plan.name, protocol: 'UDP' }
    this.openBlock = context.series.give({ family: 'open_connections', labels })
  }

  async listen(): Promise<void> {
    const { host, port } = this.plan
    const address = host === '' || isIP(host) !== 0 ? host : (await lookup(host)).address
    const fault = address === '' ? this.bindAll(port) : this.bind(address, port)
    if (fault !== '') throw new Error(`listen ${fault}: address ${host}:${port}/udp`)
  }

  // All addresses of both families; of IPv4 alone where there is no IPv6.
  private bindAll(port: number): string {
    return this.bind('::', port) === '' ? '' : this.bind('0.0.0.0', port)
  }

  private bind(address: string, port: number): string {
    const socket = new UdpSocket(this, isWide(address))
    const fault = socket.bind(address, port)
    if (fault === '') this.socket = socket
    else socket.close()
    return fault
  }

  get port(): number {
    return this.socket === null ? 0 : this.socket.port
  }

  get size(): number {
    return this.sessions.size
  }

  // ---- datagrams

  onDatagram(bytes: Buffer, address: string, port: number): void {
    const key = `${address} ${port}`
    const session = this.sessions.get(key)
    if (session === undefined) this.begin(key, bytes, address, port)
    else session.forward(bytes)
  }

  private begin(key: string, bytes: Buffer, address: string, port: number): void {
    this.context.adoptIfNew()
    const router = this.context.generation.udp[this.index] ?? null
    if (router === null) return this.drop('no_router', 1)
    if (this.sessions.size >= this.sessionsMax) return this.drop('sessions_max', 1)
    const server = router.service.pick()
    if (server === null) return this.drop('no_server', 1)
    const counters = router.countersOf(this.plan.name, server.service, this.context)
    const session = new UdpSession(this, key, address, port, counters)
    this.sessions.set(key, session)
    this.context.sweeper.add(session)
    this.context.series.add(this.openBlock, REQUESTS, 1)
    this.context.series.add(counters.sessions, REQUESTS, 1)
    session.forward(bytes)
    session.start(server)
  }

  reply(bytes: Buffer, address: string, port: number): boolean {
    return this.socket !== null && this.socket.send(bytes, address, port)
  }

  // A datagram to a client could not be delivered; UDP promises no more.
  onFault(_reason: string): void {
    this.drop('send', 1)
  }

  drop(reason: DropReason, count: number): void {
    let block = this.dropBlocks.get(reason)
    if (block === undefined) {
      const labels = { entrypoint: this.plan.name, reason }
      block = this.context.series.give({ family: 'sluice_udp_dropped_datagrams_total', labels })
      this.dropBlocks.set(reason, block)
    }
    this.context.series.add(block, REQUESTS, count)
  }

  ended(session: UdpSession): void {
    if (this.sessions.get(session.key) !== session) return
    this.sessions.delete(session.key)
    this.context.sweeper.remove(session)
    this.context.series.add(this.openBlock, REQUESTS, -1)
    if (this.sessions.size === 0) this.onEmpty?.()
  }

  // ---- the end

  // The process ends. The socket stays while sessions do: without it answers could not be sent, and the kernel
  // would go on to send it new clients, which therefore are served too. Resolves when no session is left, or
  // after its grace; then the rest is closed.
  async drain(): Promise<void> {
    const graceMs = this.plan.acceptGraceMs + this.plan.graceMs
    if (this.sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.onEmpty = resolve
      const timer = setTimeout(resolve, timerMs(graceMs))
      await promise
      clearTimeout(timer)
    }
    this.close()
  }

  close(): void {
    this.onEmpty = null
    this.socket?.close()
    this.socket = null
    for (const session of this.sessions.values()) session.close()
  }
}

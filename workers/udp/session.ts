// workers/udp/session.ts: one client of a UDP entry point: its datagrams go to one server, and answers come back.
//
// Owner:  its UdpListener, which finds it by the client's address and port. It ends when nothing has passed in
//         either direction for udp.timeout, or when its server is not there.
// Hot:    onDatagram and forward, once per datagram.
//
// Each session has a socket of its own: the server tells clients apart by its port, and what comes back on it can
// be for nobody else. A reload changes nothing here; the next session is served by the new configuration.

import type { Buffer } from 'node:buffer'
import { REQUESTS } from '../../core/shared/series.ts'
import type { Swept } from '../sweeper.ts'
import type { UdpListener } from './listener.ts'
import type { UdpCounters, UdpServer } from './service.ts'
import { UdpSocket, isWide, type UdpOwner } from './socket.ts'

const WAITING_MAX = 16 // datagrams that wait for the server's name to be resolved
const DNS_REFRESH_MS = 30_000

export class UdpSession implements Swept, UdpOwner {
  sweepIndex = -1
  readonly key: string
  private readonly listener: UdpListener
  private readonly address: string // of the client
  private readonly port: number
  private readonly counters: UdpCounters
  private activeAt: number
  private socket: UdpSocket | null = null
  private waiting: Buffer[] = []
  private closed = false

  constructor(
    listener: UdpListener,
    key: string,
    address: string,
    port: number,
    counters: UdpCounters,
  ) {
    this.listener = listener
    this.key = key
    this.address = address
    this.port = port
    this.counters = counters
    this.activeAt = listener.context.sweeper.now
  }

  start(server: UdpServer): void {
    const { names, sweeper } = this.listener.context
    names.resolve(server.host, DNS_REFRESH_MS, sweeper.now, (addresses) => {
      if (!this.closed) this.connect(addresses[0] ?? '', server.port)
    })
  }

  private connect(address: string, port: number): void {
    const socket = new UdpSocket(this, isWide(address))
    const fault = address === '' ? 'DNS' : socket.connect(address, port)
    const hasRoom = this.listener.context.hasRoomFor(socket.descriptor)
    if (fault !== '' || !hasRoom) {
      socket.close()
      this.listener.drop(hasRoom ? 'unreachable' : 'descriptors', this.waiting.length)
      return this.close()
    }
    this.socket = socket
    const { waiting } = this
    this.waiting = []
    for (const bytes of waiting) this.forward(bytes)
  }

  // From the client.
  forward(bytes: Buffer): void {
    this.activeAt = this.listener.context.sweeper.now
    if (this.socket === null) {
      if (this.waiting.length < WAITING_MAX) this.waiting.push(bytes)
      else this.listener.drop('send', 1)
      return
    }
    if (this.socket.sendOn(bytes)) this.count(this.counters.received)
    else if (!this.closed && this.socket.wasRefused) this.beginAnew(bytes)
    else this.listener.drop('send', 1)
  }

  // From the server; the socket is connected, so from nobody else.
  onDatagram(bytes: Buffer): void {
    this.activeAt = this.listener.context.sweeper.now
    if (this.listener.reply(bytes, this.address, this.port)) this.count(this.counters.sent)
    else this.listener.drop('send', 1)
  }

  // The server's machine says that nobody listens there. The next datagram begins a session anew, which has the
  // next server.
  onFault(_reason: string): void {
    this.listener.drop('unreachable', 1)
    this.close()
  }

  // The kernel tells once that nobody listens, and to whoever comes first. That is a send, where a datagram follows the
  // refused one before we have read: clients that send pairs would stay with a dead server as long as they do.
  private beginAnew(bytes: Buffer): void {
    this.onFault('ECONNREFUSED')
    this.listener.onDatagram(bytes, this.address, this.port)
  }

  private count(block: number): void {
    this.listener.context.series.add(block, REQUESTS, 1)
  }

  onTick(now: number): void {
    if (now - this.activeAt > this.listener.plan.timeoutMs) this.close()
  }

  abandon(): void {
    this.close()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.socket?.close()
    this.waiting = []
    this.listener.ended(this)
  }
}

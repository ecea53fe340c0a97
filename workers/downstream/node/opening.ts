// workers/downstream/node/opening.ts: a connection of which is not known yet whose it is: its first bytes tell.
//
// Owner:  itself, from accept until it is handed over; counted as a connection of the entry point all the while.
// Memory: what has come, HELLO_RAW_BYTES_MAX at the most. Hot: no, once per connection.
//
//   PROXY header?  ->  Postgres?  ->  TLS hello  ->  ACME challenge, HTTPS router, TCP router   (opening-tls.ts)
//   (trusted peers)        |               '---->  anything else: TCP router, else HTTP, which knows its preface of 2
//                          '--> "S", and on with TLS
//
// The order is that of traefik.md 2.5. The whole opening, handshake included, must be over within headerTimeout.

import { Buffer } from 'node:buffer'
import {
  HEADER_TIMEOUT,
  OPENING_INVALID,
  SHED_CONNECTIONS,
  TLS_TIMEOUT,
} from '../../../core/errors.ts'
import {
  NEED_MORE,
  POSTGRES_GSS,
  POSTGRES_REQUEST_BYTES,
  POSTGRES_SSL,
  TLS,
  tellFirstBytes,
} from '../../../core/first-bytes.ts'
import * as proxy from '../../../core/proxy-protocol/header.ts'
import { readProxyHeader } from '../../../core/proxy-protocol/read.ts'
import {
  ClientHelloReader,
  INVALID,
  NEED_MORE as HELLO_NEEDS_MORE,
  NOT_TLS,
} from '../../../core/tls/client-hello.ts'
import type { EntryPoint } from '../../entry-point.ts'
import { HeadBuffer } from '../../head-buffer.ts'
import type { Socket, SocketOwner } from '../../socket.ts'
import type { Swept } from '../../sweeper.ts'
import type { TcpConnectionFacts } from '../../tcp/facts.ts'
import type { LiveTcpRouter } from '../../tcp/router.ts'
import { serveTcp } from '../../tcp/serve.ts'
import type { Entrance } from '../../tls/build.ts'
import { Connection } from './connection.ts'
import { dispatchTls } from './opening-tls.ts'

const DRAIN_IDLE_MS = 1000 // as for an HTTP connection without a request
const POSTGRES_YES = 'S'
const POSTGRES_NO = 'N'
const nothing = Buffer.alloc(0)

export function openConnection(socket: Socket, point: EntryPoint, entrance: Entrance): void {
  const opening = new Opening(socket, point, entrance)
  if (point.connectionOpened(opening)) return opening.begin()
  point.context.countError(SHED_CONNECTIONS)
  socket.close()
}

export class Opening implements SocketOwner, Swept {
  sweepIndex = -1
  socket: Socket // another one once TLS has begun
  isShaking = false // TLS has begun
  readonly point: EntryPoint
  readonly entrance: Entrance
  postgres = false // it was told that TLS may begin
  private readonly bornAt: number
  private readonly bytes = new HeadBuffer()
  private hello: ClientHelloReader | null = null
  private hasSpoken = false
  private mayBeProxied: boolean // a PROXY header may come first
  private over = false // handed over, or closed

  constructor(socket: Socket, point: EntryPoint, entrance: Entrance) {
    this.socket = socket
    this.point = point
    this.entrance = entrance
    this.bornAt = point.context.sweeper.now
    this.mayBeProxied = entrance.proxy && point.trustsProxy(this.peer().address)
    socket.owner = this
  }

  begin(): void {
    this.socket.noDelay()
    if (!this.mayBeProxied && this.takesBlindly()) return
    this.socket.resume()
  }

  // ---- bytes

  onBytes(bytes: Buffer, length: number): void {
    this.hasSpoken = true
    this.bytes.append(bytes, 0, length)
    this.look()
  }

  private look(): void {
    if (this.mayBeProxied && !this.readProxy()) return
    const { bytes, length } = this.bytes
    if (length === 0) return
    const kind = tellFirstBytes(bytes, length)
    if (kind === NEED_MORE) return
    const { https, tcpTls } = this.entrance
    if (kind === TLS && (https || tcpTls)) return this.readHello()
    if ((kind === POSTGRES_SSL || kind === POSTGRES_GSS) && tcpTls) return this.answerPostgres(kind)
    this.takeClear()
  }

  // True: there was one, or none will come.
  private readProxy(): boolean {
    const { bytes, length } = this.bytes
    const reading = readProxyHeader(bytes, length)
    if (reading === proxy.NEED_MORE) return false
    this.mayBeProxied = false
    if (reading === proxy.NOT_PROXY) return true
    if (proxy.isBadHeader(reading)) {
      this.refuse(OPENING_INVALID)
      return false
    }
    const { sourceAddress, sourcePort, destinationAddress, destinationPort, family } = reading
    // Otherwise the proxy speaks for itself, or for a client that has no address of the network.
    if (family === 'ipv4' || family === 'ipv6')
      this.socket.presented = {
        address: sourceAddress,
        port: sourcePort,
        localAddress: destinationAddress,
        localPort: destinationPort,
      }
    this.drop(reading.bytes)
    return !this.takesBlindly()
  }

  private drop(count: number): void {
    const { bytes, length } = this.bytes
    bytes.copyWithin(0, count, length)
    this.bytes.length = length - count
  }

  // RFC-less, but documented: an SSLRequest is answered by one byte, then TLS begins (PostgreSQL, section 53.2.9).
  private answerPostgres(kind: number): void {
    if (this.bytes.length > POSTGRES_REQUEST_BYTES) return this.refuse(OPENING_INVALID) // CVE-2021-23222
    this.drop(POSTGRES_REQUEST_BYTES)
    this.postgres = kind === POSTGRES_SSL
    this.socket.writeText(this.postgres ? POSTGRES_YES : POSTGRES_NO)
  }

  private readHello(): void {
    this.hello ??= new ClientHelloReader()
    const { bytes, length } = this.bytes
    const hello = this.hello.read(bytes, length)
    if (hello === HELLO_NEEDS_MORE) return
    if (hello === INVALID) return this.refuse(OPENING_INVALID)
    if (hello === NOT_TLS) return this.takeClear()
    dispatchTls(this, hello, bytes.subarray(0, length))
    this.bytes.release()
  }

  // ---- clear text

  // Where no TLS is spoken a TCP router needs no bytes to know its connections: servers that speak first.
  private takesBlindly(): boolean {
    const { tcpClear, tcpTls, https } = this.entrance
    if (!tcpClear || tcpTls || https) return false
    const facts = this.facts(false, '', [])
    const router = this.tcpRouter(facts)
    if (router !== null) this.passToTcp(this.socket, router, facts, this.rest())
    return router !== null
  }

  private takeClear(): void {
    const facts = this.facts(false, '', [])
    const router = this.entrance.tcpClear && !this.postgres ? this.tcpRouter(facts) : null
    if (router !== null) return this.passToTcp(this.socket, router, facts, this.rest())
    if (this.postgres) return this.refuse(OPENING_INVALID)
    const { point, socket } = this
    const rest = this.rest()
    this.over = true
    const connection = new Connection(socket, point, null, point.context.sweeper.now)
    point.connectionChanged(this, connection)
    if (rest.length > 0) connection.onBytes(rest, rest.length)
  }

  private rest(): Buffer {
    const { bytes, length } = this.bytes
    return length === 0 ? nothing : bytes.subarray(0, length)
  }

  tcpRouter(facts: TcpConnectionFacts): LiveTcpRouter | null {
    return this.point.context.generation.tcp[this.point.index]?.match(facts) ?? null
  }

  facts(isTls: boolean, sni: string, alpn: readonly string[]): TcpConnectionFacts {
    const { address, port } = this.peer()
    const local: { address?: string; port?: number } = {}
    this.socket.local(local)
    return {
      isTls,
      sni,
      alpn,
      clientAddress: address,
      clientPort: port,
      localAddress: unmapped(local.address ?? ''),
      localPort: local.port ?? 0,
      postgres: this.postgres,
    }
  }

  private peer(): { address: string; port: number } {
    const peer: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    return { address: unmapped(peer.address ?? ''), port: peer.port ?? 0 }
  }

  // ---- handing over, and endings

  passToTcp(socket: Socket, router: LiveTcpRouter, facts: TcpConnectionFacts, first: Buffer): void {
    this.handOver(() => serveTcp(socket, first, router, this.point, facts))
  }

  // To somebody who counts the connection anew. While draining, the count must not touch zero in between: the worker
  // would take that for its end.
  handOver(begin: () => void): void {
    const { point } = this
    this.over = true
    point.context.sweeper.remove(this)
    if (point.draining) {
      begin()
      point.connectionLeft()
    } else {
      point.connectionLeft()
      begin()
    }
  }

  toHttp(connection: Connection): void {
    this.over = true
    this.point.connectionChanged(this, connection)
  }

  refuse(code: number): void {
    if (this.over) return
    this.point.context.countError(code)
    this.close()
  }

  close(): void {
    if (this.over) return
    this.over = true
    this.socket.close()
    this.bytes.release()
    this.point.connectionClosed(this)
  }

  onEnd(): void {
    if (this.over) return
    // Too short for anything but HTTP or TCP, which know what to do with a half.
    const undecided = this.bytes.length > 0 && this.hello === null && !this.mayBeProxied
    if (!undecided || this.postgres) return this.close()
    this.takeClear()
    this.socket.owner?.onEnd()
  }

  onGone(): void {
    this.close()
  }

  onWritable(): void {}

  onTick(now: number): void {
    const { headerTimeoutMs } = this.point.times
    const age = now - this.bornAt
    if (this.point.draining && !this.hasSpoken && age > DRAIN_IDLE_MS) return this.close()
    if (headerTimeoutMs === 0 || age <= headerTimeoutMs) return
    if (!this.hasSpoken) this.close()
    else this.refuse(this.isShaking ? TLS_TIMEOUT : HEADER_TIMEOUT)
  }

  abandon(): void {
    this.close()
  }

  cut(): number {
    this.close()
    return this.hasSpoken ? 1 : 0
  }
}

function unmapped(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

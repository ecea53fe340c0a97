// workers/upstream/h2-tunnel.ts: a WebSocket on a stream of HTTP/2 (RFC 8441), for servers that take it.
//
// Owner:  its H2Session. Hot: yes, once per frame of a WebSocket.
//
// The client has asked by the handshake of HTTP/1.1 (or h2 has made it look so), which ends here: the server sees
// an extended CONNECT without key, and its 200 becomes the 101 that the client's key calls for.

import { cryptoModule } from '../builtins.ts'
import type { Buffer } from 'node:buffer'
import { NONE, UPSTREAM_STALL } from '../../core/errors.ts'
import { METHOD_GET } from '../../core/exchange.ts'
import { readSwitch } from '../../core/h2/upstream-response.ts'
import type { Head } from '../../core/headers.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import { tunnelFromUpstream, tunnelUpstreamEnded } from '../tunnel.ts'
import type { H2Session } from './h2-session.ts'
import { H2Stream } from './h2-stream.ts'

const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455, section 1.3

// Whether the exchange asks for a WebSocket; other upgrades have no form in HTTP/2.
export function asksForWebSocket(exchange: LiveExchange): boolean {
  if (!exchange.wantsUpgrade || exchange.methodId !== METHOD_GET) return false
  return exchange.request.get('upgrade')?.toLowerCase() === 'websocket'
}

export class H2Tunnel extends H2Stream {
  private readonly key: string
  private switched = false
  private told = false // that the server has ended

  constructor(session: H2Session, id: number, exchange: LiveExchange, sendWindow: number) {
    super(session, id, exchange, false, sendWindow)
    this.key = exchange.request.get('sec-websocket-key') ?? ''
  }

  override takeFields(fields: readonly string[], ended: boolean): void {
    const exchange = this.exchange!
    const agrees = !this.gotHead && !ended && fields[1] === '200'
    if (!agrees || readSwitch(exchange, fields, this.accept()) !== NONE)
      return super.takeFields(fields, ended)
    this.activeAt = this.session.now
    this.gotHead = true
    this.switched = true
    pipeline.upstreamSwitched(exchange)
  }

  private accept(): string {
    return cryptoModule()
      .createHash('sha1')
      .update(this.key + KEY_SUFFIX)
      .digest('base64')
  }

  protected override pass(
    exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
  ): boolean {
    if (!this.switched) return super.pass(exchange, bytes, from, to)
    return tunnelFromUpstream(exchange, bytes, from, to)
  }

  protected override finish(exchange: LiveExchange, trailers: Head | null): void {
    if (!this.switched) return super.finish(exchange, trailers)
    if (this.told) return
    this.told = true
    tunnelUpstreamEnded(exchange)
  }

  override tunnelSend(bytes: Buffer, from: number, to: number): boolean {
    return this.exchange === null || this.sendBody(this.exchange, bytes, from, to, false)
  }

  override tunnelEnd(): void {
    if (this.exchange !== null) this.sendEnd(this.exchange, null)
  }

  protected override get hasAsked(): boolean {
    return true
  }

  // Nobody can say how long a WebSocket may be silent, but a server that takes nothing has its client paused, and who is
  // paused leaves without being heard.
  override onTick(now: number): void {
    if (!this.switched) return super.onTick(now)
    const { exchange } = this
    const { stallTimeoutMs } = this.session.pool.server.transport
    if (exchange === null || !this.hasPending || stallTimeoutMs === 0) return
    if (now - this.activeAt > stallTimeoutMs) this.giveUp(exchange, UPSTREAM_STALL)
  }
}

// workers/upstream/h1.ts: one HTTP/1.1 connection to a server: sends a request, reads its response.
//
// Owner:  its Server (pool). It belongs to an exchange only between begin() and the end of the response.
// Hot:    yes.
//
//             dialled            begin             end of response, clean
//   DIALING ----------> IDLE ----------> BUSY ------------------------------> IDLE
//      |                  |                |
//      '------------------'----------------'----> CLOSED     (anything that is not clean)
//
// The socket is open exactly in IDLE and BUSY. A byte in IDLE, or behind a response, closes the connection:
// response queue poisoning begins with such a byte (CVE-2026-6733). With coalescing the exchanges behind
// the first one wait in `queue`, and bytes behind a response are the next response; see coalesce.ts.

import { Buffer } from 'node:buffer'
import { UPSTREAM_HEADER_TIMEOUT, UPSTREAM_RESET, UPSTREAM_STALL } from '../../core/errors.ts'
import { BODY_CHUNKED, hasRequestBody } from '../../core/exchange.ts'
import type { Head } from '../../core/headers.ts'
import { chunkHead, lastChunk } from '../../core/h1/write.ts'
import { type LiveExchange, leaseGhost } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import { tunnelUpstreamEnded } from '../tunnel.ts'

import { BUSY, CLOSED, IDLE, IN_CHUNKS, IN_HEAD, IN_LENGTH, IN_TUNNEL, TO_CLOSE } from './phases.ts'
import type { UpstreamConnection } from './contract.ts'
import { ResponseReader } from './response-reader.ts'

const TEXT_MAX = 8 * 1024 // smaller bodies travel as text with the head: one write, no Buffer object
const DISCARD_MAX = 64 * 1024 // a longer body costs more to read than a new connection
const DISCARD_MS = 2000 // and one that takes longer holds up more than it is worth
const ENDING_MAX_MS = 60_000 // in which a server takes none of the last bytes of a tunnel
const DISOWN_AFTER_MS = 5000 // an idle connection gives its own read buffer back

export class H1Connection extends ResponseReader implements UpstreamConnection {
  private ending = false // of a tunnel: closes once its last bytes are written

  get isBlocked(): boolean {
    return this.blocked
  }

  // Sends the head of the exchange's request. A request without body goes out at once, one with a body
  // waits for its first bytes, and a coalesced one for the end of the turn.
  begin(exchange: LiveExchange, head: string, defer: boolean): void {
    this.activeAt = this.server.context.sweeper.now
    if (this.state === BUSY) {
      this.queue!.push(exchange)
    } else {
      this.state = BUSY
      this.exchange = exchange
      this.beginResponse()
    }
    exchange.upstream = this
    this.requestDone = !hasRequestBody(exchange) && !exchange.wantsUpgrade
    if (defer || !this.requestDone) this.out += head
    else this.socket!.writeText(head)
    if (exchange.wantsUpgrade) this.flush()
  }

  protected beginResponse(): void {
    const { sweeper } = this.server.context
    this.askedAt = sweeper.now
    if (this.queue !== null) this.dueFrom = sweeper.turnNow()
    this.phase = IN_HEAD
    this.informational = 0
    this.gotBytes = false
    this.blocked = false
  }

  // False: no more until pipeline.upstreamWritable.
  sendBody(
    exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): boolean {
    const socket = this.socket
    if (socket === null || to === from) return true
    this.activeAt = this.server.context.sweeper.now
    const chunked = exchange.bodyKind === BODY_CHUNKED
    const length = to - from
    if (length <= TEXT_MAX) {
      const text = bytes.latin1Slice(from, to)
      this.out += chunked ? chunkHead(length) + text + '\r\n' : text
      return socket.held === 0
    }
    const before = chunked ? this.out + chunkHead(length) : this.out
    this.out = ''
    const slice = bytes.subarray(from, to)
    return socket.writeParts(before, owned ? slice : Buffer.from(slice), chunked ? '\r\n' : '')
  }

  sendEnd(exchange: LiveExchange, trailers: Head | null): void {
    if (exchange.bodyKind === BODY_CHUNKED) {
      this.out += lastChunk(trailers)
    }
    this.requestDone = true
    this.askedAt = this.server.context.sweeper.now
    this.flush()
  }

  // Requests on a shared connection wait for the end of the turn, whatever the engines of their clients say.
  flush(): void {
    if (this.queue === null) this.writeOut()
  }

  writeOut(): void {
    if (this.out === '' || this.socket === null) return
    const out = this.out
    this.out = ''
    this.socket.writeText(out)
  }

  protected block(owned: boolean): void {
    if (this.socket === null || this.state === CLOSED) return
    this.blocked = true
    this.socket.lent = owned
    this.socket.pause()
    if (this.queue !== null && this.queue.length > 0) this.sendWaiting()
  }

  // The client of the current response can take more. Others that wait here have no say: the slow one's write
  // may still read our buffer.
  resume(exchange: LiveExchange): void {
    if (!this.blocked || this.socket === null || this.exchange !== exchange) return
    this.blocked = false
    this.activeAt = this.server.context.sweeper.now
    this.socket.lent = false
    this.socket.resume()
  }

  // The response is whole. The connection is given back before the client hears of it, so that its next
  // request finds it idle.
  protected end(exchange: LiveExchange, trailers: Head | null): void {
    this.phase = IN_HEAD
    this.served++
    exchange.upstream = null
    this.advance()
    pipeline.upstreamEnd(exchange, trailers)
  }

  protected advance(): void {
    const next = this.queue !== null && this.queue.length > 0 ? this.queue.shift()! : null
    this.exchange = next
    if (!this.reusable || !this.requestDone || this.isWorn()) return this.closeAfterResponse()
    if (this.blocked) this.unblockForNext()
    this.beginResponse()
    if (next !== null) return
    this.state = IDLE
    this.server.giveBack(this)
  }

  // The slow client still reads our buffer: leave it to that write and read into another.
  protected unblockForNext(): void {
    this.blocked = false
    this.socket!.disown()
    this.socket!.lent = false
    this.socket!.resume()
  }

  protected isWorn(): boolean {
    const { lifetimeMs } = this.server.transport
    return lifetimeMs > 0 && this.server.context.sweeper.now - this.bornAt > lifetimeMs
  }

  // Exchanges that wait behind this response can only be sent elsewhere.
  protected closeAfterResponse(): void {
    const waiting = this.takeWaiting()
    if (waiting.length > 0) this.server.distrust()
    this.close()
    for (const exchange of waiting)
      this.failOne(exchange, UPSTREAM_RESET, pipeline.RETRY_IF_IDEMPOTENT)
  }

  onEnd(): void {
    const exchange = this.exchange
    if (exchange === null || this.state !== BUSY) return this.close()
    if (this.phase === IN_TUNNEL) return tunnelUpstreamEnded(exchange)
    if (this.phase !== TO_CLOSE) return this.fail(UPSTREAM_RESET)
    this.reusable = false
    this.end(exchange, null)
  }

  onGone(_reason: string): void {
    if (this.state === CLOSED) return
    // Nothing was under way: a server may end such a connection as it likes, also by a reset, and is trusted on.
    if (this.exchange === null) return this.close()
    this.fail(UPSTREAM_RESET)
  }

  onWritable(): void {
    const exchange = this.exchange
    if (exchange !== null) pipeline.upstreamWritable(exchange)
    else if (this.ending) this.close()
  }

  onTick(now: number): void {
    const { transport } = this.server
    const quiet = now - this.activeAt
    if (this.state === IDLE) {
      if (quiet > DISOWN_AFTER_MS) this.socket?.settle()
      if (transport.idleConnTimeoutMs > 0 && quiet > transport.idleConnTimeoutMs) this.close()
      return
    }
    if (this.ending) return this.checkEnding(now)
    if (this.phase === IN_TUNNEL) return this.checkTunnel(now)
    if (this.state !== BUSY || this.blocked) return
    if (this.isDiscardedTooLong(now)) return this.stopDiscarding()
    if (this.queue !== null && this.isTooSlowToShare(now, quiet)) this.sendElsewhere()
    if (this.phase !== IN_HEAD || this.isUploadHeld(now)) {
      if (transport.stallTimeoutMs > 0 && now - this.activeAt > transport.stallTimeoutMs)
        return this.fail(UPSTREAM_STALL)
    }
    if (this.phase === IN_HEAD && transport.responseHeaderTimeoutMs > 0 && this.hasAsked()) {
      // From the end of the request, not from the last byte: a head that trickles gets no more time.
      if (now - this.askedAt > transport.responseHeaderTimeoutMs) this.fail(UPSTREAM_HEADER_TIMEOUT)
    }
  }

  // Those behind an answer wait for all of it, however steadily it comes.
  private isTooSlowToShare(now: number, quiet: number): boolean {
    const ms = this.queue!.length > 0 ? now - this.dueFrom : quiet
    return this.server.coalescer!.isHanging(ms)
  }

  private hasAsked(): boolean {
    return this.requestDone || this.exchange!.wantsUpgrade
  }

  // Nobody can say how long a tunnel may be silent, but a server that does not read has its client paused, and who is
  // paused leaves without being heard.
  private checkTunnel(now: number): void {
    const { stallTimeoutMs } = this.server.transport
    if (this.state !== BUSY || this.exchange === null || !this.isUploadHeld(now)) return
    if (stallTimeoutMs > 0 && now - this.activeAt > stallTimeoutMs) this.fail(UPSTREAM_STALL)
  }

  private checkEnding(now: number): void {
    if (!this.isUploadHeld(now) || now - this.activeAt > ENDING_MAX_MS) this.close()
  }

  // The server does not read what the client has sent, all of it or a part. Bytes that leave our queue are progress.
  private isUploadHeld(now: number): boolean {
    if (this.socket === null || this.socket.held === 0) return false
    const held = this.socket.heldBytes
    if (held !== this.heldBefore) this.activeAt = now
    this.heldBefore = held
    return true
  }

  // ---- endings

  // The exchange no longer wants its response. Alone on the connection, it ends it: nobody knows how long
  // the rest would be. Among others a ghost takes its place and throws its response away.
  cancel(exchange: LiveExchange): void {
    exchange.upstream = null
    const alone = this.queue === null || this.queue.length === 0
    // A head that is half read can't be handed to a ghost: the parser has noted things in the exchange.
    const isCurrent = this.exchange === exchange
    const halfRead = isCurrent && this.parser !== null
    const endless = isCurrent && this.phase !== IN_HEAD && !this.isShort()
    if (!alone && !halfRead && !endless) return this.haunt(exchange)
    if (this.phase !== IN_TUNNEL || this.socket === null || this.socket.held === 0)
      return this.closeUnread()
    this.exchange = null
    this.ending = true // what the client sent last is still on its way
  }

  // The head was enough: the body is read to its end and thrown away, so that the connection can be kept.
  discardBody(exchange: LiveExchange): void {
    exchange.upstream = null
    if (!this.isShort() || !this.requestDone) return this.closeUnread()
    this.haunt(exchange)
  }

  // The rest of a body in chunks may have no end: it gets as many bytes as one with a length may have.
  private isShort(): boolean {
    return this.phase === IN_CHUNKS || (this.phase === IN_LENGTH && this.left <= DISCARD_MAX)
  }

  // From here on the body is a ghost's: bounded in bytes and time.
  protected beginDiscarding(): void {
    if (this.phase === IN_CHUNKS) this.left = DISCARD_MAX
    this.exchange!.startedAt = this.server.context.sweeper.now
    if (!this.isShort()) this.stopDiscarding()
  }

  private isDiscardedTooLong(now: number): boolean {
    const { downstream, startedAt } = this.exchange!
    return downstream === null && startedAt > 0 && now - startedAt > DISCARD_MS
  }

  protected stopDiscarding(): void {
    this.abandon()
  }

  // What is left of the response is not read. Nobody's fault: those who share the connection are asked anew, and the server
  // is trusted on.
  private closeUnread(): void {
    const waiting = this.takeWaiting()
    this.exchange = null
    this.close()
    for (const later of waiting) this.failOne(later, UPSTREAM_RESET, pipeline.RETRY_IF_IDEMPOTENT)
  }

  protected haunt(exchange: LiveExchange): void {
    const ghost = leaseGhost(exchange)
    ghost.upstream = this
    if (this.exchange !== exchange) {
      this.queue![this.queue!.indexOf(exchange)] = ghost
      return
    }
    this.exchange = ghost
    if (this.blocked) this.unblockForNext()
    if (this.phase !== IN_HEAD) this.beginDiscarding()
  }

  // The server is too slow for sharing: those who wait behind this response are asked anew, elsewhere.
  protected sendElsewhere(): void {
    this.server.distrust()
    this.sendWaiting()
  }

  // Their answers, which come all the same, go to ghosts.
  private sendWaiting(): void {
    for (const exchange of this.queue!.slice()) {
      if (exchange.downstream === null) continue // a ghost already
      this.haunt(exchange)
      this.failOne(exchange, UPSTREAM_RESET, pipeline.RETRY_IF_IDEMPOTENT)
    }
  }

  fail(code: number): void {
    const exchange = this.exchange
    // Only a connection that died: a server that is slow has the request already.
    const died = code === UPSTREAM_RESET && !this.gotBytes
    const clean = died && (this.served > 0 || this.queue !== null)
    const retry = clean ? pipeline.RETRY_IF_IDEMPOTENT : pipeline.RETRY_NEVER
    const waiting = this.takeWaiting()
    if (this.queue !== null) this.server.distrust()
    this.exchange = null
    this.close()
    if (exchange !== null) this.failOne(exchange, code, retry)
    for (const later of waiting) this.failOne(later, UPSTREAM_RESET, pipeline.RETRY_IF_IDEMPOTENT)
  }

  protected failOne(exchange: LiveExchange, code: number, retry: pipeline.RetryAnswer): void {
    exchange.upstream = null
    pipeline.upstreamFailed(exchange, code, retry)
  }

  protected takeWaiting(): LiveExchange[] {
    if (this.queue === null || this.queue.length === 0) return noExchanges
    return this.queue.splice(0)
  }

  abandon(): void {
    const exchange = this.exchange
    this.closeUnread()
    if (exchange !== null) this.failOne(exchange, UPSTREAM_RESET, pipeline.RETRY_NEVER)
  }

  close(): void {
    if (this.state === CLOSED) return
    this.state = CLOSED
    this.partial.release()
    this.parser = null
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.server.forget(this)
  }

  // ---- tunnel

  tunnelSend(bytes: Buffer, from: number, to: number): boolean {
    const socket = this.socket
    if (socket === null) return true
    this.activeAt = this.server.context.sweeper.now
    const length = to - from
    if (length <= TEXT_MAX) return socket.writeText(bytes.latin1Slice(from, to))
    return socket.writeBytes(Buffer.from(bytes.subarray(from, to)))
  }

  tunnelEnd(): void {
    this.socket?.end()
  }
}

const noExchanges: LiveExchange[] = []

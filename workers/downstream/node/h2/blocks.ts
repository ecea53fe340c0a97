// workers/downstream/node/h2/blocks.ts: header blocks of an HTTP/2 client: requests begin, trailers end them.
//
// Owner:  see base.ts.
// Hot:    yes.

import { cryptoModule } from '../../../builtins.ts'
import type { Buffer } from 'node:buffer'
import {
  H2_BLOCK,
  H2_COMPRESSION,
  H2_FRAMES,
  H2_HEAD,
  H2_LENGTH,
  H2_PROTOCOL,
  NONE,
  errorTable,
} from '../../../../core/errors.ts'
import { BODY_CHUNKED, BODY_NONE, SAW_UPGRADE } from '../../../../core/exchange.ts'
import {
  COMPRESSION_ERROR,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FRAME_SIZE_ERROR,
  HAS_PRIORITY,
  PADDED,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
  WINDOW_MAX,
} from '../../../../core/h2/frames.ts'
import { RequestHead } from '../../../../core/h2/request-head.ts'
import { RequestTrailers } from '../../../../core/h2/request-trailers.ts'
import { HeadBuffer } from '../../../head-buffer.ts'
import { type LiveExchange, leaseExchange } from '../../../live-exchange.ts'
import { H2Base } from './base.ts'
import type { H2Connection } from './connection.ts'
import { LINGER } from './phase.ts'
import { H2Stream } from './stream.ts'

const BLOCK_FRAMES_MAX = 64 // HEADERS and its CONTINUATIONs; five carry 64 KiB
const REFUSED_COST = 1
export const MALFORMED_COST = 5

const requestHead = new RequestHead()
const ignored = { field(): void {} }

// RFC 6455, section 4.1: what a server of HTTP/1 wants to see answered. Nobody else looks at it.
function webSocketKey(): string {
  return cryptoModule().randomBytes(16).toString('base64')
}

export abstract class H2Blocks extends H2Base {
  protected blockId = 0 // the stream whose CONTINUATION must be next; 0 for none
  private block: HeadBuffer | null = null // of a header block in several frames
  private blockEnds = false // END_STREAM
  private blockFrames = 0

  protected takeHeaders(): void {
    const { frames } = this
    const { flags, streamId, payload } = frames
    let { from, to } = frames
    if ((streamId & 1) === 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    if ((flags & PADDED) !== 0) {
      if (from === to) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
      to -= payload[from]!
      from++
    }
    let dependsOnItself = false
    if ((flags & HAS_PRIORITY) !== 0) {
      if (to - from < 5) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
      dependsOnItself = (payload.readUInt32BE(from) & WINDOW_MAX) === streamId
      from += 5
    }
    if (to < from || dependsOnItself) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    this.blockEnds = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) return this.takeBlock(streamId, payload, from, to)
    this.blockId = streamId
    this.blockFrames = 1
    this.block = new HeadBuffer()
    this.block.append(payload, from, to)
  }

  protected takeContinuation(): void {
    const { frames, block, blockId } = this
    if (blockId === 0 || block === null) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    block.append(frames.payload, frames.from, frames.to)
    this.blockFrames++
    const whole = (frames.flags & END_HEADERS) !== 0
    if (this.blockFrames > BLOCK_FRAMES_MAX || block.length > this.point.bounds.headBytesMax)
      return this.fail(H2_BLOCK, ENHANCE_YOUR_CALM)
    if (!whole) return
    this.blockId = 0
    this.block = null
    this.takeBlock(blockId, block.bytes, 0, block.length)
  }

  protected takeBlock(id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.streams.get(id)
    if (stream !== undefined) return this.takeTrailers(stream, bytes, from, to)
    if (id > this.finalId || (id <= this.lastId && this.resetIds.includes(id)))
      return this.skipBlock(bytes, from, to)
    if (id <= this.lastId) {
      const ended = this.closedIds.includes(id)
      return this.fail(H2_PROTOCOL, ended ? STREAM_CLOSED : PROTOCOL_ERROR)
    }
    this.lastId = id
    if (this.streams.size >= this.point.plan.http2.maxConcurrentStreams) {
      this.skipBlock(bytes, from, to)
      if (this.phase >= LINGER) return
      this.reset(id, REFUSED_STREAM)
      return this.spendReset(REFUSED_COST)
    }
    this.openStream(id, bytes, from, to)
  }

  // The decoder has to see every block, also one that nobody asked for; so there may not be too many of them.
  private skipBlock(bytes: Buffer, from: number, to: number): void {
    if (!this.decoder.decode(bytes, from, to, ignored))
      return this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
    if (!this.calm.spendFrame(1)) this.fail(H2_FRAMES, ENHANCE_YOUR_CALM)
  }

  private openStream(id: number, bytes: Buffer, from: number, to: number): void {
    const exchange = leaseExchange()
    requestHead.begin(exchange, this.point.bounds)
    const decoded = this.decoder.decode(bytes, from, to, requestHead)
    const code = requestHead.finish(webSocketKey)
    if (!decoded) {
      this.release(exchange)
      return this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
    }
    const ended = this.blockEnds
    const stream = new H2Stream(this as unknown as H2Connection, id, exchange, ended, this.activeAt)
    this.streams.set(id, stream)
    this.introduce(exchange, stream)
    if (code !== NONE) return this.refuseHead(stream, code)
    stream.isConnect = requestHead.isConnect
    if (!ended && !stream.isConnect && exchange.bodyKind === BODY_NONE)
      exchange.bodyKind = BODY_CHUNKED
    if (ended && exchange.bodyLength > 0) return this.failLength(stream)
    if (stream.isConnect && (ended || (exchange.facts & SAW_UPGRADE) === 0))
      return this.refuseHead(stream, H2_HEAD)
    this.fresh.push(stream)
  }

  private introduce(exchange: LiveExchange, stream: H2Stream): void {
    if (this.clientAddress === '') this.learnPeer()
    this.requests++
    exchange.downstream = stream
    exchange.arriveAt(this.point, this.tls)
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    exchange.http2 = true
  }

  protected learnPeer(): void {
    const peer: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    const address = peer.address ?? ''
    this.clientAddress = address.startsWith('::ffff:') ? address.slice(7) : address
    this.clientPort = peer.port ?? 0
  }

  // A malformed request is an error of its stream (RFC 9113, section 8.1.1); what HTTP/1 answers without closing
  // in anger (431, 501) is an answer here as well.
  private refuseHead(stream: H2Stream, code: number): void {
    const malformed = errorTable[code]!.status === 400
    this.spendReset(MALFORMED_COST)
    if (this.phase >= LINGER) return
    if (malformed) stream.fail(code, PROTOCOL_ERROR)
    else stream.refuse(code)
  }

  protected takeTrailers(stream: H2Stream, bytes: Buffer, from: number, to: number): void {
    const trailers = new RequestTrailers()
    trailers.begin()
    if (!this.decoder.decode(bytes, from, to, trailers))
      return this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
    if (!stream.remoteOpen) return this.fail(H2_PROTOCOL, STREAM_CLOSED)
    const code = this.blockEnds && !stream.isConnect ? trailers.finish() : H2_HEAD
    if (code !== NONE) {
      this.spendReset(MALFORMED_COST)
      if (this.phase < LINGER) stream.fail(code, PROTOCOL_ERROR)
    } else if (!stream.takeEnd(trailers.head)) this.failLength(stream)
  }

  protected failLength(stream: H2Stream): void {
    this.spendReset(MALFORMED_COST)
    if (this.phase < LINGER) stream.fail(H2_LENGTH, PROTOCOL_ERROR)
  }
}

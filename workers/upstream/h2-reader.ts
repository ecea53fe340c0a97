// workers/upstream/h2-reader.ts: the reading half of an HTTP/2 connection to a server: frames in, events out.
//
// Owner:  see h2-session.ts, which is the writing half and the same object; two files for two directions.
// Hot:    yes.
//
// A rule of the protocol that the server breaks ends the connection; a rule of HTTP that one response breaks ends
// its stream (RFC 9113, sections 5.4 and 8.1.1).

import type { Buffer } from 'node:buffer'
import { UPSTREAM_HEADERS_TOO_LARGE, UPSTREAM_MALFORMED } from '../../core/errors.ts'
import { Calm } from '../../core/h2/calm.ts'
import {
  ACK,
  COMPRESSION_ERROR,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME,
  FRAME_SIZE_ERROR,
  FrameReader,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  MORE,
  NO_ERROR,
  PADDED,
  PING,
  PROTOCOL_ERROR,
  RST_STREAM,
  SETTINGS,
  WINDOW_MAX,
  WINDOW_START,
  WINDOW_UPDATE,
} from '../../core/h2/frames.ts'
import { HpackDecoder } from '../../core/h2/hpack-decoder.ts'
import type { Field } from '../../core/h2/hpack-table.ts'
import { HTTP2_CONNECTION_BYTES, responseLimits } from '../../core/limits.ts'
import { HeadBuffer } from '../head-buffer.ts'
import type { SocketOwner } from '../socket.ts'
import type { H2Stream } from './h2-stream.ts'

const TABLE_BYTES = 4096 // HPACK's own default: nothing need be said of it
const BLOCK_BYTES_MAX = responseLimits.headBytesMax + 64 * 1024 // what is above the limit is still told apart
const BLOCK_FRAMES_MAX = 64
const SETTINGS_COST = 10

const MAX_CONCURRENT_STREAMS = 3
const INITIAL_WINDOW_SIZE = 4
const MAX_FRAME_SIZE = 5
const ENABLE_CONNECT_PROTOCOL = 8

// The fields of one block as a flat list. A block of references can stand for more than it holds: what is above
// the bound is counted only.
class FieldList {
  readonly fields: string[] = []
  overflow = false
  private bytes = 0

  clear(): void {
    this.fields.length = 0
    this.bytes = 0
    this.overflow = false
  }

  field(field: Field): void {
    this.bytes += field.size
    const countMax = 2 * (responseLimits.headerCountMax + 1)
    if (this.fields.length >= countMax || this.bytes > BLOCK_BYTES_MAX) this.overflow = true
    else this.fields.push(field.name.text, field.value)
  }
}

const list = new FieldList()

export abstract class H2Reader implements SocketOwner {
  readonly streams = new Map<number, H2Stream>()
  protected nextId = 1
  protected isClosed = false
  protected streamsMax = 0 // by the server's SETTINGS
  protected peerWindow = WINDOW_START // of a new stream
  protected sendWindow = WINDOW_START // of the connection
  protected gotSettings = false
  protected takesConnect = false // extended CONNECT (RFC 8441)
  protected readonly calm: Calm
  private readonly frames = new FrameReader()
  private readonly decoder = new HpackDecoder(TABLE_BYTES)
  private received = 0 // bytes of DATA that the server was not given back yet
  private blockId = 0 // the stream whose CONTINUATION must be next; 0 for none
  private block: HeadBuffer | null = null // of a header block in several frames
  private blockEnds = false // END_STREAM
  private blockFrames = 0
  private readonly touched: H2Stream[] = [] // their clients' connections hold bytes of this read back

  constructor(now: number) {
    this.calm = new Calm(now)
  }

  onBytes(bytes: Buffer, length: number): void {
    this.noteRead()
    const { frames } = this
    let at = 0
    while (at < length && !this.isClosed) {
      const event = frames.next(bytes, at, length)
      at = frames.pos
      if (event === FRAME) this.takeFrame()
      else if (event !== MORE) this.takePiece()
      else if (frames.error !== NO_ERROR) this.fail(frames.error)
    }
    this.flushTouched()
  }

  touch(stream: H2Stream): void {
    if (stream.touched) return
    stream.touched = true
    this.touched.push(stream)
  }

  // What streams have given their clients goes out once for the whole read.
  protected flushTouched(): void {
    for (let i = 0; i < this.touched.length; i++) this.touched[i]!.flushResponse()
    this.touched.length = 0
  }

  // ---- frames

  private takeFrame(): void {
    const { type, streamId, flags } = this.frames
    if (!this.gotSettings && (type !== SETTINGS || (flags & ACK) !== 0))
      return this.fail(PROTOCOL_ERROR) // RFC 9113, section 3.4
    if (this.blockId !== 0 && (type !== CONTINUATION || streamId !== this.blockId))
      return this.fail(PROTOCOL_ERROR)
    switch (type) {
      case HEADERS:
        return this.takeHeaders()
      case CONTINUATION:
        return this.takeContinuation()
      case RST_STREAM:
        return this.takeReset()
      case SETTINGS:
        return this.takeSettings()
      case PING:
        return this.takePing()
      case GOAWAY:
        return this.takeGoaway()
      case WINDOW_UPDATE:
        return this.takeWindowUpdate()
      default:
        this.spend(1) // PRIORITY, ALTSVC, ORIGIN and unknown ones
    }
  }

  private spend(cost: number): void {
    if (!this.calm.spendFrame(cost)) this.fail(ENHANCE_YOUR_CALM)
  }

  // A stream that we have not opened can't be spoken of.
  private isIdle(id: number): boolean {
    return (id & 1) === 0 || id >= this.nextId
  }

  private takePiece(): void {
    const { frames } = this
    const { streamId, from, to } = frames
    if (!this.gotSettings || this.blockId !== 0 || this.isIdle(streamId))
      return this.fail(PROTOCOL_ERROR)
    const stream = this.streams.get(streamId)
    if (frames.takeBegun()) this.count(stream)
    if (stream === undefined || this.isClosed) return // one that we have reset
    if (to > from) stream.takeData(frames.payload, from, to)
    const ends = frames.dataDone && (frames.flags & END_STREAM) !== 0
    if (ends && this.streams.has(streamId)) stream.takeEnd(null)
  }

  // Flow control counts whole frames. The connection's window is opened as bytes come, whoever reads them: a slow
  // client holds up its own stream, which may send one window.
  private count(stream: H2Stream | undefined): void {
    const { length, flags, paddingBytes } = this.frames
    this.received += length
    if (this.received > HTTP2_CONNECTION_BYTES) return this.fail(FLOW_CONTROL_ERROR)
    if (this.received >= HTTP2_CONNECTION_BYTES / 2) {
      this.sendWindowUpdate(0, this.received)
      this.received = 0
    }
    if (length === 0 && (flags & END_STREAM) === 0) return this.spend(1)
    if (stream !== undefined && !stream.countReceived(length, paddingBytes))
      this.fail(FLOW_CONTROL_ERROR)
  }

  private takeHeaders(): void {
    const { flags, streamId, payload } = this.frames
    let { from, to } = this.frames
    if (this.isIdle(streamId)) return this.fail(PROTOCOL_ERROR)
    if ((flags & PADDED) !== 0) {
      if (from === to) return this.fail(FRAME_SIZE_ERROR)
      to -= payload[from]!
      from++
    }
    if ((flags & HAS_PRIORITY) !== 0) from += 5
    if (to < from) return this.fail(PROTOCOL_ERROR)
    this.blockEnds = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) return this.takeBlock(streamId, payload, from, to)
    this.blockId = streamId
    this.blockFrames = 1
    this.block = new HeadBuffer()
    this.block.append(payload, from, to)
  }

  private takeContinuation(): void {
    const { frames, block, blockId } = this
    if (block === null) return this.fail(PROTOCOL_ERROR)
    block.append(frames.payload, frames.from, frames.to)
    this.blockFrames++
    if (this.blockFrames > BLOCK_FRAMES_MAX || block.length > BLOCK_BYTES_MAX) {
      this.streams.get(blockId)?.refuse(UPSTREAM_HEADERS_TOO_LARGE)
      return this.fail(ENHANCE_YOUR_CALM)
    }
    if ((frames.flags & END_HEADERS) === 0) return
    this.blockId = 0
    this.block = null
    this.takeBlock(blockId, block.bytes, 0, block.length)
  }

  // The decoder has to see every block, also one for a stream that is gone.
  private takeBlock(id: number, bytes: Buffer, from: number, to: number): void {
    list.clear()
    if (!this.decoder.decode(bytes, from, to, list)) return this.fail(COMPRESSION_ERROR)
    const stream = this.streams.get(id)
    if (stream === undefined) return
    if (list.overflow) return stream.refuse(UPSTREAM_HEADERS_TOO_LARGE)
    stream.takeFields(list.fields, this.blockEnds)
  }

  private takeReset(): void {
    const { streamId, payload, from } = this.frames
    if (this.isIdle(streamId)) return this.fail(PROTOCOL_ERROR)
    const stream = this.streams.get(streamId)
    if (stream === undefined) return this.spend(1)
    stream.takeReset(payload.readUInt32BE(from))
  }

  private takeSettings(): void {
    const { flags, payload, from, to } = this.frames
    if ((flags & ACK) !== 0) return this.spend(1)
    this.spend(SETTINGS_COST)
    if (this.isClosed) return
    let error = NO_ERROR
    let streamsMax = this.gotSettings ? this.streamsMax : WINDOW_MAX
    for (let at = from; at < to && error === NO_ERROR; at += 6) {
      const value = payload.readUInt32BE(at + 2)
      const id = payload.readUInt16BE(at)
      if (id === MAX_CONCURRENT_STREAMS) streamsMax = value
      else if (id === INITIAL_WINDOW_SIZE) error = this.setPeerWindow(value)
      else if (id === ENABLE_CONNECT_PROTOCOL) this.takesConnect = value === 1
      else if (id === MAX_FRAME_SIZE && (value < 16_384 || value >= 1 << 24)) error = PROTOCOL_ERROR
    }
    if (error !== NO_ERROR) return this.fail(error)
    // Before anything that the new settings allow (RFC 9113, section 6.5.3: immediately).
    this.sendFrame(SETTINGS, ACK, 0, payload, from, from)
    this.sendPending()
    this.gotSettings = true
    this.settled(streamsMax)
  }

  private setPeerWindow(window: number): number {
    if (window > WINDOW_MAX) return FLOW_CONTROL_ERROR
    const change = window - this.peerWindow
    this.peerWindow = window
    for (const stream of this.streams.values()) {
      if (!stream.addSendWindow(change)) return FLOW_CONTROL_ERROR
    }
    return NO_ERROR
  }

  private takePing(): void {
    const { flags, payload, from, to } = this.frames
    this.spend(1)
    if ((flags & ACK) !== 0) return // bytes came: that was the question
    if (!this.isClosed) this.sendFrame(PING, ACK, 0, payload, from, to)
  }

  private takeGoaway(): void {
    const { payload, from } = this.frames
    this.spend(1)
    if (this.isClosed) return
    this.onGoaway(payload.readUInt32BE(from) & WINDOW_MAX, payload.readUInt32BE(from + 4))
  }

  private takeWindowUpdate(): void {
    const { streamId, payload, from } = this.frames
    const increment = payload.readUInt32BE(from) & WINDOW_MAX
    this.spend(1) // DATA that we send earns as many as go with it
    if (this.isClosed) return
    if (streamId === 0) {
      this.sendWindow += increment
      if (increment === 0) return this.fail(PROTOCOL_ERROR)
      if (this.sendWindow > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR)
    } else {
      if (this.isIdle(streamId)) return this.fail(PROTOCOL_ERROR)
      const stream = this.streams.get(streamId)
      if (stream === undefined) return
      if (increment === 0 || !stream.addSendWindow(increment))
        return stream.refuse(UPSTREAM_MALFORMED)
    }
    this.sendPending()
  }

  // The other half.
  abstract sendFrame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): void
  abstract sendWindowUpdate(id: number, bytes: number): void
  protected abstract noteRead(): void
  protected abstract sendPending(): void
  protected abstract settled(streamsMax: number): void
  protected abstract onGoaway(lastId: number, code: number): void
  protected abstract fail(code: number): void
  abstract onEnd(): void
  abstract onGone(reason: string): void
  abstract onWritable(): void
}

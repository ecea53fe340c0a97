// workers/downstream/node/h2/reader.ts: the reading half of an HTTP/2 connection: bytes and frames that come.
//
// Owner:  see base.ts.
// Hot:    yes.
//
//   PREFACE --24 bytes--> OPEN --GOAWAY, ours--> LEAVING --no stream left--> LINGER --> CLOSED
//                           '---error: GOAWAY---------------------------------^
//
// Requests begin when everything that arrived with them was looked at: one that is reset in the same read never
// reaches a server (CVE-2023-44487), and those that came together go out together.

import type { Buffer } from 'node:buffer'
import { CLIENT_GONE, H2_FRAMES, H2_PROTOCOL } from '../../../../core/errors.ts'
import {
  ACK,
  CONTINUATION,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  MORE,
  NO_ERROR,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_MAX,
  WINDOW_UPDATE,
} from '../../../../core/h2/frames.ts'
import * as pipeline from '../../../pipeline.ts'
import { H2Blocks, MALFORMED_COST } from './blocks.ts'
import { AT_PREFACE, LEAVING, LINGER, OPEN } from './phase.ts'
import { CONNECTION_WINDOW, PeerSettings } from './settings.ts'
import type { RequestHalf } from './request-half.ts'
import type { H2Stream } from './stream.ts'

const SETTINGS_COST = 10 // an answer, and maybe work for every stream

const peerSettings = new PeerSettings()

export abstract class H2Reader extends H2Blocks {
  private credit = 0 // bytes received that the client was not given back yet
  private prefaceAt = 0

  // ---- bytes

  onBytes(bytes: Buffer, length: number): void {
    this.read(bytes, 0, length)
  }

  read(bytes: Buffer, at: number, end: number): void {
    this.activeAt = this.point.context.sweeper.now
    if (this.phase === AT_PREFACE) at = this.readPreface(bytes, at, end)
    const { frames } = this
    while (this.phase === OPEN || this.phase === LEAVING) {
      const event = frames.next(bytes, at, end)
      at = frames.pos
      if (event === MORE) {
        if (frames.error !== NO_ERROR) this.fail(H2_PROTOCOL, frames.error)
        break
      }
      if (event === FRAME) this.takeFrame()
      else this.takePiece()
      if (at >= end) break
    }
    if (this.phase === LINGER) return this.throwAway(end - at)
    this.noteWaiting()
    this.beginFresh()
    this.flushTouched()
  }

  private readPreface(bytes: Buffer, at: number, end: number): number {
    while (at < end && this.prefaceAt < PREFACE.length) {
      if (bytes[at] !== PREFACE.charCodeAt(this.prefaceAt)) {
        this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
        return end
      }
      at++
      this.prefaceAt++
    }
    if (this.prefaceAt === PREFACE.length) this.phase = OPEN
    return at
  }

  private noteWaiting(): void {
    const waits = this.phase === AT_PREFACE || this.blockId !== 0 || this.frames.isWaiting
    if (!waits) this.waitingSince = 0
    else if (this.waitingSince === 0) this.waitingSince = this.activeAt
  }

  private beginFresh(): void {
    while (this.fresh.length > 0 && this.phase < LINGER) {
      const list = this.fresh
      this.fresh = []
      for (const stream of list) if (stream.exchange !== null) stream.begin()
    }
  }

  // The body of this stream has moved: its server gets what was gathered at the end of the read.
  touch(stream: RequestHalf): void {
    if (this.touched.length === 0 || this.touched[this.touched.length - 1] !== stream)
      this.touched.push(stream)
  }

  private flushTouched(): void {
    if (this.touched.length === 0) return
    for (const { exchange } of this.touched) if (exchange !== null) pipeline.requestFlush(exchange)
    this.touched.length = 0
  }

  // ---- frames

  private takeFrame(): void {
    const { frames } = this
    const { type, streamId } = frames
    if (!this.gotSettings && (type !== SETTINGS || (frames.flags & ACK) !== 0))
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR) // RFC 9113, section 3.4
    if (this.blockId !== 0 && (type !== CONTINUATION || streamId !== this.blockId))
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    switch (type) {
      case HEADERS:
        return this.takeHeaders()
      case CONTINUATION:
        return this.takeContinuation()
      case RST_STREAM:
        return this.takeReset(streamId)
      case SETTINGS:
        return this.takeSettings()
      case PING:
        return this.takePing()
      case GOAWAY:
        return this.leave()
      case WINDOW_UPDATE:
        return this.takeWindowUpdate(streamId)
      case PRIORITY:
        return this.takePriority(streamId)
      default:
        this.spend(1) // an unknown type
    }
  }

  private spend(cost: number): void {
    if (!this.calm.spendFrame(cost)) this.fail(H2_FRAMES, ENHANCE_YOUR_CALM)
  }

  private takePiece(): void {
    const { frames } = this
    const { streamId, from, to } = frames
    if (!this.gotSettings || this.blockId !== 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    const stream = this.streams.get(streamId)
    if (frames.takeBegun() && !this.beginData(stream, streamId)) return
    if (stream === undefined) return
    const ends = frames.dataDone && (frames.flags & END_STREAM) !== 0
    if (to > from && !stream.takeData(frames.payload, from, to)) return this.failLength(stream)
    if (ends && stream.remoteOpen && !stream.takeEnd(null)) this.failLength(stream)
  }

  // Flow control counts whole frames, padding included. False: its stream takes no DATA.
  private beginData(stream: H2Stream | undefined, id: number): boolean {
    const { length, flags } = this.frames
    this.receiveWindow -= length
    if (this.receiveWindow < 0) {
      this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
      return false
    }
    this.giveCredit(length)
    if (stream === undefined) return this.refuseData(id)
    if (!stream.remoteOpen) {
      this.fail(H2_PROTOCOL, STREAM_CLOSED)
      return false
    }
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) {
      this.spendReset(MALFORMED_COST)
      if (this.phase < LINGER) stream.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
      return false
    }
    if ((flags & PADDED) !== 0) stream.creditPadding(this.frames.paddingBytes)
    if (length === 0 && (flags & END_STREAM) === 0) this.spend(1)
    return true
  }

  // What we have reset may still be sent to for a while; what has ended may not.
  private refuseData(id: number): boolean {
    if (id > this.finalId || this.resetIds.includes(id)) return false
    this.fail(H2_PROTOCOL, id > this.lastId ? PROTOCOL_ERROR : STREAM_CLOSED)
    return false
  }

  // The connection's window is opened as bytes come: one server that does not read must not hold up the others.
  // Only when much waits for servers is it kept shut; who takes from what waits calls again.
  giveCredit(bytes: number): void {
    this.credit += bytes
    if (this.credit < CONNECTION_WINDOW / 2 || this.phase >= LINGER) return
    if (this.inboxBytes > this.point.bounds.bufferedBytesMax) return
    this.receiveWindow += this.credit
    this.windowUpdate(0, this.credit)
    this.credit = 0
  }

  // ---- the other frames

  // A frame for a stream that was never opened; after our GOAWAY the client could not know yet.
  private failIdle(id: number): void {
    if (id <= this.finalId) this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
  }

  private takeReset(id: number): void {
    if (id > this.lastId) return this.failIdle(id)
    const stream = this.streams.get(id)
    if (stream === undefined) return this.spend(1)
    this.spendReset(1)
    if (this.phase < LINGER) stream.gone(CLIENT_GONE)
  }

  private takeSettings(): void {
    const { flags, payload, from, to } = this.frames
    if ((flags & ACK) !== 0) return this.spend(1)
    this.gotSettings = true
    this.spend(SETTINGS_COST)
    if (this.phase >= LINGER) return
    const error = peerSettings.read(payload, from, to)
    if (error !== NO_ERROR) return this.fail(H2_PROTOCOL, error)
    const { tableBytes, window } = peerSettings
    if (tableBytes >= 0)
      this.encoder.resize(Math.min(tableBytes, this.point.plan.http2.encoderTableBytesMax))
    if (window >= 0 && !this.setPeerWindow(window))
      return this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
    // Before anything that the new settings allow (RFC 9113, section 6.5.3: immediately).
    this.sendControl(SETTINGS, ACK, payload, from, from)
    this.sendPending()
  }

  private setPeerWindow(window: number): boolean {
    const change = window - this.peerWindow
    this.peerWindow = window
    for (const stream of this.streams.values()) {
      stream.sendWindow += change
      if (stream.sendWindow > WINDOW_MAX) return false
    }
    return true
  }

  private takePing(): void {
    const { flags, payload, from, to } = this.frames
    this.spend(1)
    if (this.phase >= LINGER) return
    if ((flags & ACK) !== 0) return this.pingAnswered()
    this.sendControl(PING, ACK, payload, from, to)
  }

  private takePriority(id: number): void {
    const { payload, from, to } = this.frames
    if (to - from !== 5) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
    if ((payload.readUInt32BE(from) & WINDOW_MAX) === id)
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    this.spend(1) // deprecated by RFC 9113, section 5.3: nothing follows from it
  }

  private takeWindowUpdate(id: number): void {
    const { payload, from } = this.frames
    const increment = payload.readUInt32BE(from) & WINDOW_MAX
    this.spend(1)
    if (this.phase >= LINGER) return
    if (id === 0) return this.openConnection(increment)
    if (id > this.lastId) return this.failIdle(id)
    const stream = this.streams.get(id)
    if (stream === undefined) return
    stream.sendWindow += increment
    if (increment > 0 && stream.sendWindow <= WINDOW_MAX) return this.sendPending()
    this.spendReset(MALFORMED_COST)
    const error = increment === 0 ? PROTOCOL_ERROR : FLOW_CONTROL_ERROR
    if (this.phase < LINGER) stream.giveUp(CLIENT_GONE, error)
  }

  private openConnection(increment: number): void {
    this.sendWindow += increment
    if (increment === 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    if (this.sendWindow > WINDOW_MAX) return this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
    this.sendPending()
  }
}

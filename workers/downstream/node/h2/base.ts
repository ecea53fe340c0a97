// workers/downstream/node/h2/base.ts: what the halves of an HTTP/2 connection share.
//
// Owner:  see connection.ts. One object in four files, each on top of the one before:
//
//   base.ts    its state            reader.ts      bytes and frames that come
//   blocks.ts  requests that come   connection.ts  frames that go, time, endings
//
// Hot:    yes.

import type { Buffer } from 'node:buffer'
import { H2_RESETS } from '../../../../core/errors.ts'
import type { TlsFacts } from '../../../../core/exchange.ts'
import { ForwardedCache } from '../../../../core/forwarded.ts'
import { Calm } from '../../../../core/h2/calm.ts'
import {
  ENHANCE_YOUR_CALM,
  FrameReader,
  WINDOW_MAX,
  WINDOW_START,
} from '../../../../core/h2/frames.ts'
import { HpackDecoder } from '../../../../core/h2/hpack-decoder.ts'
import type { HpackEncoder } from '../../../../core/h2/hpack-encoder.ts'
import type { EntryPoint } from '../../../entry-point.ts'
import type { LiveExchange } from '../../../live-exchange.ts'
import type { Socket } from '../../../socket.ts'
import { AT_PREFACE } from './phase.ts'
import { CONNECTION_WINDOW, STREAM_WINDOW } from './settings.ts'
import type { RequestHalf } from './request-half.ts'
import type { H2Stream } from './stream.ts'

const CLOSED_KEPT = 128 // ids of ended streams that are told apart from ones that never were

export abstract class H2Base {
  phase = AT_PREFACE
  readonly socket: Socket
  readonly point: EntryPoint
  readonly tls: TlsFacts | null
  readonly forwarded = new ForwardedCache()
  readonly streams = new Map<number, H2Stream>()
  readonly calm: Calm
  readonly streamWindow = STREAM_WINDOW
  readonly bornAt: number
  sendWindow = WINDOW_START // of the connection: what we may send
  peerWindow = WINDOW_START // of a new stream
  inboxBytes = 0 // that wait for servers, in all streams
  activeAt: number
  waitingSince = 0 // of a frame or header block that is in pieces; 0 when there is none
  lastId = 0 // the highest stream of the client
  requests = 0
  inputEnded = false
  protected gotSettings = false
  protected finalId = WINDOW_MAX // streams above it are not looked at: our GOAWAY said so
  protected clientAddress = ''
  protected clientPort = 0
  protected receiveWindow = CONNECTION_WINDOW
  protected readonly frames = new FrameReader()
  protected readonly decoder: HpackDecoder
  protected fresh: H2Stream[] = [] // complete heads that were not begun yet
  protected touched: RequestHalf[] = [] // bodies that have moved in this read
  protected readonly closedIds = new Int32Array(CLOSED_KEPT)
  private closedAt = 0
  protected readonly resetIds = new Int32Array(CLOSED_KEPT) // by us: frames of theirs may still be on their way
  private resetAt = 0

  constructor(socket: Socket, point: EntryPoint, tls: TlsFacts | null, now: number) {
    this.socket = socket
    this.point = point
    this.tls = tls
    this.bornAt = now
    this.activeAt = now
    this.calm = new Calm(now)
    this.decoder = new HpackDecoder(point.plan.http2.decoderTableBytesMax)
  }

  // ---- what gets a client nothing

  protected spendReset(cost: number): void {
    if (!this.calm.spendReset(cost)) this.fail(H2_RESETS, ENHANCE_YOUR_CALM)
  }

  // ---- streams that are no more

  protected noteClosed(id: number): void {
    this.closedIds[this.closedAt++ & (CLOSED_KEPT - 1)] = id
  }

  protected noteReset(id: number): void {
    this.resetIds[this.resetAt++ & (CLOSED_KEPT - 1)] = id
  }

  // ---- the writing half

  abstract readonly encoder: HpackEncoder
  abstract release(exchange: LiveExchange): void
  abstract reset(id: number, code: number): void
  abstract windowUpdate(id: number, bytes: number): void
  protected abstract sendControl(
    type: number,
    flags: number,
    payload: Buffer,
    from: number,
    to: number,
  ): void
  protected abstract sendPending(): void
  protected abstract pingAnswered(): void
  protected abstract throwAway(bytes: number): void
  abstract leave(): void
  abstract fail(code: number, error: number): void
}

// core/h2/frames.ts: finds the frames in the bytes of an HTTP/2 client, whatever pieces they arrive in.
//
// Owner:  one connection. Bytes of DATA are handed on as the pieces they came in; every other frame is handed
//         on whole, in a buffer of at most FRAME_BYTES_MAX that is only there while a frame is in pieces.
// Hot:    yes, once per frame and piece; nothing is allocated for frames that arrive whole.
//
//   HEADER --9 bytes--> PAYLOAD --all of it--> HEADER          (any frame but DATA)
//        '------------> PAD_LENGTH -> DATA -> PADDING --------> HEADER
//
// RFC 9113, sections 4.1, 4.2 and 6: what can be said of a frame alone is checked here, what depends on
// streams is checked by the connection.

export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8
export const HAS_PRIORITY = 32

// RFC 9113, section 7.
export const NO_ERROR = 0
export const PROTOCOL_ERROR = 1
export const INTERNAL_ERROR = 2
export const FLOW_CONTROL_ERROR = 3
export const STREAM_CLOSED = 5
export const FRAME_SIZE_ERROR = 6
export const REFUSED_STREAM = 7
export const CANCEL = 8
export const COMPRESSION_ERROR = 9
export const ENHANCE_YOUR_CALM = 11

export const FRAME_BYTES_MAX = 16_384 // what we accept and what we send; larger ones gain nothing measurable
export const HEADER_BYTES = 9
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
export const WINDOW_START = 65_535 // of connection and streams until told otherwise
export const WINDOW_MAX = 2_147_483_647

// What next() has found.
export const MORE = 0
export const FRAME = 1 // a whole frame: `payload[from..to)`
export const PIECE = 2 // bytes of a DATA frame: `payload[from..to)`; the frame is whole when `dataDone`
export type FrameEvent = typeof MORE | typeof FRAME | typeof PIECE

const AT_HEADER = 0
const AT_PAYLOAD = 1
const AT_PAD_LENGTH = 2
const AT_DATA = 3

const nothing = Buffer.alloc(0)

export class FrameReader {
  type = DATA
  flags = 0
  streamId = 0
  length = 0 // of the whole frame, padding included: what flow control counts
  payload: Buffer = nothing
  from = 0
  to = 0
  pos = 0 // where the bytes given to next() were used up to
  dataDone = false
  paddingBytes = 0 // of a DATA frame, the byte that tells their number included
  error = NO_ERROR // with it next() returns MORE: the connection is beyond repair
  private state = AT_HEADER
  private left = 0 // of the payload, DATA and padding together
  private padding = 0
  private begun = false // a DATA frame: its first PIECE was told
  private readonly header = Buffer.alloc(HEADER_BYTES)
  private have = 0 // bytes in `header` or `kept`
  private kept: Buffer = nothing

  // Part of a frame has arrived and the rest has not. DATA does not count: it may come as slowly as it likes
  // as far as frames are concerned.
  get isWaiting(): boolean {
    return this.state === AT_PAYLOAD || (this.state === AT_HEADER && this.have > 0)
  }

  // Whether this PIECE is the first of its frame.
  takeBegun(): boolean {
    const first = !this.begun
    this.begun = true
    return first
  }

  next(bytes: Buffer, at: number, end: number): FrameEvent {
    if (this.state === AT_HEADER) {
      at = this.readHeader(bytes, at, end)
      if (this.state === AT_HEADER || this.error !== NO_ERROR) return this.wait(end)
    }
    if (this.state === AT_PAYLOAD) return this.readPayload(bytes, at, end)
    if (this.state === AT_PAD_LENGTH) {
      if (at === end) return this.wait(end)
      at = this.readPadLength(bytes, at)
      if (this.error !== NO_ERROR) return this.wait(end)
    }
    return this.readData(bytes, at, end)
  }

  private wait(end: number): FrameEvent {
    this.pos = end
    return MORE
  }

  private readHeader(bytes: Buffer, at: number, end: number): number {
    if (this.have === 0 && end - at >= HEADER_BYTES) {
      this.takeHeader(bytes, at)
      return at + HEADER_BYTES
    }
    const taken = Math.min(HEADER_BYTES - this.have, end - at)
    bytes.copy(this.header, this.have, at, at + taken)
    this.have += taken
    if (this.have < HEADER_BYTES) return end
    this.have = 0
    this.takeHeader(this.header, 0)
    return at + taken
  }

  private takeHeader(bytes: Buffer, at: number): void {
    this.length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    this.type = bytes[at + 3]!
    this.flags = bytes[at + 4]!
    this.streamId =
      ((bytes[at + 5]! & 127) << 24) |
      (bytes[at + 6]! << 16) |
      (bytes[at + 7]! << 8) |
      bytes[at + 8]!
    this.left = this.length
    this.error = this.checkHeader()
    this.padding = 0
    this.paddingBytes = 0
    this.begun = false
    if (this.type !== DATA) this.state = AT_PAYLOAD
    else this.state = (this.flags & PADDED) !== 0 ? AT_PAD_LENGTH : AT_DATA
  }

  // Sizes and stream numbers that a type of frame can have at all.
  private checkHeader(): number {
    const { type, length, streamId } = this
    if (length > FRAME_BYTES_MAX) return FRAME_SIZE_ERROR
    switch (type) {
      case DATA:
        if ((this.flags & PADDED) !== 0 && length === 0) return FRAME_SIZE_ERROR
        return streamId === 0 ? PROTOCOL_ERROR : NO_ERROR
      case HEADERS:
      case CONTINUATION:
        return streamId === 0 ? PROTOCOL_ERROR : NO_ERROR
      case PRIORITY:
        if (streamId === 0) return PROTOCOL_ERROR
        return NO_ERROR // a wrong length is an error of the stream
      case RST_STREAM:
        if (length !== 4) return FRAME_SIZE_ERROR
        return streamId === 0 ? PROTOCOL_ERROR : NO_ERROR
      case SETTINGS:
        if (streamId !== 0) return PROTOCOL_ERROR
        if ((this.flags & ACK) !== 0) return length === 0 ? NO_ERROR : FRAME_SIZE_ERROR
        return length % 6 === 0 ? NO_ERROR : FRAME_SIZE_ERROR
      case PUSH_PROMISE:
        return PROTOCOL_ERROR // clients have nothing to push
      case PING:
        if (streamId !== 0) return PROTOCOL_ERROR
        return length === 8 ? NO_ERROR : FRAME_SIZE_ERROR
      case GOAWAY:
        if (streamId !== 0) return PROTOCOL_ERROR
        return length >= 8 ? NO_ERROR : FRAME_SIZE_ERROR
      case WINDOW_UPDATE:
        return length === 4 ? NO_ERROR : FRAME_SIZE_ERROR
      default:
        return NO_ERROR // unknown types are skipped (section 4.1)
    }
  }

  private readPayload(bytes: Buffer, at: number, end: number): FrameEvent {
    if (this.have === 0 && end - at >= this.left) {
      this.payload = bytes
      this.from = at
      this.to = at + this.left
      this.pos = this.to
      this.state = AT_HEADER
      return FRAME
    }
    if (this.have === 0) this.kept = Buffer.allocUnsafeSlow(this.length)
    const taken = Math.min(this.length - this.have, end - at)
    bytes.copy(this.kept, this.have, at, at + taken)
    this.have += taken
    this.pos = at + taken
    if (this.have < this.length) return MORE
    this.payload = this.kept
    this.kept = nothing
    this.from = 0
    this.to = this.length
    this.have = 0
    this.state = AT_HEADER
    return FRAME
  }

  private readPadLength(bytes: Buffer, at: number): number {
    this.padding = bytes[at]!
    this.paddingBytes = this.padding + 1
    this.left--
    if (this.padding > this.left) this.error = PROTOCOL_ERROR
    this.state = AT_DATA
    return at + 1
  }

  // A piece ends where the data or the bytes end; padding is passed over with the last one.
  private readData(bytes: Buffer, at: number, end: number): FrameEvent {
    if (at === end && this.left > 0) return this.wait(end)
    const data = this.left - this.padding
    const piece = data > 0 ? Math.min(data, end - at) : 0
    this.payload = bytes
    this.from = at
    this.to = at + piece
    this.left -= piece
    this.pos = this.to
    if (this.left === this.padding) this.skipPadding(end)
    this.dataDone = this.left === 0
    if (this.dataDone) this.state = AT_HEADER
    return PIECE
  }

  private skipPadding(end: number): void {
    const skipped = Math.min(this.left, end - this.pos)
    this.pos += skipped
    this.left -= skipped
    this.padding -= skipped
  }
}

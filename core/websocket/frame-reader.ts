// core/websocket/frame-reader.ts: reads the frames that a server sends, strictly, in whatever pieces they come.
//
// Owner:  one relay, for the life of its WebSocket. Keeps no payload but that of the control frame under way:
//         data is handed on as ranges of the bytes that came, so nothing grows with the size of a message.
// Hot:    yes, one call per piece of a frame.
//
//   next(bytes, at, end) -> MORE       all bytes are used up
//                           DATA       dataStart to dataEnd is payload; isFirst, isLast of its message, isText
//                           CONTROL    opcode, control, controlLength
//                           FAULT      fault is the close code; nothing more may be read
//
// No extension is ever offered to the server, so every reserved bit is a fault (RFC 6455, section 5.2).

import {
  CLOSE,
  CONTINUATION,
  CONTROL_BYTES_MAX,
  INVALID_DATA,
  PING,
  PONG,
  PROTOCOL_ERROR,
  TEXT,
  isCloseCode,
} from './frames.ts'

export const MORE = 0
export const DATA = 1
export const CONTROL = 2
export const FAULT = 3
export type FrameEvent = typeof MORE | typeof DATA | typeof CONTROL | typeof FAULT

const HEAD_BYTES_MAX = 10 // two, and a length of eight; frames of servers are not masked
const decoder = new TextDecoder('utf-8', { fatal: true })

export class FrameReader {
  pos = 0
  dataStart = 0
  dataEnd = 0
  isFirst = false
  isLast = false
  isText = false
  opcode = CONTINUATION as number
  fault = 0
  controlLength = 0
  readonly control = new Uint8Array(CONTROL_BYTES_MAX)
  private readonly head = new Uint8Array(HEAD_BYTES_MAX)
  private headLength = 0 // bytes of `head` that are there
  private inPayload = false
  private left = 0 // of the payload
  private fin = false
  private inMessage = false // a fragmented message is under way
  private begun = false // the current data frame begins a message of which nothing was handed on yet

  // True between frames: bytes of our own may go to the client here.
  get isAtBoundary(): boolean {
    return !this.inPayload && this.headLength === 0
  }

  next(bytes: Uint8Array, at: number, end: number): FrameEvent {
    this.pos = at
    if (this.fault !== 0) return FAULT
    if (!this.inPayload) {
      if (!this.readHead(bytes, end)) return this.fault !== 0 ? FAULT : MORE
      this.inPayload = true
    }
    return this.opcode >= CLOSE ? this.readControl(bytes, end) : this.readData(bytes, end)
  }

  // False: more is needed, or a fault.
  private readHead(bytes: Uint8Array, end: number): boolean {
    const { head } = this
    while (this.pos < end) {
      head[this.headLength++] = bytes[this.pos++]!
      if (this.headLength === 2 && !this.checkStart(head[0]!, head[1]!)) return false
      if (this.headLength >= 2 && this.headLength === headBytes(head[1]!)) return this.takeLength()
    }
    return false
  }

  private checkStart(first: number, second: number): boolean {
    const opcode = first & 15
    this.opcode = opcode
    this.fin = (first & 128) !== 0
    const isControl = opcode >= CLOSE
    // Reserved bits, and a mask, which only clients use (section 5.1).
    if ((first & 112) !== 0 || (second & 128) !== 0) return this.fail(PROTOCOL_ERROR)
    if (isControl) {
      const isKnown = opcode === CLOSE || opcode === PING || opcode === PONG
      if (!isKnown || !this.fin || second > CONTROL_BYTES_MAX) return this.fail(PROTOCOL_ERROR)
      this.controlLength = 0
      return true
    }
    if (opcode > 2 || (opcode === CONTINUATION) !== this.inMessage) return this.fail(PROTOCOL_ERROR)
    if (opcode !== CONTINUATION) {
      this.isText = opcode === TEXT
      this.begun = true
    }
    this.inMessage = !this.fin
    return true
  }

  private takeLength(): boolean {
    const { head } = this
    const short = head[1]! & 127
    this.headLength = 0
    if (short < 126) {
      this.left = short
      return true
    }
    let length = 0
    const bytes = short === 126 ? 2 : 8
    for (let i = 0; i < bytes; i++) length = length * 256 + head[2 + i]!
    // The shortest form must be used (section 5.2); above 2^53 we could not count.
    const isMinimal = short === 126 ? length > 125 : length > 0xffff
    if (!isMinimal || length > Number.MAX_SAFE_INTEGER) return this.fail(PROTOCOL_ERROR)
    this.left = length
    return true
  }

  private readData(bytes: Uint8Array, end: number): FrameEvent {
    if (this.pos === end && this.left > 0) return MORE
    const length = Math.min(this.left, end - this.pos)
    this.dataStart = this.pos
    this.pos += length
    this.dataEnd = this.pos
    this.left -= length
    this.isFirst = this.begun
    this.begun = false
    if (this.left === 0) this.inPayload = false
    this.isLast = this.fin && this.left === 0
    return DATA
  }

  private readControl(bytes: Uint8Array, end: number): FrameEvent {
    const length = Math.min(this.left, end - this.pos)
    this.control.set(bytes.subarray(this.pos, this.pos + length), this.controlLength)
    this.controlLength += length
    this.pos += length
    this.left -= length
    if (this.left > 0) return MORE
    this.inPayload = false
    if (this.opcode === CLOSE && !this.isCloseGood()) return FAULT
    return CONTROL
  }

  // The code of a close frame; 0 when it has none.
  closeCode(): number {
    return this.controlLength < 2 ? 0 : this.control[0]! * 256 + this.control[1]!
  }

  closeReason(): Uint8Array {
    return this.control.subarray(2, Math.max(2, this.controlLength))
  }

  private isCloseGood(): boolean {
    if (this.controlLength === 0) return true
    if (this.controlLength === 1 || !isCloseCode(this.closeCode())) return this.fail(PROTOCOL_ERROR)
    try {
      decoder.decode(this.closeReason())
      return true
    } catch {
      return this.fail(INVALID_DATA)
    }
  }

  private fail(code: number): false {
    this.fault = code
    return false
  }
}

function headBytes(second: number): number {
  const short = second & 127
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

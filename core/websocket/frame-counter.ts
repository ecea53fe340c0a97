// core/websocket/frame-counter.ts: where one frame ends and the next begins, in bytes that pass unread.
//
// Owner:  one direction of a tunnel, for its life. Looks at the head of each frame (RFC 6455, section 5.2), masked or not,
//         and skips its payload, so it costs something per frame and nothing per byte. It checks nothing: the two
//         ends do, and what is no WebSocket at all merely never comes to a boundary that would be used.
// Hot:    yes, one call per piece of a tunnel.
//
//   PASSING --leave()--> LEAVING --the frame under way has ended--> isDue: a frame of our own may go here --> DONE

import { CLOSE } from './frames.ts'

const PASSING = 0
const LEAVING = 1
const DONE = 2

export class FrameCounter {
  private state = PASSING as typeof PASSING | typeof LEAVING | typeof DONE
  private left = 0 // of the payload of the frame under way
  private first = -1 // bytes of its head: -1 when they have not come
  private second = -1
  private more = 0 // bytes of its head that are still to come
  private lengthLeft = 0 // and how many of those are its length
  private length = 0
  saidClose = false // a close frame has begun: nothing may follow it (section 5.5.1)

  private get isBetween(): boolean {
    return this.left === 0 && this.first < 0
  }

  // From here on nothing is passed but the frame under way.
  leave(): void {
    this.state = LEAVING
  }

  // True once, when the frame under way has ended.
  takeTurn(): boolean {
    if (this.state !== LEAVING || !this.isBetween || this.saidClose) return false
    this.state = DONE
    return true
  }

  // How far the bytes may be passed on.
  count(bytes: Uint8Array, from: number, to: number): number {
    if (this.state === DONE) return from
    let at = from
    while (at < to) {
      if (this.state === LEAVING && this.isBetween) return at
      if (this.left === 0) at = this.readHead(bytes, at, to)
      if (this.left > 0 && at < to) {
        const step = Math.min(this.left, to - at)
        this.left -= step
        at += step
      }
    }
    return at
  }

  private readHead(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    if (this.first < 0) this.first = bytes[at++]!
    if (this.second < 0) {
      if (at === to) return at
      this.readSecond(bytes[at++]!)
    }
    while (this.more > 0 && at < to) {
      const byte = bytes[at++]!
      this.more--
      if (this.lengthLeft === 0) continue // the mask
      this.lengthLeft--
      this.length = this.length * 256 + byte
    }
    if (this.more === 0) this.endHead()
    return at
  }

  private readSecond(byte: number): void {
    this.second = byte
    const short = byte & 127
    this.lengthLeft = short < 126 ? 0 : short === 126 ? 2 : 8
    this.length = short < 126 ? short : 0
    this.more = this.lengthLeft + (byte >= 128 ? 4 : 0)
  }

  private endHead(): void {
    if ((this.first & 15) === CLOSE) this.saidClose = true
    this.left = this.length
    this.first = -1
    this.second = -1
  }
}

// workers/head-buffer.ts: the bytes of a head that has not arrived whole.
//
// Owner:  a connection. Empty (and holding no memory) but for the rare head that comes in pieces.
// The bound is the parser's: it refuses a head above its limit before the next append.

import { Buffer } from 'node:buffer'

const nothing = Buffer.alloc(0)

export class HeadBuffer {
  bytes: Buffer = nothing
  length = 0

  append(bytes: Buffer, from: number, to: number): void {
    const needed = this.length + to - from
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1024, 2 * this.bytes.length, needed))
      this.bytes.copy(grown, 0, 0, this.length)
      this.bytes = grown
    }
    bytes.copy(this.bytes, this.length, from, to)
    this.length = needed
  }

  release(): void {
    this.bytes = nothing
    this.length = 0
  }
}

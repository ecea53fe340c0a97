// workers/downstream/uws/held-body.ts: the part of a request body that has come but can't be passed on yet.
//
// Owner:  a UwsDownstream, for life. Bounded by what it was told; pieces are copies, because uWebSockets.js takes
//         its memory back. Hot: yes, for uploads that outrun their server.

import { Buffer } from 'node:buffer'

const nothing = Buffer.alloc(0)
// uWebSockets.js reads into a buffer of 512 KiB; what it has read when it is paused still comes.
const OVERRUN_BYTES_MAX = 2 * 512 * 1024

export class HeldBody {
  isHeld = false // something is here, be it only the end
  isLast = false // the piece that was taken last ended the body
  private readonly pieces: Buffer[] = []
  private bytes = 0
  private hasEnd = false

  // False: it is more than may wait.
  add(chunk: ArrayBuffer, isLast: boolean, bytesMax: number): boolean {
    this.isHeld = true
    this.bytes += chunk.byteLength
    if (this.bytes > bytesMax + OVERRUN_BYTES_MAX) return false
    if (chunk.byteLength > 0) this.pieces.push(Buffer.from(chunk.slice(0)))
    if (isLast) this.hasEnd = true
    return true
  }

  take(): Buffer {
    const piece = this.pieces.shift() ?? nothing
    this.bytes -= piece.length
    this.isHeld = this.pieces.length > 0
    this.isLast = !this.isHeld && this.hasEnd
    if (!this.isHeld) this.hasEnd = false
    return piece
  }

  clear(): void {
    this.isHeld = false
    this.isLast = false
    this.pieces.length = 0
    this.bytes = 0
    this.hasEnd = false
  }
}

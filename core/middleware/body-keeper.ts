// core/middleware/body-keeper.ts: a body that is kept in memory, whole or up to a bound.
//
// Owner:  the exchange that it belongs to, or a middleware's answer from elsewhere (worker.ts).
// Hot:    yes, for exchanges that have one; for all others the pipeline compares one field with null.
//
//   COLLECT   nothing is passed on before the end: a middleware wants to see the whole (buffering, forwardAuth)
//             with `spills`, one that is longer than the bound is waited for no longer: it goes on as with TEE
//             with `files`, one that is longer goes to a file that the worker holds (workers/spooling.ts)
//   TEE       bytes pass on as they come and are kept beside, so that they can be sent again (retry, mirroring);
//             what is longer than the bound is passed on all the same, and can't be sent again

import type { Head } from '../headers.ts'

export const KEPT_MAX = 16 * 1024 * 1024 // of a body without another bound: memory is finite

export const COLLECT = 0
export const TEE = 1
export type KeepMode = typeof COLLECT | typeof TEE

export class BodyKeeper {
  mode: KeepMode
  bytesMax: number // a later middleware may lower or raise it while nothing was kept
  bytes = 0
  complete = false // the end of the body is here
  overflowed = false // it is longer than bytesMax; nothing is kept then
  refusesMore = false // of TEE: a body that is longer is answered 413 as well
  spills = false // of COLLECT: one that is longer becomes TEE
  files = false // of COLLECT: `spills` has nothing to say then
  inFile = false // all of it; `pieces` is empty
  bodyMax = 0 // of the whole body, however much of it is kept: beyond it is answered 413; 0: no limit
  trailers: Head | null = null
  readonly pieces: Uint8Array[] = []

  constructor(bytesMax: number, mode: KeepMode) {
    this.bytesMax = bytesMax
    this.mode = mode
  }

  get collects(): boolean {
    return this.mode === COLLECT
  }

  goesToFile(more: number): boolean {
    return this.files && this.bytes + more > this.bytesMax
  }

  // Takes a copy. False: the body is longer than the bound.
  keep(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.overflowed) return false
    this.bytes += to - from
    if (this.bytes > this.bytesMax && !this.mayBeLast()) {
      this.overflowed = true
      this.pieces.length = 0
      return false
    }
    // Not slice(), which of a Buffer is a view of memory that the next read overwrites.
    if (to > from) this.pieces.push(Uint8Array.prototype.slice.call(bytes, from, to))
    return true
  }

  // The piece that crosses the bound is kept until it has been sent.
  private mayBeLast(): boolean {
    if (!this.collects || !this.spills) return false
    this.mode = TEE
    return true
  }

  // One that passes on, or was to, collects the whole of it, up to another bound; the client is still to be read. False: it is
  // longer, or not all of it is here any more.
  collectWhole(bytesMax: number): boolean {
    if (this.overflowed || this.inFile || this.bytes > bytesMax) return false
    if (this.complete) return true
    this.bytesMax = this.collects ? Math.min(this.bytesMax, bytesMax) : bytesMax
    this.mode = COLLECT
    this.spills = false
    return true
  }

  end(trailers: Head | null): void {
    this.complete = true
    this.trailers = trailers
  }

  // Another body in the place of the one that was kept whole. Trailers may speak of the bytes as they were.
  replace(bytes: Uint8Array): void {
    this.pieces.length = 0
    if (bytes.length > 0) this.pieces.push(bytes)
    this.bytes = bytes.length
    this.trailers = null
  }

  // In one piece; the very piece when there is only one.
  whole(): Uint8Array {
    if (this.pieces.length === 1) return this.pieces[0]!
    const whole = new Uint8Array(this.bytes)
    let at = 0
    for (const piece of this.pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}

// core/cache/recorder.ts: keeps the body of a response while it passes, up to a bound.
//
// Owner:  the exchange (exchange.recorder). Commits only when the body has ended as its framing says; one that is cut off,
//         too long or of another length than announced leaves nothing behind.
// Hot:    yes, for responses that are stored: one copy per piece. The bytes lie in shared memory, so that all workers
//         serve the same ones.

export interface BodyRecorder {
  // As the client gets it, or as the server sent it: after the rewriter that was there already, before later ones.
  readonly afterRewriter: boolean
  piece(bytes: Uint8Array, from: number, to: number): void
  end(): void // clean
}

export const UNKNOWN_LENGTH = -1

export abstract class KeptBody implements BodyRecorder {
  readonly afterRewriter: boolean
  length = 0
  overflowed = false
  private readonly expected: number // UNKNOWN_LENGTH: any
  private readonly bytesMax: number
  private whole: Uint8Array | null
  private pieces: Uint8Array[] | null = null

  constructor(expected: number, bytesMax: number, afterRewriter: boolean) {
    this.expected = expected
    this.bytesMax = bytesMax
    this.afterRewriter = afterRewriter
    this.whole = expected === UNKNOWN_LENGTH ? null : sharedBytes(expected)
  }

  piece(bytes: Uint8Array, from: number, to: number): void {
    if (this.overflowed || to === from) return
    const start = this.length
    this.length += to - from
    if (this.length > (this.whole === null ? this.bytesMax : this.expected)) return this.overflow()
    const part = bytes.subarray(from, to)
    if (this.whole !== null) this.whole.set(part, start)
    else (this.pieces ??= []).push(new Uint8Array(part)) // slice() of a Buffer would be a view
  }

  private overflow(): void {
    this.overflowed = true
    this.whole = null
    this.pieces = null
    this.gaveUp()
  }

  end(): void {
    if (this.overflowed) return
    if (this.whole === null) this.commit(joined(this.pieces ?? [], this.length))
    else if (this.length === this.expected) this.commit(this.whole)
    else this.gaveUp()
  }

  protected abstract commit(body: Uint8Array): void
  protected abstract gaveUp(): void
}

export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length))
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = sharedBytes(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

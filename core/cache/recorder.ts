// core/cache/recorder.ts: keeps the body of a response while it passes, up to a bound.
//
// Owner:  the exchange (exchange.recorder). Commits only when the body has ended as its framing says; one that is cut off,
//         too long or of another length than announced leaves nothing behind.
// Memory: counted from the first byte on (RecordingRoom), and given back by release(), at the latest when the exchange ends.
// Hot:    yes, for responses that are stored: one copy per piece. The bytes lie in shared memory, so that all workers
//         serve the same ones.

export interface BodyRecorder {
  // As the client gets it, or as the server sent it: after the rewriter that was there already, before later ones.
  readonly afterRewriter: boolean
  piece(bytes: Uint8Array, from: number, to: number): void
  end(): void // clean
}

// Who says how much may be under way together.
export interface RecordingRoom {
  reserve(bytes: number): boolean // false: there is no room for it
  giveBack(bytes: number): void
}

export const UNKNOWN_LENGTH = -1
const PIECE_OVERHEAD = 256 // of its objects: a body may come byte by byte

export abstract class KeptBody implements BodyRecorder {
  readonly afterRewriter: boolean
  length = 0
  overflowed = false
  private readonly expected: number // UNKNOWN_LENGTH: any
  private readonly bytesMax: number
  private readonly room: RecordingRoom
  private reserved = 0
  private whole: Uint8Array | null = null // where the length is known: from the first piece on
  private pieces: Uint8Array[] | null = null

  constructor(expected: number, bytesMax: number, afterRewriter: boolean, room: RecordingRoom) {
    this.expected = expected
    this.bytesMax = bytesMax
    this.afterRewriter = afterRewriter
    this.room = room
  }

  private get isKnown(): boolean {
    return this.expected !== UNKNOWN_LENGTH
  }

  piece(bytes: Uint8Array, from: number, to: number): void {
    if (this.overflowed || to === from) return
    const start = this.length
    this.length += to - from
    const most = this.isKnown ? this.expected : this.bytesMax
    if (this.length > most || !this.hasRoom(to - from)) return this.overflow()
    const part = bytes.subarray(from, to)
    if (this.whole !== null) this.whole.set(part, start)
    else (this.pieces ??= []).push(new Uint8Array(part)) // slice() of a Buffer would be a view
  }

  private hasRoom(more: number): boolean {
    if (this.whole !== null) return true
    const bytes = this.isKnown ? this.expected : more + PIECE_OVERHEAD
    if (!this.room.reserve(bytes)) return false
    this.reserved += bytes
    if (this.isKnown) this.whole = sharedBytes(bytes)
    return true
  }

  private overflow(): void {
    this.release()
    this.gaveUp()
  }

  end(): void {
    if (this.overflowed) return
    if (this.isKnown && this.length !== this.expected) this.gaveUp()
    else this.commit(this.whole ?? joined(this.pieces ?? [], this.length))
    this.release()
  }

  // It takes no more. Whoever lets go of it calls this.
  release(): void {
    this.overflowed = true
    this.whole = null
    this.pieces = null
    if (this.reserved > 0) this.room.giveBack(this.reserved)
    this.reserved = 0
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

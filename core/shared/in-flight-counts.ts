// core/shared/in-flight-counts.ts: how many exchanges each source has under way, in all workers together.
//
// Owner:  the process. Exchanges outlive the generation that they began with, and so do their places here.
// Hot:    yes, for routers with inFlightReq: a look-up and one CAS to enter, one CAS to leave; no locks, no garbage.
//
// CONTROL of a slot (keyed-slots.ts) is its count, under a version that changes when the slot gets another key: a
// count can't be raised for a source that has lost its slot a moment ago, and a slot is lost at a count of 0 only. So
// nobody ever has more than `amount` under way. Beside the sum each worker keeps its own share in a ledger that only it
// writes; the thread that replaces a dead worker takes that worker's shares off the sums. (A thread is ended by V8 at loops
// and calls, so never between a CAS and the line of the ledger behind it.)

import { KeyedHash } from './keyed-hash.ts'
import { CONTROL, KeyedSlots, TAG, slotsBytes } from './keyed-slots.ts'

const SHAPE = { windows: 4096, window: 16, stride: 2 }
export const SOURCES_MAX = SHAPE.windows * SHAPE.window // a window is full long before: see docs/middlewares/in-flight-req.md
const COUNT_BITS = 20
const COUNT_MASK = (1 << COUNT_BITS) - 1
export const AMOUNT_MAX = COUNT_MASK // more exchanges than connections that a process can have
const VERSION_MASK = (1 << (31 - COUNT_BITS)) - 1
const TRIES_MAX = 1000
export const REFUSED = -1

export const inFlightBytes = (workers: number): number =>
  slotsBytes(SHAPE) + workers * SOURCES_MAX * 4

export class InFlightCounts extends KeyedSlots {
  private readonly shares: Int32Array // of this worker, one per slot
  private readonly root: KeyedHash

  constructor(memory: SharedArrayBuffer, worker: number) {
    super(memory, SHAPE, worker)
    this.root = new KeyedHash(this.secret[0], this.secret[1])
    this.shares = new Int32Array(memory, slotsBytes(SHAPE) + worker * SOURCES_MAX * 4, SOURCES_MAX)
    this.recoverClaims()
    this.recoverShares()
  }

  hashFor(scope: string): KeyedHash {
    return this.root.derive(scope)
  }

  // A place, to be given back to leave(); REFUSED when the source has `amount` under way, or there is no room for it.
  enter(key: KeyedHash, amount: number): number {
    const { words } = this
    const tag = this.tagOf(key.high)
    const most = Math.min(amount, AMOUNT_MAX)
    for (let tries = 0; most > 0 && tries < TRIES_MAX; tries++) {
      const at = this.claim(this.windowOf(key.low), tag, 0, 0)
      if (at < 0) return REFUSED
      const control = Atomics.load(words, at + CONTROL)
      if (control < 0 || Atomics.load(words, at + TAG) !== tag) continue
      if ((control & COUNT_MASK) >= most) return REFUSED
      if (Atomics.compareExchange(words, at + CONTROL, control, control + 1) !== control) continue
      const place = at / SHAPE.stride
      this.shares[place] = this.shares[place]! + 1
      return place
    }
    return REFUSED
  }

  leave(place: number): void {
    if (this.shares[place]! <= 0) return
    this.shares[place] = this.shares[place]! - 1
    this.lower(place, 1)
  }

  // For who has not kept the place.
  leaveKey(key: KeyedHash): void {
    const at = this.find(this.windowOf(key.low), this.tagOf(key.high))
    if (at >= 0) this.leave(at / SHAPE.stride)
  }

  countOf(key: KeyedHash): number {
    const at = this.find(this.windowOf(key.low), this.tagOf(key.high))
    return at < 0 ? 0 : Atomics.load(this.words, at + CONTROL) & COUNT_MASK
  }

  // Exchanges of this worker.
  get size(): number {
    return this.shares.reduce((sum, share) => sum + share, 0)
  }

  private lower(place: number, by: number): void {
    Atomics.sub(this.words, place * SHAPE.stride + CONTROL, by)
  }

  private recoverShares(): void {
    for (let place = 0; place < SOURCES_MAX; place++) {
      const share = this.shares[place]!
      if (share === 0) continue
      this.shares[place] = 0
      this.lower(place, share)
    }
  }

  protected worth(control: number): number {
    return (control & COUNT_MASK) === 0 ? -1 : Infinity
  }

  protected alive(before: number): number {
    return (((before >>> COUNT_BITS) + 1) & VERSION_MASK) << COUNT_BITS
  }
}

// core/shared/keyed-slots.ts: a table that all threads write without locks, by keys that clients choose.
//
// Owner:  the process. Nobody empties it: a slot whose record has become worthless is taken over by the next key.
// Hot:    yes. Finding a slot is at the most `window` loads of neighbouring words.
//
// A slot is a few Int32 words: TAG, CONTROL, then what the kind of table needs. A key is 64 bits of a keyed hash: 32
// are the tag, others choose the window of neighbouring slots where it may be. (BigInt64Array would compare 64 bits
// at once, but each operation leaves a BigInt behind.) With 16,384 windows of 8 the chance that two of 65,536
// sources share a slot is 1 in 15,000; nobody can aim at it without the key of the hash.
//
// CONTROL says whether the record may be dropped, and who is writing a new one. Taking over is:
//
//   CONTROL: seen -> ~worker (busy)     only one can; fails if the record has come to life meanwhile
//   TAG := key                          the claim is visible now
//   look through the window             another slot has the key? then this one is given back
//   record := its beginning
//   CONTROL := alive
//
// Of two threads that claim two slots for one key at the same time, the one with the lower slot keeps it: who sees
// a claim before its own withdraws, who sees one behind its own waits until that is withdrawn or alive. A wait is
// bounded (SPINS_MAX): a thread that is stopped by the system in the middle must not stop others.

export const TAG = 0
export const CONTROL = 1
const SECRET_WORDS = 4 // before the slots: the key of the hash, and nothing

export const NOT_FOUND = -1
export const UNSETTLED = -2 // somebody is writing it, and does not come to an end

const SPINS_MAX = 5000 // some 20 us
const ROUNDS_MAX = 64

export interface SlotsShape {
  readonly windows: number // a power of two
  readonly window: number // slots
  readonly stride: number // words
}

export function slotsBytes({ windows, window, stride }: SlotsShape): number {
  return (SECRET_WORDS + windows * window * stride) * 4
}

export abstract class KeyedSlots {
  protected readonly words: Int32Array
  protected readonly secret: readonly [number, number]
  protected readonly window: number
  protected readonly stride: number
  protected readonly slots: number
  private readonly mask: number
  private chosen = 0 // CONTROL of the slot that choose() gave, when it did
  protected readonly busy: number // CONTROL of a slot that this thread is taking over

  // `worker` is unique among the threads that write; a thread that replaces another one has its number.
  constructor(memory: SharedArrayBuffer, shape: SlotsShape, worker: number) {
    const head = new Int32Array(memory, 0, SECRET_WORDS)
    this.secret = [head[0]!, head[1]!]
    this.slots = shape.windows * shape.window
    this.words = new Int32Array(memory, SECRET_WORDS * 4, this.slots * shape.stride)
    this.window = shape.window
    this.stride = shape.stride
    this.mask = shape.windows - 1
    this.busy = ~worker
  }

  // How gladly the record is dropped, the lowest first; negative: it is worth nothing; Infinity: never.
  protected abstract worth(control: number, now: number): number

  // CONTROL of a new record in the place of one that had `before`.
  protected abstract alive(before: number, now: number): number

  protected windowOf(low: number): number {
    return (low & this.mask) * this.window * this.stride
  }

  // 0 is the tag of a free slot.
  protected tagOf(high: number): number {
    return high === 0 ? 1 : high
  }

  // Where the record of a key begins in `words`.
  protected find(first: number, tag: number): number {
    const { words, stride } = this
    const end = first + this.window * stride
    for (let at = first; at < end; at += stride) {
      if (Atomics.load(words, at + TAG) !== tag) continue
      const control = Atomics.load(words, at + CONTROL)
      if (control < 0 && !this.hasSettled(at)) return UNSETTLED
      if (Atomics.load(words, at + TAG) === tag) return at
    }
    return NOT_FOUND
  }

  // The record of a key, a new one when there is none; NOT_FOUND when the window has no room for it.
  // `value` is what the first word behind CONTROL begins with, if the table has one.
  protected claim(first: number, tag: number, now: number, value: number): number {
    const { words } = this
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const found = this.find(first, tag)
      if (found !== NOT_FOUND) return found
      const at = this.choose(first, now)
      if (at === NOT_FOUND) return NOT_FOUND
      const seen = this.chosen
      if (Atomics.compareExchange(words, at + CONTROL, seen, this.busy) !== seen) continue
      Atomics.store(words, at + TAG, tag)
      const withdrawn = this.isElsewhere(first, at, tag)
      if (withdrawn) Atomics.store(words, at + TAG, 0)
      if (this.stride > 2) Atomics.store(words, at + 2, value)
      Atomics.store(words, at + CONTROL, this.alive(seen, now))
      if (!withdrawn) return at
    }
    return UNSETTLED
  }

  // The record that is missed least.
  private choose(first: number, now: number): number {
    const { words, stride } = this
    let best = NOT_FOUND
    let least = Infinity
    for (let i = 0, at = first; i < this.window; i++, at += stride) {
      const control = Atomics.load(words, at + CONTROL)
      if (control < 0) continue
      const worth = Atomics.load(words, at + TAG) === 0 ? -Infinity : this.worth(control, now)
      if (worth >= least) continue
      best = at
      least = worth
      this.chosen = control
      if (worth === -Infinity) break
    }
    return best
  }

  // Whether another slot has the key, so that the claim of `own` is to be withdrawn.
  private isElsewhere(first: number, own: number, tag: number): boolean {
    const { words, stride } = this
    for (let i = 0, at = first; i < this.window; i++, at += stride) {
      if (at === own || Atomics.load(words, at + TAG) !== tag) continue
      const control = Atomics.load(words, at + CONTROL)
      if (control >= 0 || at < own) {
        if (Atomics.load(words, at + TAG) === tag) return true
        continue
      }
      if (this.hasSettled(at) && Atomics.load(words, at + TAG) === tag) return true
    }
    return false
  }

  private hasSettled(at: number): boolean {
    for (let spins = 0; spins < SPINS_MAX; spins++) {
      if (Atomics.load(this.words, at + CONTROL) >= 0) return true
    }
    return false
  }

  // What a thread of the same number has left half written when it was ended.
  protected recoverClaims(): void {
    const { words, stride, busy } = this
    for (let at = 0; at < words.length; at += stride) {
      if (words[at + CONTROL] !== busy) continue
      Atomics.store(words, at + TAG, 0)
      Atomics.store(words, at + CONTROL, 0)
    }
  }
}

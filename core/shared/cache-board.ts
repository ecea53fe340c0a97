// core/shared/cache-board.ts: what the caches of all workers must know of each other at once, without a message.
//
// Owner:  the process; any thread reads and writes. Made by the supervisor, untouched pages cost nothing.
// Hot:    isPurged runs once per hit: two loads.
//
//   stamps   when a URL was last purged or invalidated, by a hash of it: what was asked for before that is not served.
//            URLs that share a place are asked for once more than needed, and that is all (1 of 262,144 a purge).
//   locks    who asks a server for what, so that others wait: a lock that is not given back ends by its time, as when
//            its worker dies.

const STAMPS = 262_144
const LOCKS = 16_384
const WORDS = 3 // of a lock: owner, check, awaited
const STAMPS_BYTES = (STAMPS + 1) * 8
export const CACHE_BOARD_BYTES = STAMPS_BYTES + LOCKS * 8 + LOCKS * WORDS * 4

const ALL = STAMPS // the last stamp is about every URL
const OWNER = 0 // 0: free; else worker + 1
const CHECK = 1 // more of the hash: two keys in one place don't wait for each other
const AWAITED = 2 // 1: another worker has requests that wait

export const CLAIMED = 0
export const TAKEN = 1 // by another worker, for the same key
export const BUSY = 2 // with another key
export type Claim = typeof CLAIMED | typeof TAKEN | typeof BUSY

export class CacheBoard {
  private readonly stamps: Float64Array
  private readonly until: Float64Array
  private readonly locks: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.stamps = new Float64Array(memory, 0, STAMPS + 1)
    this.until = new Float64Array(memory, STAMPS_BYTES, LOCKS)
    this.locks = new Int32Array(memory, STAMPS_BYTES + LOCKS * 8, LOCKS * WORDS)
  }

  isPurged(hash: number, askedAt: number): boolean {
    return askedAt <= this.stamps[hash % STAMPS]! || askedAt <= this.stamps[ALL]!
  }

  purge(hash: number, now: number): void {
    this.stamp(hash % STAMPS, now)
  }

  purgeAll(now: number): void {
    this.stamp(ALL, now)
  }

  // Two writers at a time are a moment apart: either is late enough for what both saw.
  private stamp(at: number, now: number): void {
    if (now > this.stamps[at]!) this.stamps[at] = now
  }

  // Marks the lock as awaited when it is taken.
  claim(hash: number, worker: number, now: number, forMs: number): Claim {
    const { locks, until } = this
    const place = hash % LOCKS
    const at = place * WORDS
    const owner = Atomics.load(locks, at + OWNER)
    if (owner !== 0 && now < until[place]!) {
      if (locks[at + CHECK] !== (hash | 0)) return BUSY
      Atomics.store(locks, at + AWAITED, 1)
      return Atomics.load(locks, at + OWNER) === owner ? TAKEN : BUSY
    }
    if (Atomics.compareExchange(locks, at + OWNER, owner, worker + 1) !== owner) return BUSY
    until[place] = now + forMs
    locks[at + CHECK] = hash | 0
    Atomics.store(locks, at + AWAITED, 0)
    return CLAIMED
  }

  // Whether somebody waits for it. One that ended by its time may be another's by now: it stays so.
  release(hash: number, worker: number): boolean {
    const at = (hash % LOCKS) * WORDS
    if (this.locks[at + CHECK] !== (hash | 0)) return true
    const awaited = Atomics.load(this.locks, at + AWAITED) === 1
    Atomics.compareExchange(this.locks, at + OWNER, worker + 1, 0)
    // Whoever came between the two lines above has set it, and found the lock taken.
    return awaited || Atomics.load(this.locks, at + AWAITED) === 1
  }
}

// core/shared/buckets.ts: the buckets and windows of rate limits, one table for all workers of the process.
//
// Owner:  the process; every worker takes from the same bucket, so a limit holds for the host and not per worker.
// Hot:    yes, for routers with a limit. No locks and no garbage: a decision is some ten loads and one or two CAS.
//
// A bucket is the generic cell rate algorithm (ITU-T I.371): TIME is when it will be empty again. A request moves TIME
// by one interval, unless that led further than `burst` intervals (and what a request may wait) into the future.
// TIME is Int32 in ticks of the limit, a whole number of which make an interval (core/rate/rate.ts): no rounding, however
// many requests. It wraps; CONTROL is the second by which the bucket is empty for certain, so an old TIME is never
// mistaken for a new one. CONTROL is raised before TIME and never lowered, hence an upper bound at every moment, and
// TIME moves by compare-and-swap alone. So the overshoot is 0, whatever threads do at the same time.
//
// Between the two, others see a CONTROL of now and the old TIME: it must say "empty" for as long as CONTROL can hold. One that
// has wrapped can say anything. So an old TIME that does not lie in the quarter of a wrap before now is first made now's,
// in the way that a slot is taken over (keyed-slots.ts): CONTROL is busy meanwhile. CONTROL holds for a sixteenth of a wrap
// (core/rate/rate.ts) after it was raised, so a TIME that lay in that quarter does not reach the half that looks like the future.
//
// A window counts the requests of one key in one period; a sliding window looks at two of them (core/rate/quota.ts).
//
// Room: a key has a window of 8 slots. A bucket that is empty is worth nothing, and the next key takes its slot: that
// forgets nothing. Only when all 8 are in use at the same time is one dropped that would have been needed, the one that is
// empty soonest. So a flood of new keys (one request each) drops its own kind; to be rid of a bucket deep in debt, its
// owner needs seven others in the same window that are as deep, which costs more than it gains.

import { KeyedHash } from './keyed-hash.ts'
import { CONTROL, KeyedSlots, TAG, slotsBytes } from './keyed-slots.ts'

const TIME = 2 // of a bucket
const COUNT = 2 // of a window
const SHAPE = { windows: 16_384, window: 8, stride: 4 } // 2 MiB of address space, touched as it is used
const OLD_TICKS = 2 ** 30 // a quarter of what wraps
const TRIES_MAX = 1000 // of one decision; each lost try is one that another thread has won
export const BUCKETS_BYTES = slotsBytes(SHAPE)

// What a bucket needs to know of its limit.
export interface TickRate {
  readonly ticksPerMs: number
  readonly ticks: number // of one request
  readonly burstTicks: number // of a full burst
  readonly delayTicks: number // that a request may wait
}

export class Buckets extends KeyedSlots {
  // Of the last decision, since a record of them would be garbage.
  remaining = 0 // requests that would pass now, without waiting
  resetMs = 0 // until the bucket is empty again, or the window ends
  uncounted = 0 // decisions that could not be counted: they let pass

  private readonly root: KeyedHash

  constructor(memory: SharedArrayBuffer, worker: number) {
    super(memory, SHAPE, worker)
    this.root = new KeyedHash(this.secret[0], this.secret[1])
    this.recoverClaims()
  }

  // Keys of one limit have nothing to do with those of another.
  hashFor(scope: string): KeyedHash {
    return this.root.derive(scope)
  }

  // Milliseconds that the request has to wait, 0 for none. More than the limit allows to wait: it was not counted.
  take(key: KeyedHash, rate: TickRate, now: number): number {
    const { words } = this
    const first = this.windowOf(key.low)
    const tag = this.tagOf(key.high)
    const second = secondOf(now)
    const nowTicks = Math.floor(now * rate.ticksPerMs) | 0
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      let at = this.find(first, tag)
      if (at < 0) at = this.claim(first, tag, second, nowTicks)
      if (at < 0) break
      const emptyAt = Atomics.load(words, at + CONTROL) // first: what a CONTROL of now says, it says of TIMEs behind it
      const time = Atomics.load(words, at + TIME)
      if (emptyAt < 0 || Atomics.load(words, at + TAG) !== tag) continue
      const ahead = (time - nowTicks) | 0
      if (emptyAt < second && (ahead > 0 || ahead < -OLD_TICKS)) {
        this.restart(at, emptyAt, second, nowTicks)
        continue
      }
      const used = Math.max(0, ahead)
      const next = used + rate.ticks
      const wait = next - rate.burstTicks
      if (wait > rate.delayTicks) return this.result(rate, used, wait)
      const last = second + Math.ceil(next / rate.ticksPerMs / 1000)
      if (last > emptyAt && Atomics.compareExchange(words, at + CONTROL, emptyAt, last) !== emptyAt)
        continue
      const after = (nowTicks + next) | 0
      if (Atomics.compareExchange(words, at + TIME, time, after) !== time) continue
      return this.result(rate, next, wait)
    }
    this.uncounted++
    return this.result(rate, 0, 0)
  }

  // Of a bucket that is empty for so long that nobody can read its TIME.
  private restart(at: number, emptyAt: number, second: number, nowTicks: number): void {
    const { words, busy } = this
    if (Atomics.compareExchange(words, at + CONTROL, emptyAt, busy) !== emptyAt) return
    Atomics.store(words, at + TIME, nowTicks)
    Atomics.store(words, at + CONTROL, second)
  }

  // Sets remaining and resetMs without taking anything.
  look(key: KeyedHash, rate: TickRate, now: number): void {
    const at = this.find(this.windowOf(key.low), this.tagOf(key.high))
    let used = 0
    if (at >= 0 && Atomics.load(this.words, at + CONTROL) >= secondOf(now)) {
      const nowTicks = Math.floor(now * rate.ticksPerMs) | 0
      used = Math.max(0, (Atomics.load(this.words, at + TIME) - nowTicks) | 0)
    }
    this.result(rate, used, 0)
  }

  private result(rate: TickRate, used: number, wait: number): number {
    this.remaining = Math.max(0, Math.floor((rate.burstTicks - used) / rate.ticks))
    this.resetMs = used / rate.ticksPerMs
    return wait <= 0 ? 0 : wait / rate.ticksPerMs
  }

  // How often a window has been counted; 0 for one that nobody knows.
  countOf(key: KeyedHash): number {
    const at = this.find(this.windowOf(key.low), this.tagOf(key.high))
    return at < 0 ? 0 : Atomics.load(this.words, at + COUNT)
  }

  // Counts one more if there are `before` yet; false when another was faster. The window is needed until `endsAt`.
  count(key: KeyedHash, before: number, now: number, endsAt: number): boolean {
    const { words } = this
    const tag = this.tagOf(key.high)
    const at = this.claim(this.windowOf(key.low), tag, secondOf(now), 0)
    if (at < 0) {
      this.uncounted++
      return true
    }
    const last = Atomics.load(words, at + CONTROL)
    const wanted = secondOf(endsAt) + 1
    if (last < 0 || Atomics.load(words, at + TAG) !== tag) return false
    if (last < wanted && Atomics.compareExchange(words, at + CONTROL, last, wanted) !== last)
      return false
    return Atomics.compareExchange(words, at + COUNT, before, before + 1) === before
  }

  // Seconds until it is empty.
  protected worth(control: number, second: number): number {
    return control - second
  }

  protected alive(_before: number, second: number): number {
    return second
  }
}

// From 1 on: 0 is the second of a slot that nobody has used.
function secondOf(ms: number): number {
  return Math.floor(ms / 1000) + 1
}

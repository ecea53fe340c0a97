// workers/store/known.ts: what a worker knows of a store's counts without asking: permits that it holds, and refusals.
//
// Owner:  a LimitStore. At most KNOWN_MAX sources; the oldest is forgotten then, permits and all.
// Hot:    yes, where a lease is set or a source is over its limit: one look-up.
//
// A refusal says when the next request can pass, if nobody else takes that: others can only make it later. But who empties a
// key can make it sooner, and a quota's "later" may be weeks away. So of those who come before that, one a second asks all the
// same, and the rest is refused: a flood over the limit costs Redis next to nothing, and is counted exactly.

import { UNDECIDED } from '../../core/rate/store.ts'
import type { StoreAsk, StoreDecision, StoreWaiter } from '../../core/rate/store.ts'

export const KNOWN_MAX = 10_000
export const BELIEVED_MS = 1000 // that nobody asks after a refusal
const WAITERS_MAX = 1000 // for the answer to one question; a worker holds no more of one source

export class Known {
  permits = 0
  permitsUntil = 0
  refusedUntil = 0 // when the next request could pass without waiting
  believedUntil = 0 // one that comes later asks whether that still holds
  remaining = 0
  resetAt = 0
  waiters: StoreWaiter[] | null = null // while the store is asked for permits

  // Null: the store must be asked, or is asked already.
  decide(ask: StoreAsk, now: number): StoreDecision | null {
    if (this.permits > 0 && now < this.permitsUntil) {
      this.permits--
      return this.decision(0, now)
    }
    const wait = this.refusedUntil - now
    if (wait <= ask.maxDelayMs) return null
    if (now < this.believedUntil) return this.decision(wait, now)
    this.believedUntil = now + BELIEVED_MS // for the others, while this one asks
    return null
  }

  refused(waitMs: number, now: number): void {
    this.refusedUntil = now + waitMs
    this.believedUntil = now + BELIEVED_MS
  }

  // Joins those who wait for an answer that is on its way.
  join(waiter: StoreWaiter): StoreDecision | null {
    if (this.waiters!.length >= WAITERS_MAX) return UNDECIDED
    this.waiters!.push(waiter)
    return null
  }

  decision(waitMs: number, now: number): StoreDecision {
    const resetMs = Math.max(0, this.resetAt - now)
    return { failed: false, waitMs, remaining: this.remaining + this.permits, resetMs }
  }

  isWorthless(now: number): boolean {
    const holds = this.permits > 0 && now < this.permitsUntil
    return !holds && this.waiters === null && now >= this.refusedUntil
  }
}

export class KnownTable {
  private readonly sources = new Map<string, Known>()

  get(key: string, now: number): Known | undefined {
    const known = this.sources.get(key)
    if (known === undefined || !known.isWorthless(now)) return known
    this.sources.delete(key)
    return undefined
  }

  add(key: string): Known {
    const known = new Known()
    if (this.sources.size >= KNOWN_MAX) this.forgetOldest()
    this.sources.set(key, known)
    return known
  }

  // Something was given: what was said before is over.
  forgive(key: string): void {
    const known = this.sources.get(key)
    if (known !== undefined) known.refusedUntil = 0
  }

  // One that is being asked for stays with its question, which answers its waiters.
  private forgetOldest(): void {
    for (const key of this.sources.keys()) {
      this.sources.delete(key)
      return
    }
  }

  get size(): number {
    return this.sources.size
  }
}

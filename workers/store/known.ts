// workers/store/known.ts: what a worker knows of a store's counts without asking: permits that it holds, and refusals.
//
// Owner:  a LimitStore. At most KNOWN_MAX sources; the oldest is forgotten then, permits and all.
// Hot:    yes, where a lease is set or a source is over its limit: one look-up.
//
// A refusal says when the next request can pass, if nobody else takes that. Until then nobody needs to ask: others can only
// make it later. So a flood over the limit costs Redis one question per permit, and is counted exactly all the same.

import { UNDECIDED } from '../../core/rate/store.ts'
import type { StoreAsk, StoreDecision, StoreWaiter } from '../../core/rate/store.ts'

export const KNOWN_MAX = 10_000
const WAITERS_MAX = 1000 // for the answer to one question; a worker holds no more of one source

export class Known {
  permits = 0
  permitsUntil = 0
  refusedUntil = 0 // when the next request could pass without waiting
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
    return wait > ask.maxDelayMs ? this.decision(wait, now) : null
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

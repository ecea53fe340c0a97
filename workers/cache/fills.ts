// workers/cache/fills.ts: who asks a server for what, and who waits for it.
//
// Owner:  one store of one worker. A fill is there from the request that leads it, here or in another worker, until it
//         is settled or has taken too long; it is found by the key that its response would have.
// Hot:    join and settle, for requests that are not answered from the cache.
//
// Those who wait are woken in a turn of their own, never within the exchange that settles.

import { LRUCache } from 'lru-cache'
import {
  ALONE,
  type Outcome,
  type Part,
  LEAD,
  UNSTORABLE,
  WAITING,
} from '../../core/cache/contract.ts'
import { hashOf } from '../../core/cache/key.ts'
import type { Exchange } from '../../core/exchange.ts'
import { NEXT } from '../../core/middleware/contract.ts'
import type { Cancel } from '../../core/middleware/worker.ts'
import { CLAIMED, type CacheBoard, TAKEN } from '../../core/shared/cache-board.ts'

const FILLS_MAX = 16_384 // more at a time are not waited for
const WAITERS_MAX = 16_384 // of one fill; the next one asks for itself
const SIDE_BY_SIDE_MS = 2000 // after a response that can't be stored, or that took too long
const HELD_OFF_MS = 1000 // after an error of a server
const REMEMBERED_MAX = 4096

export interface FillWorker {
  readonly index: number
  readonly board: CacheBoard
  preciseNow(): number
  wake(exchange: Exchange, serial: number, verdict: typeof NEXT): void
  after(ms: number, action: () => void): Cancel
}

interface Waiter {
  readonly exchange: Exchange
  readonly serial: number
}

class Fill {
  readonly mine: boolean // led by this worker
  waiters: Waiter[] = []
  timer: Cancel | null = null

  constructor(mine: boolean) {
    this.mine = mine
  }
}

export class Fills {
  private readonly worker: FillWorker
  private readonly scope: string // name of the store: keys of two stores are two things
  private readonly collapseMs: number
  private readonly fills = new Map<string, Fill>()
  private readonly sideBySide = new LRUCache<string, number>({ max: REMEMBERED_MAX }) // until when
  private readonly heldOff = new LRUCache<string, number>({ max: REMEMBERED_MAX })

  constructor(worker: FillWorker, scope: string, collapseMs: number) {
    this.worker = worker
    this.scope = scope
    this.collapseMs = collapseMs
  }

  join(place: string, exchange: Exchange): Part {
    const now = this.worker.preciseNow()
    if (this.collapseMs === 0 || (this.sideBySide.get(place) ?? 0) > now) return ALONE
    const fill = this.fills.get(place)
    if (fill !== undefined) return this.wait(place, fill, exchange)
    return this.begin(place, now, exchange)
  }

  // Without waiting for it if somebody else does.
  lead(place: string): boolean {
    if (this.fills.has(place)) return false
    return this.begin(place, this.worker.preciseNow(), null) === LEAD
  }

  private begin(place: string, now: number, exchange: Exchange | null): Part {
    if (this.fills.size >= FILLS_MAX) return ALONE
    const { board, index } = this.worker
    const claim = board.claim(this.hash(place), index, now, Math.max(this.collapseMs, 1000))
    if (claim !== CLAIMED && claim !== TAKEN) return ALONE
    if (claim === TAKEN && exchange === null) return WAITING
    const fill = new Fill(claim === CLAIMED)
    this.fills.set(place, fill)
    return claim === CLAIMED ? LEAD : this.wait(place, fill, exchange!)
  }

  private wait(place: string, fill: Fill, exchange: Exchange): Part {
    if (fill.waiters.length >= WAITERS_MAX) return ALONE
    fill.waiters.push({ exchange, serial: exchange.serial })
    fill.timer ??= this.worker.after(this.collapseMs, () => this.expired(place, fill))
    return WAITING
  }

  // It takes too long: who waits asks for itself, and for a moment nobody waits for it any more.
  private expired(place: string, fill: Fill): void {
    fill.timer = null
    this.sideBySide.set(place, this.worker.preciseNow() + SIDE_BY_SIDE_MS)
    if (!fill.mine && this.fills.get(place) === fill) this.fills.delete(place)
    this.wakeAll(fill)
  }

  // Of a fill that this worker leads. True: another worker has to be told.
  settle(place: string, outcome: Outcome): boolean {
    const { board, index } = this.worker
    const awaited = board.release(this.hash(place), index)
    this.ended(place, outcome)
    return awaited
  }

  // A fill has ended, here or in another worker.
  ended(place: string, outcome: Outcome): void {
    if (outcome === UNSTORABLE)
      this.sideBySide.set(place, this.worker.preciseNow() + SIDE_BY_SIDE_MS)
    const fill = this.fills.get(place)
    if (fill === undefined) return
    this.fills.delete(place)
    fill.timer?.()
    fill.timer = null
    this.wakeAll(fill)
  }

  leave(place: string, exchange: Exchange): void {
    const fill = this.fills.get(place)
    if (fill === undefined) return
    fill.waiters = fill.waiters.filter((waiter) => waiter.exchange !== exchange)
  }

  private wakeAll(fill: Fill): void {
    const { waiters } = fill
    fill.waiters = []
    if (waiters.length > 0) process.nextTick(wakeEach, this.worker, waiters)
  }

  holdOff(place: string): void {
    this.heldOff.set(place, this.worker.preciseNow() + HELD_OFF_MS)
  }

  isHeldOff(place: string): boolean {
    return (this.heldOff.get(place) ?? 0) > this.worker.preciseNow()
  }

  private hash(place: string): number {
    return hashOf(this.scope + '\n' + place)
  }
}

function wakeEach(worker: FillWorker, waiters: readonly Waiter[]): void {
  for (const { exchange, serial } of waiters) worker.wake(exchange, serial, NEXT)
}

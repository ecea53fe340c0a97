// workers/cache/store.ts: the responses that one httpCache middleware has stored, as one worker knows them.
//
// Owner:  the worker; kept alive by the middlewares that use it. Bodies lie in memory that all workers share: each has
//         its own index of the same responses, tells the others what it stores and what it lets go for lack of room.
// Hot:    find, once per request: one or two look-ups, two loads of shared memory.
//
// The index is by URL. A response with Vary lies under a longer key; under its URL is the list of names (VaryMark).
// Room: the worker that stores makes room and tells; the others follow, and make room themselves only above SLACK.

import { Buffer } from 'node:buffer'
import { LRUCache } from 'lru-cache'
import type {
  CacheStore,
  Outcome,
  Part,
  PurgeWish,
  StoreLimits,
} from '../../core/cache/contract.ts'
import { type CacheEntry, bytesOf } from '../../core/cache/entry.ts'
import type { Fields } from '../../core/cache/fields.ts'
import { hashOf } from '../../core/cache/key.ts'
import { variantKey } from '../../core/cache/making.ts'
import { secondKey } from '../../core/cache/vary.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { CacheBoard } from '../../core/shared/cache-board.ts'
import { Fills, type FillWorker } from './fills.ts'
import type { CacheNews } from './messages.ts'

const SLACK = 1.125 // of bytesMax
const MARK_BYTES = 512
const YOUNG_MS = 1000 // the order of use is kept to this: moving an entry to its end was a tenth of a hit
const PURGES_MAX = 64 // remembered, for responses that were under way

class Held {
  readonly entry: CacheEntry
  readonly hash: number // of its URL
  usedAt = 0 // when it was last made the youngest

  constructor(entry: CacheEntry) {
    const { buffer, byteOffset, length } = entry.body
    // As the sockets want it: made once, and not for each hit.
    this.entry = { ...entry, body: Buffer.from(buffer, byteOffset, length) }
    this.hash = hashOf(entry.url)
  }
}

class VaryMark {
  readonly names: readonly string[]

  constructor(names: readonly string[]) {
    this.names = names
  }
}

export interface StoreWorker extends FillWorker {
  exactNow(): number // not the beginning of the turn
  tell(news: CacheNews): void // the other workers
  stored(name: string, change: 'stored' | 'evicted', count: number): void // counts
  holds(name: string, bytes: number, entries: number): void
}

export class Store implements CacheStore {
  readonly name: string
  readonly limits: StoreLimits
  place = ''
  private readonly worker: StoreWorker
  private readonly board: CacheBoard
  private readonly fills: Fills
  private readonly index: LRUCache<string, Held | VaryMark>
  private readonly purges: { readonly at: number; readonly wish: PurgeWish }[] = []
  private forgotten = 0 // the time of the last purge that is not in `purges` any more

  constructor(name: string, limits: StoreLimits, worker: StoreWorker) {
    this.name = name
    this.limits = limits
    this.worker = worker
    this.board = worker.board
    this.fills = new Fills(worker, name, limits.collapseMs)
    this.index = new LRUCache({ maxSize: Math.ceil(limits.bytesMax * SLACK) })
  }

  find(base: string, request: Fields): CacheEntry | null {
    this.place = base
    let found = this.index.peek(base)
    if (found instanceof VaryMark) {
      this.index.get(base)
      const second = secondKey(found.names, request)
      if (second === null) return null
      this.place = variantKey(base, found.names, second)
      found = this.index.peek(this.place)
    }
    if (!(found instanceof Held)) return null
    if (this.board.isPurged(found.hash, found.entry.askedAt)) {
      this.index.delete(this.place)
      return null
    }
    const now = this.worker.preciseNow()
    if (now - found.usedAt > YOUNG_MS) {
      found.usedAt = now
      this.index.get(this.place)
    }
    return found.entry
  }

  put(base: string, entry: CacheEntry): void {
    if (!this.keep(base, entry)) return
    this.makeRoom()
    this.worker.stored(this.name, 'stored', 1)
    this.worker.tell({ kind: 'entry', store: this.name, base, entry })
    this.tellSize()
  }

  // What another worker has stored.
  take(base: string, entry: CacheEntry): void {
    if (this.keep(base, entry)) this.tellSize()
  }

  private keep(base: string, entry: CacheEntry): boolean {
    const held = new Held(entry)
    const size = bytesOf(entry)
    if (size > this.limits.bytesMax) return false
    if (this.board.isPurged(held.hash, entry.askedAt) || this.wasPurged(entry)) return false
    const before = this.index.peek(entry.key)
    // Two workers have asked, and the later response came first.
    if (before instanceof Held && before.entry.askedAt > entry.askedAt) return false
    if (entry.vary.length > 0) this.mark(base, entry.vary)
    this.index.set(entry.key, held, { size })
    return true
  }

  private mark(base: string, names: readonly string[]): void {
    const known = this.index.get(base)
    if (known instanceof VaryMark && known.names.join() === names.join()) return
    this.index.set(base, new VaryMark(names), { size: base.length * 2 + MARK_BYTES })
  }

  private makeRoom(): void {
    const { index, limits } = this
    if (index.calculatedSize <= limits.bytesMax) return
    const keys: string[] = []
    while (index.calculatedSize > limits.bytesMax) {
      const [oldest] = index.rkeys()
      if (oldest === undefined) break
      index.delete(oldest)
      keys.push(oldest)
    }
    this.worker.stored(this.name, 'evicted', keys.length)
    this.worker.tell({ kind: 'evicted', store: this.name, keys })
  }

  evicted(keys: readonly string[]): void {
    for (const key of keys) this.index.delete(key)
    this.tellSize()
  }

  invalidate(url: string): void {
    this.board.purge(hashOf(url), this.worker.exactNow())
  }

  // ---- purges

  // Returns how many responses are gone. Those that were asked for before `at` are not stored any more either.
  purge(at: number, wish: PurgeWish): number {
    this.purges.push({ at, wish })
    if (this.purges.length > PURGES_MAX) this.forgotten = this.purges.shift()!.at
    let count = 0
    for (const [key, found] of this.index.entries()) {
      if (!(found instanceof Held) || !isMeant(wish, found.entry)) continue
      this.index.delete(key)
      count++
    }
    this.tellSize()
    return count
  }

  private wasPurged(entry: CacheEntry): boolean {
    if (entry.askedAt <= this.forgotten) return true
    return this.purges.some(({ at, wish }) => entry.askedAt <= at && isMeant(wish, entry))
  }

  private tellSize(): void {
    this.worker.holds(this.name, this.index.calculatedSize, this.index.size)
  }

  // ---- collapsing

  join(place: string, exchange: Exchange): Part {
    return this.fills.join(place, exchange)
  }

  lead(place: string): boolean {
    return this.fills.lead(place)
  }

  settle(place: string, outcome: Outcome): void {
    if (!this.fills.settle(place, outcome)) return
    this.worker.tell({ kind: 'settled', store: this.name, place, outcome })
  }

  ended(place: string, outcome: Outcome): void {
    this.fills.ended(place, outcome)
  }

  leave(place: string, exchange: Exchange): void {
    this.fills.leave(place, exchange)
  }

  holdOff(place: string): void {
    this.fills.holdOff(place)
  }

  isHeldOff(place: string): boolean {
    return this.fills.isHeldOff(place)
  }
}

function isMeant(wish: PurgeWish, entry: CacheEntry): boolean {
  if (wish.all) return true
  if (wish.url !== '') return entry.url === wish.url
  if (wish.tag !== '') return entry.tags.includes(wish.tag)
  return wish.prefix !== '' && entry.url.startsWith(wish.prefix)
}

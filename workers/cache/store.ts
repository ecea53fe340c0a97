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
import type { TimedPurge, Told } from './purge-log.ts'
import { PurgeSweep, type Swept } from './purge-sweep.ts'
import { PurgeTable } from './purge-table.ts'
import { RedisTier, type TierWorker, type TieredStore } from './redis-tier.ts'

const SLACK = 1.125 // of bytesMax
const MARK_BYTES = 512
const YOUNG_MS = 1000 // the order of use is kept to this: moving an entry to its end was a tenth of a hit
const PURGES_MAX = 64 // remembered, for responses that were under way
const TIER_PURGES_MAX = 10_000 // and for those that lie in Redis
const EARLIEST = Number.MIN_VALUE // on the board 0 is never

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

export interface StoreWorker extends FillWorker, TierWorker {
  readonly workers: number // how many there are
  exactNow(): number // not the beginning of the turn
  came(bytes: number, limit: number): void // a body, of a store with this limit
  tell(news: CacheNews): void // the other workers
  stored(name: string, change: 'stored' | 'evicted', count: number): void // counts
  holds(name: string, bytes: number, entries: number): void
}

export class Store implements CacheStore, TieredStore {
  readonly name: string
  readonly limits: StoreLimits
  place = ''
  private readonly worker: StoreWorker
  private readonly board: CacheBoard
  private readonly fills: Fills
  private readonly index: LRUCache<string, Held | VaryMark>
  private readonly all = new Set<Held>() // of the index, without its order, which changes with every hit
  private readonly sweep: PurgeSweep<Held>
  private readonly purges: PurgeTable
  private readonly tier: RedisTier | null
  private recording = 0 // bytes of bodies that are under way, of this worker

  constructor(name: string, limits: StoreLimits, worker: StoreWorker) {
    this.name = name
    this.limits = limits
    this.worker = worker
    this.board = worker.board
    this.fills = new Fills(worker, name, limits.collapseMs)
    this.index = new LRUCache({
      maxSize: Math.ceil(limits.bytesMax * SLACK),
      dispose: (gone) => gone instanceof Held && this.all.delete(gone),
    })
    this.sweep = new PurgeSweep(
      this.all,
      (held) => this.index.delete(held.entry.key),
      () => this.tellSize(),
    )
    const { tier } = limits
    this.purges = new PurgeTable(tier === null ? PURGES_MAX : TIER_PURGES_MAX)
    this.tier = tier === null ? null : new RedisTier(name, tier.plan, tier.policy, worker, this)
  }

  get isTiered(): boolean {
    return this.tier !== null
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
    if (this.hasEnded(found)) {
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

  private hasEnded({ hash, entry }: Held): boolean {
    if (this.board.isPurged(hash, entry.askedAt)) return true
    return this.sweep.isUnderWay && this.sweep.takes(entry)
  }

  // Bodies under way: of all workers no more than the store may hold, but two of each worker at the least.
  reserve(bytes: number): boolean {
    const { bytesMax, entryBytesMax } = this.limits
    const most = Math.max(bytesMax / this.worker.workers, 2 * entryBytesMax)
    if (this.recording + bytes > most) return false
    this.recording += bytes
    this.worker.came(bytes, bytesMax)
    return true
  }

  giveBack(bytes: number): void {
    this.recording -= bytes
  }

  put(base: string, entry: CacheEntry): void {
    if (!this.keep(base, entry)) return
    this.worker.stored(this.name, 'stored', 1)
    this.share(base, entry)
    this.tier?.write(base, entry)
  }

  private share(base: string, entry: CacheEntry): void {
    this.makeRoom()
    this.worker.tell({ kind: 'entry', store: this.name, base, entry })
    this.tellSize()
  }

  // What another worker has stored.
  take(base: string, entry: CacheEntry): void {
    this.worker.came(entry.body.length, this.limits.bytesMax)
    if (this.keep(base, entry)) this.tellSize()
  }

  private keep(base: string, entry: CacheEntry): boolean {
    const held = new Held(entry)
    const size = bytesOf(entry)
    if (size > this.limits.bytesMax) return false
    if (this.isPurged(entry)) return false
    const before = this.index.peek(entry.key)
    // Two workers have asked, and the later response came first.
    if (before instanceof Held && before.entry.askedAt > entry.askedAt) return false
    if (entry.vary.length > 0) this.mark(base, entry.vary)
    this.index.set(entry.key, held, { size })
    this.all.add(held)
    return true
  }

  // Or may have been: it is stored nowhere.
  isPurged(entry: CacheEntry): boolean {
    return this.board.isPurged(hashOf(entry.url), entry.askedAt) || this.purges.covers(entry)
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
    this.tier?.drop(url)
  }

  // ---- the second tier

  askTier(base: string, place: string, exchange: Exchange): boolean {
    return this.tier !== null && this.tier.ask(base, place, exchange)
  }

  // What may be older than this machine is up, and its clock began.
  found(base: string, entry: CacheEntry): void {
    this.worker.came(entry.body.length, this.limits.bytesMax)
    if (this.purges.covers(entry)) return
    const clocked = { ...entry, askedAt: Math.max(entry.askedAt, EARLIEST) }
    if (this.keep(base, clocked)) this.share(base, clocked)
  }

  marked(base: string, names: readonly string[]): void {
    this.mark(base, names)
  }

  // The other gateways; `told` is called once, at once where there is nobody to tell.
  tellPurge(wish: PurgeWish, told: Told): void {
    if (this.tier === null) told(true)
    else this.tier.tell(wish, told)
  }

  purgeFar(purges: readonly TimedPurge[]): void {
    for (const purge of purges) this.begin(purge, null)
  }

  // ---- purges

  // From now on none of it is served, nor stored if it was asked for before `at`. `swept` is told how many responses are gone
  // once they are.
  purge(at: number, wish: PurgeWish, swept: Swept): void {
    this.begin({ at, wish }, swept)
  }

  private begin(purge: TimedPurge, swept: Swept | null): void {
    this.purges.add(purge.at, purge.wish)
    this.sweep.add(purge, swept)
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

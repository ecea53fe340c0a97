// workers/cache/worker-cache.ts: the stores of one worker, and their side of the messages of messages.ts.
//
// Owner:  the worker, one for its life. Hot: no; stores are found by name when a generation is built, and a message
//         comes per response that is stored.
//
// A store lives as long as a middleware that uses it, over any number of generations: it is held weakly here.

import type {
  BoundedCache,
  CacheServices,
  CacheStore,
  StoreLimits,
} from '../../core/cache/contract.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { NEXT } from '../../core/middleware/contract.ts'
import type { Cancel, Counter, SharedTables } from '../../core/middleware/worker.ts'
import { CacheBoard } from '../../core/shared/cache-board.ts'
import { CELLS } from '../../core/shared/slot-table.ts'
import type { WorkerContext } from '../context.ts'
import type { LiveExchange } from '../live-exchange.ts'
import { Bounded } from './bounded.ts'
import { AWAY, BYTES_CELL, ENTRIES_CELL, REACHED, TIER_CELL, gaugeName } from './gauges.ts'
import { type CacheNews, type CacheToWorker, ENTRIES_UNDERWAY_MAX } from './messages.ts'
import { beginRefresh } from './refresh.ts'
import { Store, type StoreWorker } from './store.ts'
import { UnseenMemory } from './unseen-memory.ts'

// What the rest of the worker does for it.
export interface CacheHost {
  readonly shared: SharedTables
  preciseNow(): number
  exactNow(): number
  wake(exchange: Exchange, serial: number, verdict: typeof NEXT): void
  after(ms: number, action: () => void): Cancel
  counter(family: string, labels: Readonly<Record<string, string>>): Counter
}

export class WorkerCache implements CacheServices, StoreWorker {
  readonly index: number
  readonly workers: number
  readonly board: CacheBoard
  private readonly context: WorkerContext
  private readonly host: CacheHost
  private readonly stores = new Map<string, WeakRef<Store>>()
  private readonly memory = new UnseenMemory()
  private underway = 0 // entries that the supervisor has not passed on yet

  constructor(context: WorkerContext, host: CacheHost) {
    this.context = context
    this.host = host
    this.index = context.plan.index
    this.workers = context.plan.workers
    this.board = new CacheBoard(context.plan.shared.cache)
  }

  open(name: string, limits: StoreLimits): CacheStore {
    for (const [known, store] of this.stores)
      if (store.deref() === undefined) this.stores.delete(known)
    this.host.shared.states.claim(gaugeName(name, this.index)) // the generation that is built has it
    const known = this.stores.get(name)?.deref()
    if (known !== undefined && sameLimits(known.limits, limits)) return known
    const store = new Store(name, limits, this)
    this.stores.set(name, new WeakRef(store))
    return store
  }

  bounded<T extends object>(entriesMax: number, bytesMax: number): BoundedCache<T> {
    return new Bounded<T>(entriesMax, bytesMax)
  }

  wallNow(): number {
    return Date.now()
  }

  date(): string {
    return this.context.date
  }

  refresh(exchange: Exchange, arrange: (own: Exchange) => void): boolean {
    return beginRefresh(exchange as LiveExchange, arrange)
  }

  // ---- for stores

  preciseNow(): number {
    return this.host.preciseNow()
  }

  exactNow(): number {
    return this.host.exactNow()
  }

  wake(exchange: Exchange, serial: number, verdict: typeof NEXT): void {
    this.host.wake(exchange, serial, verdict)
  }

  after(ms: number, action: () => void): Cancel {
    return this.host.after(ms, action)
  }

  came(bytes: number, limit: number): void {
    this.memory.came(bytes, limit)
  }

  tell(news: CacheNews): void {
    if (this.workers === 1) return
    if (news.kind === 'entry') {
      if (this.underway >= ENTRIES_UNDERWAY_MAX) return // the supervisor is behind: the others ask for themselves
      this.underway++
    }
    this.context.say({ type: 'cache', message: news })
  }

  stored(name: string, change: 'stored' | 'evicted', count: number): void {
    this.counter(`sluice_cache_${change}_total`, { middleware: name }).add(count)
  }

  counter(family: string, labels: Readonly<Record<string, string>>): Counter {
    return this.host.counter(family, labels)
  }

  warn(message: string): void {
    this.context.say({ type: 'warning', message })
  }

  // Where the supervisor reads it.
  holds(name: string, bytes: number, entries: number): void {
    this.show(name, BYTES_CELL, bytes)
    this.show(name, ENTRIES_CELL, entries)
  }

  reaches(name: string, answers: boolean): void {
    this.show(name, TIER_CELL, answers ? REACHED : AWAY)
  }

  private show(name: string, cell: number, value: number): void {
    const { states } = this.host.shared
    const slot = states.claim(gaugeName(name, this.index))
    if (slot >= 0) states.numbers[slot * CELLS + cell] = value
  }

  // ---- from the supervisor

  receive(message: CacheToWorker): void {
    switch (message.kind) {
      case 'taken':
        this.underway--
        return
      case 'entry':
        this.store(message.store)?.take(message.base, message.entry)
        return this.context.say({ type: 'cache', message: { kind: 'taken' } })
      case 'evicted':
        return this.store(message.store)?.evicted(message.keys)
      case 'settled':
        return this.store(message.store)?.ended(message.place, message.outcome)
      case 'purge':
        return this.purge(message)
    }
  }

  // One worker tells the other gateways, and answers when they can know.
  private purge({ id, at, wish, tells }: CacheToWorker & { kind: 'purge' }): void {
    const stores = [...this.stores]
      .filter(([name]) => wish.store === '' || wish.store === name)
      .flatMap(([, held]) => held.deref() ?? [])
    const late: string[] = []
    let count = 0
    let waiting = 1
    const done = (): void => {
      if (--waiting > 0) return
      this.context.say({ type: 'cache', message: { kind: 'purged', id, count, late } })
    }
    for (const store of stores) {
      waiting += tells ? 2 : 1
      store.purge(at, wish, (gone) => {
        count += gone
        done()
      })
      if (tells)
        store.tellPurge(wish, (told) => {
          if (!told) late.push(store.name)
          done()
        })
    }
    done()
  }

  private store(name: string): Store | undefined {
    return this.stores.get(name)?.deref()
  }
}

function sameLimits(a: StoreLimits, b: StoreLimits): boolean {
  return (
    a.bytesMax === b.bytesMax &&
    a.entryBytesMax === b.entryBytesMax &&
    a.collapseMs === b.collapseMs &&
    JSON.stringify(a.tier) === JSON.stringify(b.tier)
  )
}

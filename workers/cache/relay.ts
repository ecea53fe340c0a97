// workers/cache/relay.ts: the supervisor's part in the caches: passes on what one worker tells the others, and purges.
//
// Owner:  the supervisor. Order is kept: what a worker stored before a purge reaches the others before it, and what it
//         stores later is told by its time (Store.purge). Hot: no; messages per stored response, none per hit.

import type { PurgeResult, PurgeWish } from '../../core/cache/contract.ts'
import { hashOf } from '../../core/cache/key.ts'
import { CacheBoard } from '../../core/shared/cache-board.ts'
import type { WorkerHandle } from '../worker-handle.ts'
import { type CacheFromWorker, type CacheNews, ENTRIES_UNDERWAY_MAX } from './messages.ts'
import { UnseenMemory } from './unseen-memory.ts'

interface Purge {
  readonly at: number
  readonly wish: PurgeWish
  readonly waiting: Set<WorkerHandle>
  readonly done: (result: PurgeResult) => void
  teller: WorkerHandle | undefined // tells other gateways
  count: number // the most that one worker had: they know the same responses
  late: readonly string[]
}

export class CacheRelay {
  dropped = 0 // entries that a worker was too far behind for
  private readonly board: CacheBoard
  private readonly handles: readonly WorkerHandle[]
  private readonly underway = new WeakMap<WorkerHandle, number>()
  private readonly purges = new Map<number, Purge>()
  private readonly memory = new UnseenMemory()
  private lastPurge = 0

  constructor(memory: SharedArrayBuffer, handles: readonly WorkerHandle[]) {
    this.board = new CacheBoard(memory)
    this.handles = handles
  }

  receive(from: WorkerHandle, message: CacheFromWorker): void {
    switch (message.kind) {
      case 'taken':
        this.underway.set(from, (this.underway.get(from) ?? 1) - 1)
        return
      case 'purged':
        return this.purged(from, message)
      default:
        return this.passOn(from, message)
    }
  }

  private passOn(from: WorkerHandle, news: CacheNews): void {
    if (news.kind === 'entry') this.memory.came(news.entry.body.length, 0)
    for (const handle of this.handles) {
      if (handle !== from && handle.isAlive && this.hasRoom(handle, news))
        handle.post({ type: 'cache', message: news })
    }
    if (news.kind === 'entry') from.post({ type: 'cache', message: { kind: 'taken' } })
  }

  private hasRoom(handle: WorkerHandle, news: CacheNews): boolean {
    if (news.kind !== 'entry') return true
    const underway = this.underway.get(handle) ?? 0
    if (underway >= ENTRIES_UNDERWAY_MAX) {
      this.dropped++
      return false
    }
    this.underway.set(handle, underway + 1)
    return true
  }

  // `done` is told when no worker serves any of it; workers that end meanwhile serve nothing.
  purge(wish: PurgeWish, done: (result: PurgeResult) => void): void {
    const at = Number(process.hrtime.bigint()) / 1e6
    if (wish.all && wish.store === '') this.board.purgeAll(at)
    if (wish.url !== '') this.board.purge(hashOf(wish.url), at)
    const waiting = new Set(this.handles.filter((handle) => handle.isAlive))
    const id = ++this.lastPurge
    const [teller] = waiting
    const purge: Purge = { at, wish, waiting, done, teller, count: 0, late: [] }
    this.purges.set(id, purge)
    for (const handle of waiting) this.ask(handle, id, purge)
    this.conclude(id)
  }

  private ask(handle: WorkerHandle, id: number, { at, wish, teller }: Purge): void {
    const tells = handle === teller
    handle.post({ type: 'cache', message: { kind: 'purge', id, at, wish, tells } })
  }

  private purged(from: WorkerHandle, message: CacheFromWorker & { kind: 'purged' }): void {
    const { id, count, late } = message
    const purge = this.purges.get(id)
    if (purge === undefined) return
    purge.count = Math.max(purge.count, count)
    if (from === purge.teller) purge.late = late
    purge.waiting.delete(from)
    this.conclude(id)
  }

  ended(handle: WorkerHandle): void {
    for (const [id, purge] of this.purges) {
      purge.waiting.delete(handle)
      if (handle === purge.teller) this.tellByAnother(id, purge, handle)
      this.conclude(id)
    }
  }

  private tellByAnother(id: number, purge: Purge, gone: WorkerHandle): void {
    purge.teller = this.handles.find((handle) => handle !== gone && handle.isAlive)
    if (purge.teller === undefined) return
    purge.waiting.add(purge.teller)
    this.ask(purge.teller, id, purge)
  }

  private conclude(id: number): void {
    const purge = this.purges.get(id)
    if (purge === undefined || purge.waiting.size > 0) return
    this.purges.delete(id)
    purge.done({ count: purge.count, late: purge.late })
  }
}

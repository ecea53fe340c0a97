// Stores of two workers that share memory and tell each other, without threads.

import { describe, expect, it } from 'vitest'
import { ALONE, FAILED, LEAD, STORED, UNSTORABLE, WAITING } from '../../core/cache/contract.ts'
import type { PurgeWish } from '../../core/cache/contract.ts'
import type { CacheEntry } from '../../core/cache/entry.ts'
import { storeHead } from '../../core/cache/stored-head.ts'
import type { Exchange } from '../../core/exchange.ts'
import { requestOf } from '../../core/middleware/exchange.fixture.ts'
import { CACHE_BOARD_BYTES, CacheBoard } from '../../core/shared/cache-board.ts'
import type { CacheNews } from './messages.ts'
import { Store, type StoreWorker } from './store.ts'

const limits = { bytesMax: 100_000, entryBytesMax: 50_000, collapseMs: 5000, tier: null }

class World {
  now = 1000
  readonly woken: Exchange[] = []
  readonly timers: (() => void)[] = []
  readonly counts = new Map<string, number>()
  deaf = false // messages get lost, as when a worker has died
  readonly stores: Store[]

  constructor() {
    const memory = new SharedArrayBuffer(CACHE_BOARD_BYTES)
    this.stores = [0, 1].map((index) => new Store('cache@file', limits, this.worker(index, memory)))
  }

  private worker(index: number, memory: SharedArrayBuffer): StoreWorker {
    return {
      index,
      workers: 2,
      came: () => {},
      board: new CacheBoard(memory),
      preciseNow: () => this.now,
      exactNow: () => this.now,
      wake: (exchange) => void this.woken.push(exchange),
      after: (_ms, action) => {
        this.timers.push(action)
        return () => void this.timers.splice(this.timers.indexOf(action), 1)
      },
      tell: (news) => this.deliver(1 - index, news),
      stored: (_name, change, count) =>
        void this.counts.set(change, (this.counts.get(change) ?? 0) + count),
      holds: () => {},
      reaches: () => {},
      date: () => '',
      warn: () => {},
      counter: () => ({ add: () => {} }),
    }
  }

  private deliver(to: number, news: CacheNews): void {
    if (this.deaf) return
    const store = this.stores[to]!
    if (news.kind === 'entry') store.take(news.base, news.entry)
    else if (news.kind === 'evicted') store.evicted(news.keys)
    else store.ended(news.place, news.outcome)
  }
}

function entryOf(url: string, over: Partial<CacheEntry> = {}): CacheEntry {
  return {
    key: url,
    url,
    vary: [],
    status: 200,
    reason: '',
    head: storeHead(200, '', [], 0, 'x'),
    body: new Uint8Array(new SharedArrayBuffer(10_000)),
    askedAt: 1000,
    bornAt: 1000,
    freshUntil: 9000,
    refreshUntil: 9000,
    errorUntil: 9000,
    flags: 0,
    etag: '',
    lastModified: '',
    tags: [],
    ...over,
  }
}

const request = (...headers: string[]) => requestOf('GET / HTTP/1.1', headers).request
const wish = (over: Partial<PurgeWish>): PurgeWish => {
  return { store: '', url: '', tag: '', prefix: '', all: false, ...over }
}
const purge = (store: Store, at: number, over: Partial<PurgeWish>): Promise<number> =>
  new Promise((resolve) => store.purge(at, wish(over), resolve))
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('what is stored', () => {
  it('is found in both workers, with one body', () => {
    const [one, two] = new World().stores as [Store, Store]
    one.put('a', entryOf('a'))
    const mine = one.find('a', request())!
    const other = two.find('a', request())!
    expect(other.body.buffer).toBe(mine.body.buffer)
  })

  it('makes room for what is younger, in both', () => {
    const world = new World()
    const [one, two] = world.stores as [Store, Store]
    for (let i = 0; i < 20; i++) one.put(`u${i}`, entryOf(`u${i}`))
    for (const store of [one, two]) {
      expect(store.find('u0', request())).toBe(null)
      expect(store.find('u19', request())).not.toBe(null)
    }
    expect(world.counts.get('evicted')).toBe(11)
  })

  it('is never more than its room, even if no word of the other comes', () => {
    const world = new World()
    const [one, two] = world.stores as [Store, Store]
    for (let i = 0; i < 20; i++) two.take(`u${i}`, entryOf(`u${i}`))
    const held = Array.from({ length: 20 }, (_, i) => two.find(`u${i}`, request()))
    expect(held.filter((entry) => entry !== null).length * 10_000).toBeLessThan(112_500)
    expect(one.find('u19', request())).toBe(null)
  })

  it('is the response to the later request, whichever came last', () => {
    const [one] = new World().stores as [Store]
    one.put('a', entryOf('a', { askedAt: 2000, etag: '"new"' }))
    one.put('a', entryOf('a', { askedAt: 1500, etag: '"old"' }))
    expect(one.find('a', request())?.etag).toBe('"new"')
  })

  it('lies under the fields that Vary names', () => {
    const [one, two] = new World().stores as [Store, Store]
    const key = (value: string) => `a\nfoo\n=${value}`
    one.put('a', entryOf('a', { key: key('1'), vary: ['foo'] }))
    one.put('a', entryOf('a', { key: key('2'), vary: ['foo'], etag: '"2"' }))
    expect(two.find('a', request('Foo: 2'))?.etag).toBe('"2"')
    expect(two.find('a', request('Foo: 3'))).toBe(null)
    expect(two.place).toBe(key('3'))
  })
})

it('records no more bodies at a time than the store has room for, in all workers', () => {
  const [one] = new World().stores as [Store]
  expect([one.reserve(60_000), one.reserve(40_000), one.reserve(1)]).toEqual([true, true, false])
  one.giveBack(40_000)
  expect(one.reserve(1)).toBe(true)
})

describe('what is purged', () => {
  it('is gone in both workers at once, and so is what was under way', () => {
    const [one, two] = new World().stores as [Store, Store]
    one.put('a', entryOf('a'))
    one.invalidate('a')
    expect(two.find('a', request())).toBe(null)
    two.put('a', entryOf('a', { askedAt: 1000 }))
    expect(two.find('a', request())).toBe(null)
    two.put('a', entryOf('a', { askedAt: 1001 }))
    expect(two.find('a', request())).not.toBe(null)
  })

  it('is what the wish means, and nothing else', async () => {
    const [one] = new World().stores as [Store]
    one.put('http://x/a', entryOf('http://x/a', { tags: ['shoes'] }))
    one.put('http://x/b', entryOf('http://x/b'))
    one.put('http://y/', entryOf('http://y/'))
    expect(await purge(one, 1000, { tag: 'shoe' })).toBe(0)
    expect(await purge(one, 1000, { tag: 'shoes' })).toBe(1)
    expect(await purge(one, 1000, { prefix: 'http://x/' })).toBe(1)
    expect(await purge(one, 1000, { url: 'http://y' })).toBe(0)
    expect(await purge(one, 1000, { all: true })).toBe(1)
  })

  it('stays purged for responses under way, however many purges follow', async () => {
    const [one] = new World().stores as [Store]
    await purge(one, 1000, { tag: 'shoes' })
    for (let i = 0; i < 100; i++) await purge(one, 1001, { tag: `t${i}` })
    one.put('a', entryOf('a', { askedAt: 999, tags: ['shoes'] }))
    expect(one.find('a', request())).toBe(null)
  })

  it('is not served while it is still to be swept, and is counted', async () => {
    const [one] = new World().stores as [Store]
    for (const url of ['a', 'b', 'c']) one.put(url, entryOf(url, { tags: ['shoes'] }))
    const gone = purge(one, 1000, { tag: 'shoes' })
    expect(one.find('a', request())).toBe(null)
    one.put('a', entryOf('a', { askedAt: 1001, tags: ['shoes'] }))
    expect(await gone).toBe(3)
    expect(one.find('a', request())).not.toBe(null)
  })

  it('is gone for all who purge at the same time, and counted for one of them', async () => {
    const [one] = new World().stores as [Store]
    one.put('a', entryOf('a', { tags: ['shoes', 'hats'] }))
    one.put('b', entryOf('b', { tags: ['hats'] }))
    const counts = [{ tag: 'shoes' }, { tag: 'hats' }, { prefix: 'b' }, { tag: 'none' }]
    expect(await Promise.all(counts.map((over) => purge(one, 1000, over)))).toEqual([1, 1, 0, 0])
  })
})

describe('requests for the same', () => {
  const exchange = (): Exchange => requestOf('GET / HTTP/1.1')

  it('wait for the one that leads, in both workers, and are woken in a turn of their own', async () => {
    const world = new World()
    const [one, two] = world.stores as [Store, Store]
    expect(one.join('a', exchange())).toBe(LEAD)
    expect(one.join('a', exchange())).toBe(WAITING)
    expect(two.join('a', exchange())).toBe(WAITING)
    expect(two.lead('a')).toBe(false)
    one.settle('a', STORED)
    expect(world.woken.length).toBe(0)
    await nextTurn()
    expect(world.woken.length).toBe(2)
    expect(two.join('a', exchange())).toBe(LEAD)
  })

  it('go side by side for a moment after one that can not be stored', () => {
    const world = new World()
    const [one, two] = world.stores as [Store, Store]
    one.join('a', exchange())
    two.join('a', exchange())
    one.settle('a', UNSTORABLE)
    expect(one.join('a', exchange())).toBe(ALONE)
    expect(two.join('a', exchange())).toBe(ALONE)
    world.now += 3000
    expect(two.join('a', exchange())).toBe(LEAD)
  })

  it('do not wait for ever: not for a slow server, nor for a worker that has died', async () => {
    const world = new World()
    const [one, two] = world.stores as [Store, Store]
    one.join('a', exchange())
    world.deaf = true
    expect(two.join('a', exchange())).toBe(WAITING)
    world.now += 5000
    for (const timer of world.timers.splice(0)) timer()
    await nextTurn()
    expect(world.woken.length).toBe(1)
    expect(two.join('a', exchange())).toBe(ALONE)
    world.now += 3000
    expect(two.join('a', exchange())).toBe(LEAD) // the lock has ended by its time
    one.settle('a', FAILED) // late: the lock is not its own any more
    expect(one.join('b', exchange())).toBe(LEAD)
  })

  it('that leave are not woken', async () => {
    const world = new World()
    const [one] = world.stores as [Store]
    const leaver = exchange()
    one.join('a', exchange())
    one.join('a', leaver)
    one.leave('a', leaver)
    one.settle('a', STORED)
    await nextTurn()
    expect(world.woken).toEqual([])
  })
})

// What stores write to Redis when it is ended at the same time: stores without their workers, one Redis.

import { Buffer } from 'node:buffer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CacheEntry } from '../../../core/cache/entry.ts'
import { hashOf } from '../../../core/cache/key.ts'
import { storeHead } from '../../../core/cache/stored-head.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { requestOf } from '../../../core/middleware/exchange.fixture.ts'
import { CACHE_BOARD_BYTES, CacheBoard } from '../../../core/shared/cache-board.ts'
import { Store, type StoreWorker } from '../../../workers/cache/store.ts'
import {
  type RedisServer,
  hasRedis,
  startRedis,
  storePlanOf,
  withoutRedis,
} from '../../support/redis.ts'
import { eventually } from '../../support/wait.ts'

const now = (): number => performance.now()
const date = 'Thu, 01 Jan 1970 00:00:00 GMT'

// The only worker of a gateway.
class Alone implements StoreWorker {
  readonly index = 0
  readonly workers = 1
  readonly board = new CacheBoard(new SharedArrayBuffer(CACHE_BOARD_BYTES))
  readonly store: Store
  answers = false
  private readonly waiting = new Map<Exchange, () => void>()
  readonly preciseNow = now
  readonly exactNow = now

  constructor(port: number) {
    const plan = { store: storePlanOf([port]), entryBytesMax: 1e6 }
    const tier = { plan, policy: { maxTtlMs: 1e6, storesCookies: false } }
    const limits = { bytesMax: 1e6, entryBytesMax: 1e6, collapseMs: 5000, tier }
    this.store = new Store('cache@file', limits, this)
  }

  wake(exchange: Exchange): void {
    this.waiting.get(exchange)?.()
  }

  reaches(_name: string, answers: boolean): void {
    this.answers = answers
  }

  put(path: string): void {
    const url = 'http://a' + path
    this.store.put('r\n' + url, entryOf(url))
  }

  // Whether Redis has it.
  async finds(path: string): Promise<boolean> {
    const base = 'r\nhttp://a' + path
    const exchange = requestOf('GET / HTTP/1.1')
    const woken = new Promise<void>((resolve) => this.waiting.set(exchange, resolve))
    if (!this.store.askTier(base, base, exchange)) return false
    await woken
    return this.store.find(base, exchange.request) !== null
  }

  after = () => () => {}
  came = () => {}
  counter = () => ({ add: () => {} })
  date = () => date
  tell = () => {}
  stored = () => {}
  holds = () => {}
  warn = () => {}
}

function entryOf(url: string): CacheEntry {
  const askedAt = now()
  return {
    key: 'r\n' + url,
    url,
    vary: [],
    status: 200,
    reason: '',
    head: storeHead(200, '', [], 1, date),
    body: Buffer.from('x'),
    askedAt,
    bornAt: askedAt,
    freshUntil: askedAt + 600_000,
    refreshUntil: 0,
    errorUntil: 0,
    flags: 0,
    etag: '',
    lastModified: '',
    tags: [],
  }
}

describe.skipIf(!hasRedis)(`A store and Redis (skipped when ${withoutRedis})`, () => {
  let redis: RedisServer
  let one: Alone
  let other: Alone

  beforeAll(async () => {
    redis = await startRedis()
    one = new Alone(redis.port)
    other = new Alone(redis.port)
    await eventually('Redis to answer', () => one.answers && other.answers)
  }, 60_000)

  afterAll(() => redis?.stop())

  // Commands of one store come in their order.
  async function written(path: string): Promise<void> {
    one.put(path)
    await eventually(`${path} to be written`, () => other.finds(path))
  }

  test('an unsafe method in the turn of a response ends it there too', async () => {
    one.put('/same-turn')
    one.store.invalidate('http://a/same-turn')
    await written('/after')
    expect(await other.finds('/same-turn')).toBe(false)
  })

  test('an unsafe method of another worker ends it, though its word was there first', async () => {
    const before = await keys()
    one.put('/under-way')
    await new Promise<void>((resolve) => setImmediate(resolve)) // it has been sent
    one.board.purge(hashOf('http://a/under-way'), now())
    await written('/after-that')
    await eventually('it to be gone', async () => (await keys()).length === before.length + 1)
  })

  test('a second unsafe method ends what was written since the first', async () => {
    one.store.invalidate('http://a/twice')
    one.put('/twice')
    await new Promise<void>((resolve) => setImmediate(resolve))
    one.store.invalidate('http://a/twice')
    await written('/after-twice')
    expect(await other.finds('/twice')).toBe(false)
  })

  async function keys(): Promise<string[]> {
    const all = (await redis.command('KEYS', 'cache:*')) as string[]
    return all.filter((key) => !key.endsWith(':purges'))
  }
})

// What a gateway reads of others' purges, and what becomes of its own when Redis does not take them.

import { describe, expect, it } from 'vitest'
import type { PurgeWish } from '../../core/cache/contract.ts'
import type { StoreClient } from '../store/client.ts'
import { PurgeLog, type TimedPurge } from './purge-log.ts'

const wish = (over: Partial<PurgeWish>): PurgeWish => ({
  store: '',
  url: '',
  tag: '',
  prefix: '',
  all: false,
  ...over,
})

// A Redis of records, whose clock is 1,000,000 ms ahead of the reader's.
class Fake implements StoreClient {
  records: [id: string, fields: string[]][] = []
  count: number | null = null
  told: string[] = []
  isAway = false
  answer: unknown = null // in place of the right one

  run(script: string, _key: string, parameters: readonly unknown[]): Promise<unknown> {
    if (this.isAway) return Promise.reject(new Error('Socket closed unexpectedly'))
    if (script !== 'cacheLog') {
      this.told.push(`${script} ${String(parameters[0] ?? '')}`.trim())
      return Promise.resolve(1)
    }
    if (this.answer !== null) return Promise.resolve(this.answer)
    const from = parameters[0] === '-' ? 0 : Number(String(parameters[0]).replace('-', '.'))
    const since = this.records.filter(([id]) => Number(id.replace('-', '.')) >= from)
    const page = since.slice(0, Number(parameters[1]))
    const count = this.count ?? this.records.length
    return Promise.resolve(['1002', '0', count, this.records[0]?.[0] ?? '', page])
  }

  close(): void {}
}

const open = (): PurgeLog =>
  new PurgeLog(
    'purges',
    1000,
    (url) => `key of ${url}`,
    () => 2000,
  )
async function heardBy(log: PurgeLog, redis: Fake): Promise<TimedPurge[]> {
  const all: TimedPurge[] = []
  expect(await log.read(redis, (purges) => all.push(...purges))).toBe(true)
  return all
}

const waited = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('reading', () => {
  it('brings each purge once, by the clock of the reader', async () => {
    const [log, redis] = [open(), new Fake()]
    redis.records = [
      ['1001500-0', ['w', 'uhttp://a/']],
      ['1001500-1', ['w', 'tshoes']],
      ['1001600-0', ['w', 'phttp://b/']],
      ['1001700-0', ['w', 'a']],
    ]
    expect(await heardBy(log, redis)).toEqual([
      { at: 1501, wish: wish({ url: 'http://a/' }) },
      { at: 1501, wish: wish({ tag: 'shoes' }) },
      { at: 1601, wish: wish({ prefix: 'http://b/' }) },
      { at: 1701, wish: wish({ all: true }) },
    ])
    expect([log.isKnown, log.early, log.late]).toEqual([true, 1_000_000, 1_000_000])
    expect(await heardBy(log, redis)).toEqual([])
    redis.records.push(['1001700-1', ['w', 'tlate']])
    expect(await heardBy(log, redis)).toEqual([{ at: 1701, wish: wish({ tag: 'late' }) }])
  })

  it('takes what it does not know for a purge of everything', async () => {
    const [log, redis] = [open(), new Fake()]
    redis.records = [['1001500-0', ['w', 'znew']]]
    expect(await heardBy(log, redis)).toEqual([{ at: 1501, wish: wish({ all: true }) }])
  })

  it('ends everything from before what it has missed', async () => {
    const [log, redis] = [open(), new Fake()]
    redis.records = [['1001500-0', ['w', 'ta']]]
    await heardBy(log, redis)
    redis.records = [['1001900-0', ['w', 'tb']]]
    redis.count = 10_000
    expect(await heardBy(log, redis)).toEqual([
      { at: 1901, wish: wish({ all: true }) },
      { at: 1901, wish: wish({ tag: 'b' }) },
    ])
  })

  it('reads page by page to the end', async () => {
    const [log, redis] = [open(), new Fake()]
    redis.records = Array.from({ length: 450 }, (_, i) => [`${1_001_000 + i}-0`, ['w', `t${i}`]])
    expect((await heardBy(log, redis))!.length).toBe(450)
  })

  it('tells each page before it asks for the next, so that none is lost when that fails', async () => {
    const [log, redis] = [open(), new Fake()]
    redis.records = Array.from({ length: 250 }, (_, i) => [`${1_001_000 + i}-0`, ['w', `t${i}`]])
    const tags: string[] = []
    const heard = (purges: readonly TimedPurge[]): void => {
      redis.isAway = tags.length === 0 // from now on, the first time
      tags.push(...purges.map((one) => one.wish.tag))
    }
    await expect(log.read(redis, heard)).rejects.toThrow('closed')
    expect([log.isKnown, tags.length]).toEqual([false, 200])
    redis.isAway = false
    expect(await log.read(redis, heard)).toBe(true)
    expect(tags).toEqual(redis.records.map(([, [, text]]) => text!.slice(1)))
  })

  it('knows nothing after an answer that is none of ours, or none', async () => {
    const [log, redis] = [open(), new Fake()]
    await heardBy(log, redis)
    for (const answer of [
      1,
      [],
      ['x', 'y', 0, '', []],
      ['1', '0', 1, 'x', []],
      ['1', '0', 1, '1-1', [1]],
    ]) {
      redis.answer = answer
      expect(await log.read(redis, () => {})).toBe(false)
      expect(log.isKnown).toBe(false)
    }
    redis.answer = null
    await heardBy(log, redis)
    redis.isAway = true
    await expect(log.read(redis, () => {})).rejects.toThrow('closed')
    expect(log.isKnown).toBe(false)
  })
})

describe('telling', () => {
  it('says what it has told, and of a URL drops what Redis has', async () => {
    const [log, redis] = [open(), new Fake()]
    const told: boolean[] = []
    log.tell(wish({ url: 'http://a/' }), (was) => told.push(was))
    log.tell(wish({ tag: 't' }), (was) => told.push(was))
    log.drop('http://b/')
    log.flush(redis, () => {})
    await waited()
    expect(told).toEqual([true, true])
    expect(redis.told).toEqual(['cacheTell uhttp://a/', 'cacheDrop', 'cacheTell tt', 'cacheDrop'])
  })

  it('keeps what it could not tell, and tells it when Redis is back', async () => {
    const [log, redis] = [open(), new Fake()]
    const faults: unknown[] = []
    redis.isAway = true
    log.tell(wish({ tag: 't' }), () => {})
    log.flush(redis, (fault) => faults.push(fault))
    await waited()
    expect(faults.length).toBe(1)
    redis.isAway = false
    log.flush(redis, () => {})
    await waited()
    log.flush(redis, () => {})
    await waited()
    expect(redis.told).toEqual(['cacheTell tt'])
  })

  it('drops a URL again that it is already dropping: something may have been written between', async () => {
    const [log, redis] = [open(), new Fake()]
    for (let i = 0; i < 2; i++) {
      log.drop('http://a/')
      log.drop('http://a/')
      log.flush(redis, () => {})
    }
    await waited()
    expect(redis.told).toEqual(['cacheDrop', 'cacheDrop'])
    log.flush(redis, () => {})
    expect(redis.told.length).toBe(2)
  })

  it('makes one that ends everything of more than it keeps', async () => {
    const [log, redis] = [open(), new Fake()]
    for (let i = 0; i < 1001; i++) log.drop(`http://a/${i}`)
    log.flush(redis, () => {})
    await waited()
    expect(redis.told).toEqual(['cacheTell a'])
  })
})

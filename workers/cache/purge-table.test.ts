import { expect, it } from 'vitest'
import type { PurgeWish } from '../../core/cache/contract.ts'
import type { CacheEntry } from '../../core/cache/entry.ts'
import { PurgeTable } from './purge-table.ts'

const wish = (over: Partial<PurgeWish>): PurgeWish => ({
  store: '',
  url: '',
  tag: '',
  prefix: '',
  all: false,
  ...over,
})
const asked = (askedAt: number, url = 'http://a/b', tags: string[] = []): CacheEntry =>
  ({ url, tags, askedAt }) as unknown as CacheEntry

it('means what was asked for before a purge, by URL, prefix, tag or all, and nothing else', () => {
  for (const one of [{ url: 'http://a/b' }, { prefix: 'http://a/' }, { tag: 't' }, { all: true }]) {
    const table = new PurgeTable(10)
    expect(table.means(asked(-5, undefined, ['t']))).toBe(false)
    table.add(100, wish(one))
    table.add(50, wish(one)) // one that came late takes nothing back
    expect(table.means(asked(100, undefined, ['t']))).toBe(true)
    expect(table.means(asked(101, undefined, ['t']))).toBe(false)
    if (!('all' in one)) expect(table.means(asked(1, 'http://b/', ['u']))).toBe(false)
  }
})

it('forgets the oldest, and then covers whatever was asked for before that', () => {
  const table = new PurgeTable(3)
  for (let i = 1; i <= 4; i++) table.add(i * 10, wish({ url: `http://a/${i}` }))
  table.add(50, wish({ tag: 't' }))
  expect(table.means(asked(1, 'http://a/1'))).toBe(false)
  expect(table.covers(asked(20, 'http://else/'))).toBe(true)
  expect(table.covers(asked(21, 'http://else/'))).toBe(false)
  expect(table.means(asked(21, 'http://a/4'))).toBe(true)
  expect(table.means(asked(21, 'http://else/', ['t']))).toBe(true)
})

it('holds no more text than a bound, however long the values are', () => {
  const table = new PurgeTable(1e9)
  for (let i = 0; i < 1000; i++) table.add(i + 1, wish({ url: `http://a/${i}`.padEnd(8192, 'x') }))
  expect(table.covers(asked(400, 'http://else/'))).toBe(true)
  expect(table.covers(asked(900, 'http://else/'))).toBe(false)
})

it('answers as fast with thousands of prefixes as with a few', () => {
  const costs = [5, 5000].map((count) => {
    const table = new PurgeTable(10_000)
    for (let i = 0; i < count; i++) table.add(100, wish({ prefix: `http://shop.example/c/${i}/` }))
    const before = process.cpuUsage()
    for (let i = 0; i < 10_000; i++) table.means(asked(50, `http://shop.example/products/${i}`))
    const { user, system } = process.cpuUsage(before)
    return user + system
  })
  expect(costs[1]! / costs[0]!).toBeLessThan(50) // 500 when they were asked one after the other
})

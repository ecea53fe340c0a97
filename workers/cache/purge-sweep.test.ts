import { expect, it } from 'vitest'
import type { PurgeWish } from '../../core/cache/contract.ts'
import type { CacheEntry } from '../../core/cache/entry.ts'
import type { TimedPurge } from './purge-log.ts'
import { PurgeSweep } from './purge-sweep.ts'

interface Held {
  readonly entry: CacheEntry
}

const held = (url: string, askedAt = 1): Held =>
  ({ entry: { url, tags: [], askedAt } }) as unknown as Held
const purge = (over: Partial<PurgeWish>): TimedPurge => {
  return { at: 100, wish: { store: '', url: '', tag: '', prefix: '', all: false, ...over } }
}

function sweepOf(all: Set<Held>, sliceEnded = (): void => {}): PurgeSweep<Held> {
  return new PurgeSweep(all, (one) => all.delete(one), sliceEnded)
}
const swept = (sweep: PurgeSweep<Held>, one: TimedPurge): Promise<number> =>
  new Promise((resolve) => sweep.add(one, resolve))

it('takes a turn of its own for each slice, and leaves nothing out, whatever changes meanwhile', async () => {
  const all = new Set(Array.from({ length: 100_000 }, (_, i) => held(`http://a/${i}`)))
  let slices = 0
  const sweep = sweepOf(all, () => {
    slices++
    const [first] = all
    if (first !== undefined) all.delete(first) // let go for lack of room
    all.add(held('http://a/new', 101))
  })
  await swept(sweep, purge({ prefix: 'http://a/' }))
  expect(slices).toBeGreaterThan(1)
  expect([...all].every(({ entry }) => entry.askedAt === 101)).toBe(true)
  expect(sweep.isUnderWay).toBe(false)
})

it('goes on for purges that come while it is under way', async () => {
  const all = new Set([held('http://a/'), held('http://b/'), held('http://c/')])
  const sweep = sweepOf(all)
  let later: Promise<number> | null = null
  const first = new Promise((resolve) =>
    sweep.add(purge({ prefix: 'http://a/' }), (count) => {
      later = swept(sweep, purge({ prefix: 'http://b/' }))
      resolve(count)
    }),
  )
  expect(await first).toBe(1)
  expect(sweep.takes(held('http://b/').entry)).toBe(true) // asked, as at a hit
  expect(sweep.takes(held('http://c/').entry)).toBe(false)
  expect(await later).toBe(2)
  expect([...all].map(({ entry }) => entry.url)).toEqual(['http://c/'])
  expect(sweep.isUnderWay).toBe(false)
})

// A cache of one worker: what gives way, and when.
import { expect, it } from 'vitest'
import { Bounded } from './bounded.ts'

const one = {}

it('holds so many entries, and lets go of the one that was not used for longest', () => {
  const cache = new Bounded<object>(2, 100)
  cache.set('a', one, 1)
  cache.set('b', one, 1)
  cache.get('a')
  cache.set('c', one, 1)
  expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([
    one,
    undefined,
    one,
    2,
  ])
  cache.delete('a')
  expect([cache.get('a'), cache.size]).toEqual([undefined, 1])
})

it('holds so many bytes, and never what is larger than all of it', () => {
  const cache = new Bounded<object>(1000, 100)
  for (let i = 0; i < 20; i++) cache.set(String(i), one, 30)
  expect([cache.size, cache.get('19'), cache.get('16')]).toEqual([3, one, undefined])
  cache.set('large', one, 101)
  expect(cache.get('large')).toBe(undefined)
})

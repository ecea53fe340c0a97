import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PrefixTimes } from './prefix-times.ts'

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), minLength: 1, maxLength: 6 })
const change = fc.record({ prefix: text, at: fc.integer({ min: 0, max: 9 }), goes: fc.boolean() })

it('finds what asking one after the other finds, whatever came and went', () => {
  fc.assert(
    fc.property(fc.array(change), fc.array(text), (changes, urls) => {
      const [times, plain] = [new PrefixTimes(), new Map<string, number>()]
      for (const { prefix, at, goes } of changes) {
        for (const one of [times, plain]) {
          if (goes) one.delete(prefix)
          else one.set(prefix, at)
        }
      }
      expect([...times]).toEqual([...plain])
      for (const url of urls) {
        for (let time = 0; time < 10; time++) {
          const found = [...plain].some(([prefix, at]) => time <= at && url.startsWith(prefix))
          expect(times.means(url, time)).toBe(found)
        }
      }
    }),
  )
})

it('finds a short prefix that is younger than the longer one', () => {
  const times = new PrefixTimes().set('http://a/', 20).set('http://a/b/', 10)
  expect(times.means('http://a/b/c', 15)).toBe(true)
  expect(times.means('http://a/b/c', 21)).toBe(false)
})
